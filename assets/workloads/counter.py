# /// gilscope
# title = "shared counter"
# bound = "cpu"
# watch = "Since 3.10 the lock changes hands only at jumps back and calls, so this loop loses nothing; under --rules 3.9 it does."
# [arguments.n]
# help = "how often to add one"
# default = 1000000
# min = 1
# max = 1000000000000
# size = true
# ///

counter = 0
counted = []


def work(n):
    global counter
    for i in range(n):
        counter += 1
    counted.append(n)
    return n


def outcome():
    return {"expected": sum(counted), "actual": counter}
