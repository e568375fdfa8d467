# /// gilscope
# title = "sum of squares"
# bound = "cpu"
# watch = "Threads take turns on the one lock; processes fill every core."
# [arguments.n]
# help = "numbers to square"
# default = 1000000
# min = 1
# max = 1000000000000
# size = true
# ///

def work(n):
    total = 0
    for i in range(n):
        total += i**2
    return total
