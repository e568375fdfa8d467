# What every known program begins with: its threads measure themselves, and say so in one line at the end.
import json
import sys
import threading
import time

END = time.perf_counter() + float(sys.argv[1])
accounts = []
threads = []


def queued():
    """How long this thread has queued for a core so far, by the kernel's sums."""
    try:
        with open("/proc/thread-self/schedstat") as sums:
            return int(sums.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return None


def lasts(pause):
    """How long that lasts when nobody has the lock: the timer is late. Of some times a quick one: others queued for a core."""
    found = []
    for _ in range(25):
        before = time.perf_counter()
        pause()
        found.append(time.perf_counter() - before)
    return sorted(found)[len(found) // 4]


def start(role, body):
    """Starts a thread that calls `body()`; what that returns is said beside what the thread took."""
    begin = time.perf_counter()

    def work():
        account = {"thread": threading.get_native_id(), **body(), "queued": queued()}
        account["cpu"] = time.thread_time()
        account["wall"] = time.perf_counter() - begin
        accounts.append(account)

    threads.append(threading.Thread(target=work, name=role))
    threads[-1].start()


def finish():
    """Waits for them all, and says what they found."""
    for thread in threads:
        thread.join()
    print(json.dumps({"gilscope_selftest": accounts}), flush=True)


def compute():
    """Computes, and never gives the lock away by itself."""
    rounds = 0
    while time.perf_counter() < END:
        for _ in range(2000):
            rounds += 1
    return {"count": rounds}
