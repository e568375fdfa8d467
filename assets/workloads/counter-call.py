# /// gilscope
# title = "shared counter, a call between"
# bound = "cpu"
# watch = "Between reading and writing there is a call, where the lock may change hands: then an update is lost."
# [arguments.n]
# help = "how often to add one"
# default = 1000000
# min = 1
# max = 1000000000000
# size = true
# ///

counter = 0
counted = []


def add_one(x):
    return x + 1


def work(n):
    global counter
    for i in range(n):
        x = counter
        x = add_one(x)
        counter = x
    counted.append(n)
    return n


def outcome():
    return {"expected": sum(counted), "actual": counter}
