def work():
    total = 0
    for i in range(1000):
        total += i**2
    return total
# ---
def work():
    a, b = 0, 1
    for _ in range(200):
        a, b = b, a + b
    return a
# ---
def work():
    a, (b, c), [d, e] = 1, (2, 3), 'xy'
    a, b = b, a
    x = y = [1]
    x.append(2)
    return a, b, c, d, e, y
# ---
def work():
    a, b = 1
# ---
def work():
    a, b = 1, 2, 3
# ---
def work():
    a, b, c = [1, 2]
# ---
def work():
    return a
    a = 1
# ---
def work():
    for i in []:
        pass
    return i
# ---
x = 1
def work():
    x += 1
# ---
counter = 0
def bump():
    global counter
    counter += 1
def work():
    for i in range(10):
        bump()
    return counter
# ---
def work(n=0):
    return work(n + 1)
# ---
def depth(n):
    if n == 0:
        return 0
    return 1 + depth(n - 1)
def work():
    return depth(800)
# ---
def a(n):
    return b(n)
def b(n):
    x = [1, 2]
    return x[
        n
    ]
def work():
    return a(5)
# ---
def work():
    out = []
    for i in range(10):
        if i == 2:
            continue
        if i == 5:
            break
        out.append(i)
    else:
        out.append('else')
    for i in range(2):
        out.append(i)
    else:
        out.append('else')
    while out:
        if out.pop() == 3:
            break
    else:
        out.append('never')
    return out
# ---
def work():
    l = [1, 2, 3]
    for x in l:
        if len(l) < 6:
            l.append(x * 10)
    return l
# ---
def work():
    d = {'a': 1}
    for k in d:
        d[k + 'b'] = 1
# ---
def work():
    out = []
    for c in 'héy':
        out.append(c)
    for k in {'x': 1, 'y': 2}:
        out.append(k)
    for a, b in [(1, 2), (3, 4)]:
        out.append(a * b)
    for i, (x, y) in enumerate(zip('ab', [1, 2])):
        out.append((i, x, y))
    return out
# ---
def work():
    l = [[0] * 3 for i in range(2)]
    l[0][1] = 5
    l[1][-1] += 7
    l[0], l[1] = l[1], l[0]
    m = [1, 2, 3, 4, 5]
    m[1:3] = [9]
    del m[0]
    m[::2] = ['a', 'b']
    d = {}
    d['x'] = 1
    d['x'] += 1
    del d['x']
    return l, m, d
# ---
def work():
    l = (1, 2)
    l[0] = 1
# ---
def work():
    l = [1]
    l[3] = 1
# ---
def work():
    s = 'abc'
    s[0] = 'x'
# ---
def work():
    a = [1]
    b = a
    a += [2]
    a = a + [3]
    a *= 2
    t = (1,)
    u = t
    t += (2,)
    return a, b, t, u
# ---
def f(x):
    try:
        if x == 0:
            return 1 // 0
        if x == 1:
            return [][0]
        if x == 2:
            return 'fine'
        raise ValueError('three', x)
    except ZeroDivisionError as error:
        return 'zero: ' + str(error)
    except (IndexError, KeyError):
        return 'index'
    finally:
        log.append(x)
log = []
def work():
    out = []
    for i in range(3):
        out.append(f(i))
    try:
        f(3)
    except Exception as e:
        out.append(repr(e))
        out.append(e.args)
    else:
        out.append('else')
    return out, log
# ---
def work():
    try:
        1 // 0
    except ZeroDivisionError:
        raise
# ---
def work():
    try:
        1 // 0
    finally:
        [][0]
# ---
def work():
    for i in range(3):
        try:
            continue
        finally:
            if i == 1:
                break
    return i
# ---
def f():
    try:
        return 'try'
    finally:
        return 'finally'
def work():
    return f()
# ---
def work():
    raise ValueError
# ---
def work():
    raise KeyError('k')
# ---
def work():
    raise 5
# ---
def work():
    x = 3
    assert x == 3
    assert x == 4, f'x is {x}'
# ---
def work():
    assert False
# ---
import threading
lock = threading.Lock()
def f(x):
    with lock:
        if x == 0:
            return 'returned'
        for i in range(3):
            with threading.Lock():
                if i == 1:
                    break
        if x == 1:
            raise ValueError('inside')
    return i
def work():
    out = [f(0), lock.locked()]
    try:
        f(1)
    except ValueError as e:
        out.append(str(e))
    out.append(lock.locked())
    out.append(f(2))
    return out
# ---
def work():
    with 5:
        pass
