# /// gilscope
# title = "primes"
# bound = "cpu"
# watch = "Each number is tested by a function of its own: calls are safe points, too."
# [arguments.n]
# help = "numbers below this are tested"
# default = 100000
# min = 1
# max = 1000000000
# size = true
# ///

def work(n):
    found = 0
    for number in range(2, n):
        if is_prime(number):
            found += 1
    return found


def is_prime(number):
    if number % 2 == 0:
        return number == 2
    divisor = 3
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 2
    return True
