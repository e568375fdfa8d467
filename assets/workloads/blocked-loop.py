# /// gilscope
# title = "a call that blocks the loop"
# bound = "io"
# watch = "Task 0 sleeps by time.sleep, the others await: in threads nobody minds, among coroutines everyone stands still."
# [arguments.n]
# help = "how often each waits"
# default = 5
# min = 1
# max = 1000000
# size = true
# [arguments.seconds]
# help = "seconds each waits"
# default = 0.05
# min = 0.0
# max = 3600.0
# [arguments.blocked]
# help = "seconds task 0 keeps the loop each time"
# default = 0.2
# min = 0.0
# max = 3600.0
# ///

import asyncio
import time


def work(n, seconds, blocked, task):
    for i in range(n):
        time.sleep(blocked if task == 0 else seconds)
    return n


async def work_async(n, seconds, blocked, task):
    for i in range(n):
        if task == 0:
            time.sleep(blocked)
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(seconds)
    return n
