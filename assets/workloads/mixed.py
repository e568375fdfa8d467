# /// gilscope
# title = "CPU and waiting in turns"
# bound = "mixed"
# watch = "While one thread sleeps another computes; who wakes up waits for who computes: the convoy effect."
# [arguments.n]
# help = "numbers to square in each round"
# default = 1000000
# min = 1
# max = 1000000000000
# size = true
# [arguments.seconds]
# help = "seconds to sleep in each round"
# default = 0.01
# min = 0.0
# max = 3600.0
# [arguments.rounds]
# help = "how often"
# default = 10
# min = 1
# max = 1000000
# ///

import asyncio
import time


def work(n, seconds, rounds):
    total = 0
    for i in range(rounds):
        total += squares(n)
        time.sleep(seconds)
    return total


async def work_async(n, seconds, rounds):
    total = 0
    for i in range(rounds):
        total += squares(n)
        await asyncio.sleep(seconds)
    return total


def squares(n):
    total = 0
    for i in range(n):
        total += i**2
    return total
