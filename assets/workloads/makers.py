# /// gilscope
# title = "chai makers"
# bound = "io"
# watch = "Everyone waits for water to boil: all begin and end together, in processes as in threads."
# [arguments.seconds]
# help = "seconds a chai takes"
# default = 0.3
# min = 0.0
# max = 3600.0
# size = true
# ///

import asyncio
import time


def work(seconds, task):
    time.sleep(seconds)
    return "maker " + str(task) + ": chai is ready"


async def work_async(seconds, task):
    await asyncio.sleep(seconds)
    return "maker " + str(task) + ": chai is ready"
