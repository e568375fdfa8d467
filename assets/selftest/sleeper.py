# A thread that sleeps: it wants neither the lock nor a core.
def sleep():
    asleep, count = 0.0, 0
    while time.perf_counter() < END:
        before = time.perf_counter()
        time.sleep(0.02)
        asleep += time.perf_counter() - before
        count += 1
    return {"asleep": asleep, "count": count}


start("sleeps", sleep)
finish()
