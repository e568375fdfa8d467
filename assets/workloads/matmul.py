# /// gilscope
# title = "matrix product"
# bound = "native"
# watch = "The product is native code that lets the lock go: one thread a core, and the lock stays free."
# [arguments.n]
# help = "how often"
# default = 10
# min = 1
# max = 1000000
# size = true
# [arguments.side]
# help = "rows and columns"
# default = 400
# min = 1
# max = 4000
# ///

import numpy


def work(n, side):
    a = numpy.full((side, side), 0.5)
    b = numpy.full((side, side), 2.0)
    total = 0.0
    for i in range(n):
        total = float(numpy.dot(a, b).sum())
    return total
