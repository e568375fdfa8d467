# /// gilscope
# title = "count"
# bound = "cpu"
# watch = "Counting needs nothing but the lock: two threads take as long as one after the other."
# [arguments.n]
# help = "how far to count"
# default = 10000000
# min = 1
# max = 1000000000000
# size = true
# ///

def work(n):
    count = 0
    while count < n:
        count += 1
    return count
