# /// gilscope
# title = "compress"
# bound = "native"
# watch = "zlib is C code that lets the lock go: threads fill the cores while the lock is free."
# [arguments.n]
# help = "how often"
# default = 20
# min = 1
# max = 1000000
# size = true
# [arguments.mib]
# help = "mebibytes to compress each time"
# default = 1
# min = 1
# max = 256
# ///

import zlib


def work(n, mib):
    data = b"an oscilloscope for the lock... " * (mib * 32768)
    packed = b""
    for i in range(n):
        packed = zlib.compress(data, 6)
    return len(zlib.decompress(packed))
