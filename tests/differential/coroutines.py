async def work():
    return 42
# ---
async def f(a, b=2, *, c=3):
    return [a, b, c]
async def work():
    return await f(1) + await f(1, 5) + await f(a=9, c=4)
# ---
import asyncio
async def work():
    before = await asyncio.sleep(0, "result")
    after = await asyncio.sleep(0.001)
    return before, after
# ---
import asyncio
seen = []
async def f(name, n):
    for i in range(n):
        seen.append(name + str(i))
        await asyncio.sleep(0)
    return name
async def work():
    names = await asyncio.gather(f("a", 3), f("b", 1), f("c", 2))
    return names, seen
# ---
import asyncio
seen = []
async def f(delay):
    await asyncio.sleep(delay)
    seen.append(delay)
    return delay
async def work():
    got = await asyncio.gather(f(0.03), f(0.01), f(0.02))
    return got, seen
# ---
import asyncio
async def bad():
    await asyncio.sleep(0)
    raise ValueError("oh")
async def work():
    try:
        await bad()
    except ValueError as error:
        return str(error)
# ---
import asyncio
async def bad():
    await asyncio.sleep(0)
    return 1 // 0
async def work():
    await asyncio.gather(bad(), asyncio.sleep(0.001))
# ---
import asyncio
async def bad(n):
    await asyncio.sleep(0)
    raise KeyError(n)
async def good(n):
    return n
async def work():
    return repr(await asyncio.gather(bad(1), good(2), bad(3), return_exceptions=True))
# ---
import asyncio
seen = []
async def f(n):
    seen.append(n)
    await asyncio.sleep(0)
    seen.append(-n)
    return n * n
async def work():
    tasks = [asyncio.create_task(f(n)) for n in range(4)]
    seen.append("made")
    done = [task.done() for task in tasks]
    await asyncio.sleep(0)
    results = [await task for task in tasks]
    return results, seen, done, [task.done() for task in tasks], tasks[2].result()
# ---
import asyncio
async def f():
    await asyncio.sleep(10)
async def work():
    task = asyncio.create_task(f())
    await asyncio.sleep(0)
    first = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return first, task.cancelled(), task.done(), task.cancel()
# ---
import asyncio
seen = []
async def f():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        seen.append("cancelled")
        await asyncio.sleep(0)
        seen.append("cleaned")
        return 7
    finally:
        seen.append("finally")
async def work():
    task = asyncio.create_task(f())
    await asyncio.sleep(0)
    task.cancel()
    return await task, seen
# ---
import asyncio
async def f():
    return 1
async def work():
    task = asyncio.create_task(f())
    task.cancel()
    await task
# ---
import asyncio
async def inner():
    await asyncio.sleep(10)
async def outer():
    await inner()
async def work():
    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except BaseException as error:
        return isinstance(error, asyncio.CancelledError), str(error)
# ---
import asyncio
async def slow():
    await asyncio.sleep(5)
async def work():
    try:
        await asyncio.wait_for(slow(), 0.01)
    except asyncio.TimeoutError as error:
        return "late", str(error)
# ---
import asyncio
async def quick():
    await asyncio.sleep(0)
    return 5
async def work():
    return await asyncio.wait_for(quick(), timeout=5), await asyncio.wait_for(quick(), None)
# ---
import asyncio
async def slow():
    await asyncio.sleep(5)
async def work():
    await asyncio.wait_for(slow(), timeout=0.001)
# ---
import asyncio
seen = []
lock = None
async def f(name):
    async with lock:
        seen.append(name + "+")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append(name + "-")
async def work():
    global lock
    lock = asyncio.Lock()
    await asyncio.gather(f("a"), f("b"), f("c"))
    return seen, lock.locked()
# ---
import asyncio
async def work():
    lock = asyncio.Lock()
    try:
        async with lock as it:
            raise ValueError("within")
    except ValueError:
        pass
    got = await lock.acquire()
    lock.release()
    try:
        lock.release()
    except RuntimeError as error:
        return got, it, str(error)
# ---
import asyncio
async def f(lock):
    async with lock:
        for i in range(3):
            async with asyncio.Lock():
                if i == 1:
                    return i
async def work():
    lock = asyncio.Lock()
    return await f(lock), lock.locked()
# ---
import asyncio
seen = []
async def f(semaphore, n):
    async with semaphore:
        seen.append(n)
        await asyncio.sleep(0.001)
        seen.append(-n)
async def work():
    semaphore = asyncio.Semaphore(2)
    await asyncio.gather(f(semaphore, 1), f(semaphore, 2), f(semaphore, 3))
    return sorted(seen), seen[:2], semaphore.locked()
# ---
import asyncio
seen = []
async def producer(queue):
    for i in range(5):
        await queue.put(i)
        seen.append("put " + str(i))
    await queue.put(None)
async def consumer(queue):
    while True:
        item = await queue.get()
        if item is None:
            return seen
        seen.append("got " + str(item))
async def work():
    queue = asyncio.Queue(maxsize=2)
    return (await asyncio.gather(producer(queue), consumer(queue)))[1], queue.qsize(), queue.empty(), queue.full()
