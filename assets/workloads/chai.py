# /// gilscope
# title = "chai stall"
# bound = "io"
# watch = "One task takes the orders, the other brews: two threads wait at the same time, one after the other does not."
# [arguments.n]
# help = "orders, and brews"
# default = 3
# min = 1
# max = 1000000
# size = true
# [arguments.order]
# help = "seconds an order takes"
# default = 0.2
# min = 0.0
# max = 3600.0
# [arguments.brew]
# help = "seconds a brew takes"
# default = 0.3
# min = 0.0
# max = 3600.0
# ///

import asyncio
import time


def work(n, order, brew, task):
    if task % 2 == 0:
        return take_orders(n, order)
    return brew_chai(n, brew)


def take_orders(n, seconds):
    for i in range(n):
        time.sleep(seconds)
    return str(n) + " orders taken"


def brew_chai(n, seconds):
    for i in range(n):
        time.sleep(seconds)
    return str(n) + " chai brewed"


async def work_async(n, order, brew, task):
    if task % 2 == 0:
        return await take_orders_async(n, order)
    return await brew_chai_async(n, brew)


async def take_orders_async(n, seconds):
    for i in range(n):
        await asyncio.sleep(seconds)
    return str(n) + " orders taken"


async def brew_chai_async(n, seconds):
    for i in range(n):
        await asyncio.sleep(seconds)
    return str(n) + " chai brewed"
