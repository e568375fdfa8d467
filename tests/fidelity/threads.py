"""Runs `work` of a file in so many threads of a real CPython, and says when they run: FILE COUNT N."""
import inspect
import runpy
import sys
import threading

work = runpy.run_path(sys.argv[1])["work"]
count, n = int(sys.argv[2]), int(sys.argv[3])
takes_task = "task" in inspect.signature(work).parameters
threads = [threading.Thread(target=work, args=(task, n) if takes_task else (n,)) for task in range(count)]
for thread in threads:
    thread.start()
print("up", flush=True)
for thread in threads:
    thread.join()
