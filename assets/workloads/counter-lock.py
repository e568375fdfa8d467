# /// gilscope
# title = "shared counter with a lock"
# bound = "cpu"
# watch = "A lock of the program's own makes the sum right, and costs a multiple of the time."
# [arguments.n]
# help = "how often to add one"
# default = 1000000
# min = 1
# max = 1000000000000
# size = true
# ///

import threading

counter = 0
counted = []
lock = threading.Lock()


def work(n):
    global counter
    for i in range(n):
        with lock:
            counter += 1
    counted.append(n)
    return n


def outcome():
    return {"expected": sum(counted), "actual": counter}
