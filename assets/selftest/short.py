# Short waits: whoever comes back finds the lock taken by one who keeps it for a while, and is not always next. C code keeps
# it, asleep: who wants it has a core at once, however busy they are. The while is such that the lock changes hands well
# less often than exact observation bears (two writes for each, some 1,250 a second): what is tested is how it sees, not when
# it gives up.
import ctypes

hold = ctypes.PyDLL(None).usleep

KEPT = 1500  # µs


def pause():
    time.sleep(0.0002)


PAUSE, HELD = lasts(pause), lasts(lambda: hold(KEPT))


def short():
    late, count = 0.0, 0
    while time.perf_counter() < END:
        before = time.perf_counter()
        pause()
        late += time.perf_counter() - before - PAUSE
        hold(KEPT)
        count += 1
    # Nobody need see why it slept so long: in its pauses, and while it had the lock.
    return {"late": late, "count": count, "meant": count * (PAUSE + HELD)}


for number in range(3):
    start(f"waits shortly {number + 1}", short)
finish()
