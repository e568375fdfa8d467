# /// gilscope
# title = "a fixed amount of work"
# bound = "cpu"
# watch = "The same work cut over ever more tasks: beyond the cores nothing is gained, and switches climb."
# [arguments.n]
# help = "numbers to square, all tasks together"
# default = 2000000
# min = 1
# max = 1000000000000
# size = true
# ///

def work(n, task, tasks):
    total = 0
    for i in range(n * task // tasks, n * (task + 1) // tasks):
        total += i**2
    return total
