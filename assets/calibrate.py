# What CPython spends from the order of a worker's birth to the worker's first line, once for each way to make one.
# Prints one JSON object. Each row: from the order to the first line, and how much of that the new thread computed,
# in nanoseconds. The monotonic clock is one for all processes; the CPU clocks of a new process or thread begin at 0.
# Run anew for each repeat, so that a cold forkserver is cold.
import sys
import time

# The first line of this module: in a spawned child, where its interpreter and `multiprocessing` are there.
MODULE = time.process_time_ns()


def in_process(pipe):
    line, cpu = time.monotonic_ns(), time.process_time_ns()
    pipe.send((line, cpu, MODULE, on_cpu_of_parent()))
    pipe.close()


def on_cpu_of_parent():
    import os

    try:
        with open(f"/proc/{os.getppid()}/schedstat") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def process(method):
    import multiprocessing

    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=in_process, args=(theirs,))
    ordered = time.monotonic_ns()
    worker.start()
    line, cpu, module, parent = ours.recv()
    worker.join()
    return {"elapsed": line - ordered, "cpu": cpu, "module": module, "parent": parent}


def thread():
    import threading

    seen = []
    worker = threading.Thread(target=lambda: seen.append((time.monotonic_ns(), time.thread_time_ns())))
    ordered = time.monotonic_ns()
    worker.start()
    worker.join()
    return {"elapsed": seen[0][0] - ordered, "cpu": seen[0][1]}


def subinterpreter():
    import os
    import threading
    from concurrent import interpreters

    reader, writer = os.pipe()
    code = f"import os, time; os.write({writer}, f'{{time.monotonic_ns()}} {{time.thread_time_ns()}}'.encode())"

    def live():
        interpreter = interpreters.create()
        interpreter.exec(code)
        interpreter.close()

    worker = threading.Thread(target=live)
    ordered = time.monotonic_ns()
    worker.start()
    worker.join()
    os.close(writer)
    line, cpu = os.read(reader, 100).split()
    return {"elapsed": int(line) - ordered, "cpu": int(cpu)}


def bare():
    import subprocess

    say = "import time; cpu = time.process_time_ns(); print(cpu)"
    return int(subprocess.run([sys.executable, "-c", say], check=True, capture_output=True).stdout)


def main():
    import json
    import platform
    from multiprocessing import resource_tracker

    if platform.python_implementation() != "CPython":
        sys.exit(f"{platform.python_implementation()} is not CPython")
    # Started with the first worker that needs it, and part of no other's price.
    resource_tracker.ensure_running()
    # Before there is any thread beside this one, and before a sub-interpreter, beside which a fork is unsafe.
    rows = {"bare": bare(), "fork": process("fork"), "spawn": process("spawn")}
    rows["forkserver_cold"] = process("forkserver")
    rows["forkserver"] = process("forkserver")
    thread()
    rows["thread"] = thread()
    try:
        from concurrent import interpreters
    except ImportError:
        pass
    else:
        rows["subinterpreter"] = subinterpreter()
    print(json.dumps({"python": platform.python_version(), "rows": rows}))


if __name__ == "__main__":
    if sys.version_info < (3, 8):
        sys.exit("Python 3.8 or later is needed")
    main()
