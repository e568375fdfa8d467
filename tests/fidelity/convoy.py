# /// gilscope
# title = "a sleeper behind one who computes"
# bound = "mixed"
# watch = "How long the sleeper waits for the lock each time it wakes up."
# [arguments.n]
# help = "sleeps of 10 ms"
# default = 100
# min = 1
# max = 100000
# ///
import time

over = 0


def work(task, n):
    global over
    if task == 0:
        total = 0
        while over == 0:
            total += 1
        return total
    for _ in range(n):
        time.sleep(0.01)
    over = 1
    return n
