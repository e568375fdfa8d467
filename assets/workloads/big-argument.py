# /// gilscope
# title = "big argument"
# bound = "native"
# watch = "Threads are handed the argument itself, processes a pickle of it: time, and memory a worker."
# [arguments.data]
# help = "mebibytes handed to each task"
# kind = "bytes"
# default = 16
# min = 1
# max = 256
# [arguments.n]
# help = "how often to sum it up"
# default = 1
# min = 1
# max = 1000000
# size = true
# ///

import zlib


def work(data, n):
    checksum = 0
    for i in range(n):
        checksum = zlib.crc32(data)
    return checksum
