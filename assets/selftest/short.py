# Short waits: whoever comes back finds the lock taken by one who keeps it for a millisecond, and is not always next. C code
# keeps it, asleep: who wants it has a core at once, however busy they are.
import ctypes

hold = ctypes.PyDLL(None).usleep


def pause():
    time.sleep(0.0002)


PAUSE, HELD = lasts(pause), lasts(lambda: hold(1000))


def short():
    late, count = 0.0, 0
    while time.perf_counter() < END:
        before = time.perf_counter()
        pause()
        late += time.perf_counter() - before - PAUSE
        hold(1000)
        count += 1
    # Nobody need see why it slept so long: in its pauses, and while it had the lock.
    return {"late": late, "count": count, "meant": count * (PAUSE + HELD)}


for number in range(3):
    start(f"waits shortly {number + 1}", short)
finish()
