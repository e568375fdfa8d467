# C code that releases the lock: on a core, and nobody has to wait for it.
import hashlib

DATA = bytes(8 << 20)


def native():
    inside, count = 0.0, 0
    while time.perf_counter() < END:
        before = time.perf_counter()
        hashlib.sha256(DATA)
        inside += time.perf_counter() - before
        count += 1
    return {"native": inside, "count": count}


start("hashes", native)
finish()