# ---
from math import sqrt as root, pi
import math as m
def work():
    return root(4), round(pi, 3), m.floor(1.5)
# ---
import queue
def work():
    q = queue.Queue(2)
    q.put(1)
    q.put(2)
    out = [q.full(), q.qsize()]
    try:
        q.put(3, block=False)
    except queue.Full:
        out.append('full')
    out.append(q.get())
    q.task_done()
    out.append(q.get_nowait())
    try:
        q.get(timeout=0.01)
    except queue.Empty:
        out.append('empty')
    return out, q.empty()
# ---
"""A docstring."""
def f(a: int, b: float = 2.0) -> float:
    """Another."""
    c: int = 3
    d: str
    return a * b + c
if __name__ == '__main__':
    print('not here')
LIMIT = 10
def work():
    'x'
    return f(LIMIT)
# ---
def f(a, b=1, c=2):
    return a, b, c
def work():
    x = f
    return x(1), x(1, c=5), [g(3) for g in [f, abs]]
# ---
def f(a, /, b, *, c):
    return a, b, c
def work():
    return f(1, b=2, c=3), f(1, 2, c=3)
# ---
def f(a, /, b):
    return a
def work():
    return f(a=1, b=2)
# ---
def f(a, *, c):
    return a
def work():
    return f(1)
# ---
def f(l=[]):
    l.append(1)
    return len(l)
def work():
    return f(), f(), f([])
# ---
def is_prime(n):
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True
def work():
    return [n for n in range(60) if is_prime(n)]
# ---
def work():
    flags = [True] * 100
    for i in range(2, 10):
        if flags[i]:
            for j in range(i * i, 100, i):
                flags[j] = False
    return [i for i in range(2, 100) if flags[i]]
# ---
def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps
def work():
    return max((collatz(n), n) for n in range(1, 200))
# ---
def work():
    counts = {}
    for word in 'the cat the dog the end'.split():
        counts[word] = counts.get(word, 0) + 1
    return counts, sorted(counts.items())
# ---
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def work():
    return fib(15)
# ---
def work():
    i = 10
    squares = [i * i for i in range(3)]
    return i, squares, [[j for j in range(i)] for i in range(3)]
# ---
def work():
    x = 1
    del x
    return x
# ---
def work():
    try:
        raise ValueError('a')
    except ValueError as e:
        pass
    return e
# ---
def work():
    a = [1, 2]
    a.append(a)
    return a
