# /// gilscope
# title = "hash"
# bound = "native"
# watch = "SHA-256 is C code that lets the lock go: here threads do run in parallel."
# [arguments.n]
# help = "mebibytes to hash in each round"
# default = 4
# min = 1
# max = 1024
# [arguments.rounds]
# help = "how often"
# default = 20
# min = 1
# max = 1000000
# size = true
# ///

import hashlib


def work(n, rounds):
    data = b"gilscope" * (n * 131072)
    digest = ""
    for i in range(rounds):
        digest = hashlib.sha256(data).hexdigest()
    return digest
