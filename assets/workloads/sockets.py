# /// gilscope
# title = "ten thousand sockets"
# bound = "io"
# watch = "Opening connections is work and needs the lock; holding them open is waiting, and needs nothing."
# [arguments.port]
# help = "port of the slow server; 0: any that is free"
# kind = "port"
# [arguments.connections]
# help = "connections, all tasks together"
# kind = "connections"
# default = 10000
# min = 1
# max = 25000
# [arguments.seconds]
# help = "seconds to hold them open"
# default = 1.0
# min = 0.0
# max = 3600.0
# size = true
# ///

import asyncio
import socket
import time


def work(port, connections, seconds, task, tasks):
    share = connections * (task + 1) // tasks - connections * task // tasks
    held = []
    for i in range(share):
        held.append(socket.create_connection(("127.0.0.1", port)))
    time.sleep(seconds)
    for connection in held:
        connection.close()
    return share


async def work_async(port, connections, seconds, task, tasks):
    share = connections * (task + 1) // tasks - connections * task // tasks
    held = []
    for i in range(share):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        held.append(writer)
    await asyncio.sleep(seconds)
    for writer in held:
        writer.close()
        await writer.wait_closed()
    return share
