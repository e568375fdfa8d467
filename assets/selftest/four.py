# Four threads that compute: each has the lock a quarter of the time.
for number in range(4):
    start(f"computes {number + 1}", compute)
finish()
