# A thread that drops its lock and takes it back at every call: too often to record each.
import os


def retake():
    count = 0
    while time.perf_counter() < END:
        for _ in range(100):
            os.stat("/")
        count += 100
    return {"count": count}


start("retakes", retake)
finish()
