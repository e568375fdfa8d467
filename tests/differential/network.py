import urllib.request
def work():
    with urllib.request.urlopen('http://127.0.0.1:@PORT@/delay/0.01') as response:
        return response.status, response.getcode(), response.reason, response.read(), response.read()
# ---
import urllib.request
def work():
    response = urllib.request.urlopen('http://127.0.0.1:@PORT@/')
    parts = [response.read(5), response.read(0), response.read(3), response.read(-1), response.read(2)]
    response.close()
    return parts, response.geturl() == 'http://127.0.0.1:@PORT@/', response.url == response.geturl()
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@PORT@/nothing/there')
# ---
import urllib.request
import urllib.error
def work():
    try:
        urllib.request.urlopen('http://127.0.0.1:@PORT@/delay/never')
    except urllib.error.HTTPError as e:
        return e.code, e.reason, str(e), isinstance(e, OSError), isinstance(e, urllib.error.URLError)
# ---
from urllib.request import urlopen
def work():
    return urlopen('http://127.0.0.1:@UNAVAILABLE@/')
# ---
import urllib.request as r
def work():
    return r.urlopen('http://127.0.0.1:@NOBODY@/').read()
# ---
from urllib.request import urlopen
from urllib.error import URLError
def work():
    try:
        urlopen('http://127.0.0.1:@NOBODY@/')
    except URLError as e:
        reason = e.reason
        return str(e), repr(e), repr(reason), reason.errno, reason.strerror, isinstance(reason, ConnectionError)
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@SILENT@/', timeout=0.05)
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@PORT@/delay/30', timeout=0.05)
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@HANGUP@/')
# ---
import urllib.request
import http.client
def work():
    try:
        urllib.request.urlopen('http://127.0.0.1:@HANGUP@/')
    except http.client.BadStatusLine as e:
        return str(e), isinstance(e, ConnectionResetError), isinstance(e, http.client.RemoteDisconnected)
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@GARBAGE@/')
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@HALF@/')
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@NUMBER@/')
# ---
import urllib.request
def work():
    response = urllib.request.urlopen('http://127.0.0.1:@CUT@/')
    return response.read()
# ---
import urllib.request
def work():
    with urllib.request.urlopen('http://127.0.0.1:@OPEN@/') as response:
        return response.reason, response.read(5), response.read()
# ---
import urllib.request
def work():
    with urllib.request.urlopen('http://127.0.0.1:@CHUNKED@/') as response:
        return response.read(3), response.read()
# ---
import urllib.request
def work():
    with urllib.request.urlopen('http://127.0.0.1:@CONTINUE@/') as response:
        return response.status, response.read()
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@EARLY@/')
# ---
import urllib.request
def work():
    with urllib.request.urlopen('http://127.0.0.1:@EMPTY@/') as response:
        return response.status, response.reason, response.read()
# ---
import urllib.request
def work():
    return urllib.request.urlopen('nonsense')
# ---
import urllib.request
def work():
    return urllib.request.urlopen('gopher://127.0.0.1/')
# ---
import urllib.request
def work():
    return urllib.request.urlopen('http://127.0.0.1:@PORT@/', timeout='soon')
# ---
import socket
def work():
    with socket.create_connection(('127.0.0.1', @PORT@)) as s:
        s.sendall(b'GET /delay/0.01 HTTP/1.0\r\n\r\n')
        data = b''
        while True:
            part = s.recv(7)
            if not part:
                break
            data += part
    return data.startswith(b'HTTP/1.0 200 OK\r\n'), data.endswith(b'\r\n\r\nanswered after 0.01 s\n')
# ---
import socket
def work():
    return socket.create_connection(('127.0.0.1', @NOBODY@))
