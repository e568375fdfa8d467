# /// gilscope
# title = "threads that compute"
# bound = "cpu"
# watch = "How long each holds the lock."
# [arguments.n]
# help = "hundredths of a second"
# default = 100
# min = 1
# max = 100000
# ///
import time


def work(n):
    total = 0
    end = time.perf_counter() + n / 100
    while time.perf_counter() < end:
        for _ in range(1000):
            total += 1
    return total
