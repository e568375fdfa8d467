# /// gilscope
# title = "scrape"
# bound = "io"
# watch = "Whoever waits for an answer has let the lock go: ten requests at a time take as long as one."
# [arguments.url]
# help = "port of the slow server; 0: any that is free"
# kind = "url"
# [arguments.seconds]
# help = "seconds until a request is answered"
# default = 0.5
# min = 0.0
# max = 3600.0
# size = true
# [arguments.n]
# help = "requests of each task, one after the other"
# default = 1
# min = 1
# max = 100000
# ///

import asyncio
import urllib.request


def work(url, seconds, n):
    received = 0
    for i in range(n):
        with urllib.request.urlopen(url + "/delay/" + str(seconds)) as response:
            received += len(response.read())
    return received


async def work_async(url, seconds, n):
    host, port = url.split("/")[2].split(":")
    request = "GET /delay/" + str(seconds) + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n"
    received = 0
    for i in range(n):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode())
        await reader.readuntil(b"\r\n\r\n")
        received += len(await reader.read())
        writer.close()
        await writer.wait_closed()
    return received
