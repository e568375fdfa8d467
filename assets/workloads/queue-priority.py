# /// gilscope
# title = "producer and consumer: the least first"
# bound = "mixed"
# watch = "Even tasks put items in, odd ones take them out, the most urgent first, whenever it came."
# [arguments.n]
# help = "items"
# default = 200
# min = 1
# max = 1000000
# size = true
# [arguments.seconds]
# help = "seconds between two items"
# default = 0.001
# min = 0.0
# max = 60.0
# [arguments.patience]
# help = "seconds after which a consumer gives up"
# default = 1.0
# min = 0.0
# max = 3600.0
# ///

import queue
import time

# Threads share it. Processes have one each, so their consumers wait in vain.
items = queue.PriorityQueue()


def work(n, seconds, patience, task):
    if task % 2 == 0:
        return produce(n, seconds)
    return consume(n, patience)


def produce(n, seconds):
    for i in range(n):
        time.sleep(seconds)
        items.put((i * 7 % 10, i))
    return "put " + str(n)


def consume(n, patience):
    taken = 0
    try:
        while taken < n:
            items.get(timeout=patience)
            taken += 1
    except queue.Empty:
        return "took " + str(taken) + ", then nothing came"
    return "took " + str(taken)


def outcome():
    return {"left": items.qsize()}
