# Two threads that compute: they take turns at the lock.
for number in range(2):
    start(f"computes {number + 1}", compute)
finish()
