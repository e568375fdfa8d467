# The convoy: one thread computes, and one that wakes from I/O must wait for the lock every time.
import select


def pause():
    select.select([], [], [], 0.005)


PAUSE = lasts(pause)


def io():
    late, count = 0.0, 0
    while time.perf_counter() < END:
        before = time.perf_counter()
        pause()
        late += time.perf_counter() - before - PAUSE
        count += 1
    return {"late": late, "count": count}


start("computes", compute)
start("wakes from I/O", io)
finish()
