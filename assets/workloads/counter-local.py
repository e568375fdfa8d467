# /// gilscope
# title = "shared counter, added once"
# bound = "cpu"
# watch = "Each task counts for itself and adds its sum once, under a lock: right, and as quick as no lock."
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
    local = 0
    for i in range(n):
        local += 1
    with lock:
        counter += local
    counted.append(n)
    return n


def outcome():
    return {"expected": sum(counted), "actual": counter}