# ---
import asyncio
async def work():
    queue = asyncio.PriorityQueue()
    for n in [3, 1, 2]:
        queue.put_nowait(n)
    stack = asyncio.LifoQueue()
    for n in [3, 1, 2]:
        await stack.put(n)
    return [await queue.get() for i in range(3)], [stack.get_nowait() for i in range(3)]
# ---
import asyncio
async def work():
    queue = asyncio.Queue(1)
    queue.put_nowait(1)
    try:
        queue.put_nowait(2)
    except asyncio.QueueFull:
        pass
    queue.get_nowait()
    queue.get_nowait()
# ---
import asyncio
async def worker(queue, out):
    while True:
        item = await queue.get()
        await asyncio.sleep(0)
        out.append(item)
        queue.task_done()
async def work():
    queue = asyncio.Queue()
    out = []
    for i in range(6):
        queue.put_nowait(i)
    tasks = [asyncio.create_task(worker(queue, out)) for i in range(2)]
    await queue.join()
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(tasks[0], tasks[1], return_exceptions=True)
    return out, [isinstance(end, asyncio.CancelledError) for end in ended]
# ---
import asyncio
seen = []
async def waiter(event, n):
    await event.wait()
    seen.append(n)
async def work():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waiter(event, n)) for n in range(3)]
    await asyncio.sleep(0)
    seen.append(event.is_set())
    event.set()
    for task in tasks:
        await task
    seen.append(await event.wait())
    event.clear()
    return seen, event.is_set()
# ---
async def work():
    await 5
# ---
async def work():
    return await "text"
# ---
def f():
    return 3
async def work():
    return await f()
# ---
async def f():
    return 3
async def work():
    coroutine = f()
    first = await coroutine
    return first + await coroutine
# ---
async def work():
    await missing()
# ---
import asyncio
async def work():
    return await asyncio.sleep("a")
# ---
import asyncio
async def work():
    return await asyncio.sleep(-5, 3)
# ---
import asyncio
async def f():
    return 1
def work():
    return asyncio.create_task(f())
# ---
import asyncio
async def work():
    return asyncio.create_task(5)
# ---
import asyncio
async def work():
    return await asyncio.gather()
# ---
import asyncio
async def f():
    return 5
async def work():
    task = asyncio.create_task(f())
    return task.result()
# ---
import asyncio
async def f():
    raise ValueError("x")
async def work():
    task = asyncio.create_task(f())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return repr(task.exception()), task.done()
# ---
import asyncio, time
async def work():
    return await asyncio.to_thread(time.sleep, 0.001), await asyncio.to_thread(max, 3, 8)
# ---
import asyncio
async def fib(n):
    if n < 2:
        return n
    return await fib(n - 1) + await fib(n - 2)
async def work():
    return await asyncio.gather(fib(10), fib(12))
# ---
import asyncio
async def deep(n):
    if n == 0:
        await asyncio.sleep(0)
        return "bottom"
    return await deep(n - 1)
async def work():
    return await deep(200)
# ---
import asyncio
async def work():
    total = 0
    for i in range(3):
        try:
            if i == 1:
                continue
            total += await asyncio.sleep(0, i)
        finally:
            await asyncio.sleep(0)
            total += 100
    else:
        total += 1000
    return total, [await asyncio.sleep(0, n) for n in range(4)], {n: await asyncio.sleep(0, n) for n in range(2)}
# ---
import asyncio
async def f(order):
    order.append("child")
async def work():
    order = []
    task = asyncio.create_task(f(order))
    order.append("parent")
    await task
    order.append("after")
    return order
# ---
import asyncio
async def f():
    await asyncio.sleep(10)
async def work():
    gathering = asyncio.gather(f(), f())
    await asyncio.sleep(0)
    gathering.cancel()
    try:
        await gathering
    except asyncio.CancelledError:
        return "cancelled", gathering.done()
# ---
import asyncio
seen = []
async def left():
    try:
        await asyncio.sleep(10)
    finally:
        seen.append("cleaned up")
async def work():
    asyncio.create_task(left())
    await asyncio.sleep(0)
    return seen
# ---
import asyncio
async def work():
    with asyncio.Lock():
        pass
# ---
import threading
async def work():
    async with threading.Lock():
        pass
# ---
import asyncio
async def f(n, scale=1):
    await asyncio.sleep(0)
    return n * scale
def g(a, b, c=0, *, d=0):
    return [a, b, c, d]
async def work():
    numbers = [1, 2, 3]
    a = await asyncio.gather(*[f(n) for n in numbers])
    b = await asyncio.gather(*(f(n) for n in numbers), f(9), return_exceptions=True)
    return a, b, g(*numbers), g(0, *[1, 2], d=4), max(*numbers), g(*range(2)), "-".join(*[["a", "b"]])
# ---
def g(a, b):
    return [a, b]
def work():
    return g(*[1, 2, 3])
# ---
def work():
    return max(*5)
# ---
def work():
    raise ValueError(*["a", "b"])