# ---
import socket
def work():
    try:
        socket.create_connection(('127.0.0.1', @NOBODY@), timeout=2)
    except ConnectionRefusedError as e:
        return e.errno, e.strerror, e.args, repr(e), str(e)
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    s.close()
    s.close()
    number = s.fileno()
    try:
        s.sendall(b'x')
    except OSError as e:
        return number, str(e), s.recv(1)
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@), timeout=5)
    before = s.gettimeout()
    s.settimeout(0.05)
    try:
        s.recv(1)
    except socket.timeout as e:
        return before, s.gettimeout(), str(e), repr(e), isinstance(e, TimeoutError)
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    before = s.gettimeout()
    s.settimeout(0)
    return before, s.gettimeout(), s.recv(1)
# ---
import socket
def work():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        s.recv(1)
    except OSError as e:
        print(e)
    s.connect(('127.0.0.1', @LINES@))
    sent = s.send(b'go\r\n\r\n')
    peer = s.getpeername()
    s.shutdown(socket.SHUT_WR)
    data = b''
    part = s.recv(100)
    while part:
        data += part
        part = s.recv(100)
    return sent, peer, data, s.getsockname()[0]
# ---
import socket
def work():
    s = socket.socket()
    return s.recv(1)
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    s.connect(('127.0.0.1', @SILENT@))
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    s.sendall('text')
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    s.recv(-1)
# ---
import socket
def work():
    s = socket.create_connection(('127.0.0.1', @SILENT@))
    s.settimeout(-1)
# ---
import socket
def work():
    return socket.error is OSError, socket.timeout is TimeoutError, socket.SHUT_RDWR
# ---
def work():
    try:
        raise OSError(2, 'No such thing')
    except OSError as e:
        return str(e), e.errno, e.strerror, OSError('x').errno, str(OSError('x'))
# ---
import urllib.error
def work():
    raise urllib.error.URLError('far away')
# ---
import asyncio
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @LINES@)
    writer.write(b'go\r\n')
    writer.write(b'\r\n')
    await writer.drain()
    lines = [await reader.readline(), await reader.readuntil(b'o'), await reader.readexactly(2), reader.at_eof()]
    rest = await reader.read(2)
    rest += await reader.read()
    end = await reader.readline()
    ended = reader.at_eof()
    writer.close()
    await writer.wait_closed()
    return lines, rest, end, ended, writer.is_closing(), await reader.read(10)
# ---
import asyncio
async def work():
    await asyncio.open_connection('127.0.0.1', @NOBODY@)
# ---
import asyncio
async def work():
    try:
        await asyncio.open_connection(host='127.0.0.1', port=@NOBODY@)
    except ConnectionRefusedError as e:
        return e.errno, e.strerror
# ---
import asyncio
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @LINES@)
    writer.write(b'go\r\n\r\n')
    return await reader.readexactly(100)
# ---
import asyncio
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @HANGUP@)
    writer.write(b'go\r\n\r\n')
    try:
        await reader.readuntil(b'\r\n\r\n')
    except asyncio.IncompleteReadError as e:
        return str(e), isinstance(e, EOFError)
# ---
import asyncio
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @SILENT@)
    return await asyncio.wait_for(reader.read(), 0.05)
# ---
import asyncio
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @SILENT@)
    writer.write('text')
# ---
import asyncio
async def close_soon(writer):
    await asyncio.sleep(0.01)
    writer.close()
async def work():
    reader, writer = await asyncio.open_connection('127.0.0.1', @SILENT@)
    closing = asyncio.create_task(close_soon(writer))
    data = await reader.read()
    await closing
    return data
# ---
import asyncio
async def ask(delay):
    reader, writer = await asyncio.open_connection('127.0.0.1', @PORT@)
    request = 'GET /delay/' + str(delay) + ' HTTP/1.0\r\n\r\n'
    writer.write(request.encode())
    await reader.readuntil(b'\r\n\r\n')
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return body
async def work():
    tasks = [ask(0.05), ask(0.01), ask(0.0)]
    return await asyncio.gather(*tasks)
