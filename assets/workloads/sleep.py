# /// gilscope
# title = "short sleep"
# bound = "io"
# watch = "A sleeping thread lets the lock go, so the waits of all threads overlap."
# [arguments.seconds]
# help = "seconds to sleep"
# default = 0.005
# min = 0.0
# max = 3600.0
# size = true
# ///

import asyncio
import time


def work(seconds):
    time.sleep(seconds)
    return seconds


async def work_async(seconds):
    await asyncio.sleep(seconds)
    return seconds