# ---
def matrix(n):
    a = [[i * n + j for j in range(n)] for i in range(n)]
    b = [[(i == j) * 2 for j in range(n)] for i in range(n)]
    return [[sum(a[i][k] * b[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
def work():
    return matrix(3)
# ---
def work():
    x = 0.0
    for i in range(1, 100):
        x += 1 / i
    y = 1
    for i in range(1, 30):
        y *= i
    return x, y
# ---
def work():
    e = enumerate('abc')
    out = []
    for i, c in e:
        out.append(c)
        if i == 1:
            break
    for i, c in e:
        out.append(i)
    return out
# ---
def work():
    n = 27
    return (n
            // 0)
# ---
def g():
    try:
        return h()
    except KeyError:
        return 1
def h():
    raise NotImplementedError('later')
def work():
    return g()
# ---
def work():
    total = 2**63 - 3
    for i in range(6):
        total += i
    for i in range(6):
        total -= i * 2
    other = total = 2**70
    total += 1
    total += 2**70
    total -= 2**71
    return total, other
# ---
def work():
    total = -(2**64)
    seen = []
    for i in range(3):
        total += 2**63
        seen.append(total)
    for i in range(3):
        total -= 2**62
        total = total + total
        seen.append(total)
    return seen
# ---
def work():
    total = 2**64
    try:
        total += 'a'
    except TypeError as e:
        return total, str(e)
# ---
def work():
    total = 2**64
    total += 0.5
    total -= True
    return total
# ---
import queue
def work():
    q = queue.LifoQueue()
    for i in [3, 1, 2]:
        q.put(i)
    return [q.get(), q.qsize(), q.get(), q.get(), q.empty()]
# ---
import queue
def work():
    q = queue.PriorityQueue(4)
    for i in [(3, 'a'), (1, 'b'), (2, 'c'), (1, 'a')]:
        q.put(i)
    return [q.full()] + [q.get() for i in range(4)]
# ---
import queue
def work():
    q = queue.PriorityQueue()
    q.put(1)
    q.put('a')
# ---
import zlib
def work():
    data = b'hello' * 1000
    packed = zlib.compress(data, 9)
    return len(packed) < 100, zlib.decompress(packed) == data, zlib.crc32(data), zlib.crc32(b'')
# ---
import zlib
def work():
    return zlib.compress('text')
# ---
import zlib
def work():
    try:
        zlib.decompress(b'nonsense')
    except zlib.error as e:
        return str(e)
# ---
import zlib
def work():
    try:
        zlib.compress(b'a', 11)
    except zlib.error as e:
        return str(e)
# ---
import zlib
def work():
    return zlib.decompress(zlib.compress(b'abcdef' * 100)[:5])
# ---
import numpy
def work():
    a = numpy.ones((2, 3))
    b = numpy.full((3, 4), 2.5)
    return float(numpy.dot(a, b).sum()), float(a.dot(b).sum()), float(numpy.zeros((2, 2)).sum())
# ---
import numpy
def work():
    try:
        numpy.dot(numpy.ones((2, 3)), numpy.ones((2, 3)))
    except ValueError as e:
        return str(e)
# ---
def a(n):
    while n < 5:
        n += 1
        try:
            return 1
        finally:
            continue
    return n
def b(r):
    for i in range(3):
        try:
            r.append(i)
            return 1
        finally:
            continue
    return r
def c(r):
    for i in range(3):
        try:
            for j in range(3):
                try:
                    return r
                finally:
                    r.append((i, j))
                    if j == 1:
                        break
        finally:
            r.append(i)
            if i < 2:
                continue
    return 'end', r
def d():
    for i in 'ab':
        for j in 'cd':
            try:
                return i + j
            finally:
                for k in 'ef':
                    try:
                        break
                    finally:
                        continue
                else:
                    continue
                break
def work():
    return a(0), b([]), c([]), d()
# ---
import threading
lock = threading.Lock()
def f(out):
    for i in range(3):
        with lock:
            try:
                for j in range(2):
                    try:
                        return j
                    finally:
                        out.append(lock.locked())
                        raise ValueError(i, j)
            except ValueError as error:
                out.append(error.args)
                if i < 2:
                    continue
                return out, i
def work():
    return f([]), lock.locked()
# ---
def work():
    out = []
    for make in range(9):
        try:
            if make == 0:
                {}['k']
            if make == 1:
                {}[(1, 'a')]
            if make == 2:
                1 // 0
            if make == 3:
                [][1]
            if make == 4:
                int('x')
            if make == 5:
                nobody
            if make == 6:
                b'\xff'.decode()
            if make == 7:
                1 + 'a'
            if make == 8:
                a, b = 1, 2, 3
        except Exception as error:
            out.append((repr(error), error.args, str(error)))
    return out
# ---
def work():
    for i in range(2):
        try:
            1 // 0
        except ZeroDivisionError as e:
            break
    return e
# ---
def work():
    for i in range(2):
        try:
            1 // 0
        except ZeroDivisionError as e:
            continue
    return e
# ---
def work():
    try:
        try:
            1 // 0
        except ZeroDivisionError as e:
            raise ValueError('second')
    except ValueError as f:
        return str(f), e
# ---
e = 'before'
def g():
    global e
    try:
        1 // 0
    except ZeroDivisionError as e:
        return 'left'
def work():
    return g(), e
# ---
def again():
    raise
def work():
    out = []
    try:
        try:
            1 // 0
        except ZeroDivisionError as e:
            first = e
            again()
    except ZeroDivisionError as f:
        out.append((f is first, f == first, str(f)))
        try:
            raise f
        except Exception as g:
            out.append((g is f, g in [first]))
        try:
            again()
        except Exception as g:
            out.append(g is first)
    try:
        again()
    except RuntimeError as e:
        out.append(str(e))
    return out
# ---
def again():
    raise
def work():
    try:
        try:
            1 // 0
        finally:
            again()
    except ZeroDivisionError as e:
        pass
    try:
        try:
            [][0]
        except IndexError:
            try:
                {}['x']
            except KeyError:
                pass
            raise
    except LookupError as e:
        return repr(e)
# ---
def left():
    try:
        try:
            1 // 0
        except ZeroDivisionError:
            return 1
    finally:
        raise
def work():
    try:
        left()
    except RuntimeError as e:
        return str(e)
# ---
def fails():
    try:
        1 // 0
    except ZeroDivisionError:
        raise ValueError('x')
def work():
    try:
        fails()
    except ValueError:
        pass
    try:
        fails()
    except (ValueError, nobody):
        raise
# ---
def f(r):
    try:
        r.append([][0])
        for i in range(2):
            return 1
        return 2
    except IndexError:
        return 'caught'
def work():
    return f([])
