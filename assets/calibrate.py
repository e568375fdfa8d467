# What CPython spends from the order of a worker's birth to the worker's first line, once for each way to make one; and what
# an event loop spends on a connection.
# Processes and interpreters are workers of the pools of `concurrent.futures`, with the modules these need in each.
# Prints one JSON object. Each row: from the order to the first line, and how much of that the new thread computed, in
# nanoseconds; and how much whoever ordered it computed for the order. The monotonic clock is one for all processes; the
# CPU clocks of a new process or thread begin at 0.
# Run anew for each repeat, so that a cold forkserver is cold.
import sys
import time

# The first line of this module: in a spawned child, where its interpreter and `multiprocessing` are there.
MODULE = time.process_time_ns()


# The worker's first line, once there is one.
BORN = None


def note():
    global BORN
    BORN = time.monotonic_ns(), time.process_time_ns(), MODULE, on_cpu_of_parent()


def born():
    return BORN


def on_cpu_of_parent():
    import os

    try:
        with open(f"/proc/{os.getppid()}/schedstat") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def process(method):
    """A worker of a pool of processes: what its birth took, and what the pool took its maker before the birth was ordered
    and after it, up to the first result. The CPU time of the maker is that of all its threads."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(method)
    start, seen = context.Process.start, []

    def order(worker):
        seen.append((time.monotonic_ns(), time.process_time_ns()))
        start(worker)
        seen.append((time.monotonic_ns(), time.process_time_ns()))

    context.Process.start = order
    began = time.process_time_ns()
    with ProcessPoolExecutor(1, mp_context=context, initializer=note) as executor:
        line, cpu, module, parent = executor.submit(born).result()
        ended = time.process_time_ns()
    context.Process.start = start
    (ordered, before), (_, after) = seen
    return {"elapsed": line - ordered, "cpu": cpu, "module": module, "parent": parent, "order": after - before,
            "before": before - began, "after": ended - after}


def tracker():
    """The process that keeps account of semaphores. It says nothing when it is up: then it sleeps, in a read."""
    from multiprocessing import resource_tracker

    ordered, before = time.monotonic_ns(), time.process_time_ns()
    resource_tracker.ensure_running()
    after = time.process_time_ns()
    folder = f"/proc/{resource_tracker._resource_tracker._pid}"
    used, quiet, up = 0, 0, ordered
    # It pauses for other reasons, too: as long as it computes again within a few milliseconds it is not up.
    while quiet < 10:
        time.sleep(0.002)
        with open(folder + "/schedstat") as file:
            now = int(file.read().split()[0])
        quiet = quiet + 1 if now == used else 0
        if now != used:
            used, up = now, time.monotonic_ns()
    return {"elapsed": up - ordered, "cpu": used, "order": after - before}


def thread():
    import threading

    seen = []
    worker = threading.Thread(target=lambda: seen.append((time.monotonic_ns(), time.thread_time_ns())))
    ordered = time.monotonic_ns()
    worker.start()
    worker.join()
    return {"elapsed": seen[0][0] - ordered, "cpu": seen[0][1]}


def born_in_thread():
    return time.monotonic_ns(), time.thread_time_ns()


def subinterpreter():
    """A worker of a pool of interpreters: its thread, its interpreter, and the modules a pool needs in each."""
    from concurrent.futures import InterpreterPoolExecutor

    with InterpreterPoolExecutor(1) as executor:
        ordered = time.monotonic_ns()
        line, cpu = executor.submit(born_in_thread).result()
    return {"elapsed": line - ordered, "cpu": cpu}


def bare():
    import subprocess

    say = "import time; cpu = time.process_time_ns(); print(cpu)"
    return int(subprocess.run([sys.executable, "-c", say], check=True, capture_output=True).stdout)


def imports():
    """What modules take that workloads import, in an interpreter that has what a pool needs: CPU time."""
    import subprocess

    say = "import concurrent.futures.process, time; began = time.process_time_ns(); import {}; print(time.process_time_ns() - began)"
    found = {}
    for module in ["asyncio", "hashlib", "urllib.request", "numpy"]:
        done = subprocess.run([sys.executable, "-c", say.format(module)], capture_output=True)
        if done.returncode == 0:
            found[module] = int(done.stdout)
    return found


def streams():
    """What a connection takes an event loop: CPU time of its thread to open one to this machine, and to close it."""
    import asyncio
    import socket

    count = 200

    async def opened_and_closed(port):
        # The first loads what all need.
        _, first = await asyncio.open_connection("127.0.0.1", port)
        held = []
        began = time.thread_time_ns()
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            held.append(writer)
        opened = time.thread_time_ns()
        for writer in held:
            writer.close()
            await writer.wait_closed()
        closed = time.thread_time_ns()
        first.close()
        return {"open": (opened - began) // count, "close": (closed - opened) // count}

    # The kernel answers; nobody need accept what fits into its queue.
    with socket.create_server(("127.0.0.1", 0), backlog=2 * count) as listener:
        return asyncio.run(opened_and_closed(listener.getsockname()[1]))


def main():
    import json
    import platform

    if platform.python_implementation() != "CPython":
        sys.exit(f"{platform.python_implementation()} is not CPython")
    # The first of this process, which loads what it needs. Its threads have ended before anything else is forked.
    first_pool = process("fork")
    # Started with the first worker that needs it, and part of no other's price.
    rows = {"tracker": tracker()}
    # Before there is any thread beside this one, and before a sub-interpreter, beside which a fork is unsafe.
    rows.update(bare=bare(), pool=first_pool, fork=process("fork"), spawn=process("spawn"))
    rows["forkserver_cold"] = process("forkserver")
    rows["forkserver"] = process("forkserver")
    rows["imports"] = imports()
    rows["streams"] = streams()
    thread()
    rows["thread"] = thread()
    try:
        rows["subinterpreter"] = subinterpreter()
    except ImportError:  # before 3.14
        pass
    print(json.dumps({"python": platform.python_version(), "rows": rows}))


if __name__ == "__main__":
    if sys.version_info < (3, 8):
        sys.exit("Python 3.8 or later is needed")
    main()
