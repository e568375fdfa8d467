#!/usr/bin/env python3
"""Measures what BENCHMARKS.md reports, on this machine: the miniature beside the CPythons found here.

    cargo build --release && python3 benches/measure.py [SECTION ...]

Everything that is compared is interleaved in one run, and ratios come first: a machine's mood changes, and both sides of a
ratio share it. Sections: threads processes hold loop recording interface start (all of them unless said otherwise).
"""
import glob, json, os, re, shutil, signal, statistics, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("GILSCOPE", os.path.join(HERE, "target", "release", "gilscope"))
median = statistics.median


def pythons():
    """Every CPython of 3.9 or later found by pyenv and on PATH, by version."""
    found = {}
    paths = glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))
    paths += [path for path in (shutil.which(f"python3.{minor}") for minor in range(9, 20)) if path]
    paths += [path for path in [shutil.which("python3")] if path]
    for path in paths:
        try:
            version = subprocess.run([path, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
                                     capture_output=True, text=True, timeout=20).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            continue
        if version and tuple(map(int, version.split(".")[:2])) >= (3, 9):
            found.setdefault(version, path)
    return dict(sorted(found.items(), key=lambda item: tuple(map(int, item[0].split(".")))))


def run(*args):
    """One run of the miniature; its report."""
    done = subprocess.run([PROGRAM, "run", *args, "--json"], capture_output=True, text=True, env={**os.environ})
    if done.returncode:
        sys.exit(f"{args}: {done.stderr}")
    return json.loads(done.stdout)


def elapsed(*args):
    return run(*args)["elapsed_ns"]


def spread(values):
    return f"{median(values):.3f} [{min(values):.3f}–{max(values):.3f}]"


def threads():
    ratios = []
    for _ in range(15):
        one = elapsed("sum-squares", "-m", "sequential", "--tasks", "2", "--arg", "n=20000000")
        two = elapsed("sum-squares", "-m", "threads", "-n", "2", "--arg", "n=20000000")
        ratios.append(two / one)
    print(f"threads: 2 threads / one at a time, sum-squares n=2·10^7: {spread(ratios)} (wanted: 0.95–1.10)")


def processes():
    n = "n=20000000"
    got, best = [], []
    for _ in range(7):
        one = elapsed("sum-squares", "-m", "sequential", "--tasks", "2", "--arg", n)
        pair = [subprocess.Popen([PROGRAM, "run", "sum-squares", "-m", "sequential", "--tasks", "1", "--arg", n, "--json"],
                                 stdout=subprocess.PIPE) for _ in range(2)]
        side = max(json.loads(child.communicate()[0])["elapsed_ns"] for child in pair)
        two = elapsed("sum-squares", "-m", "processes", "-n", "2", "--arg", n)
        got.append(one / two)
        best.append(one / side)
    share = [a / b for a, b in zip(got, best)]
    print(f"processes: speed-up {spread(got)}; two runs side by side {spread(best)}; share {spread(share)} (wanted: ≥ 0.95)")


HOLDS = r'''
import sys, threading, time
clock, stamps, end = time.perf_counter_ns, [[], []], time.perf_counter() + 3
def spin(mine):
    note, now = mine.append, time.perf_counter
    last = first = clock()
    while now() < end:
        for _ in range(100): pass
        t = clock()
        if t - last > 1_000_000:
            note((first, last)); first = t
        last = t
workers = [threading.Thread(target=spin, args=(mine,)) for mine in stamps]
for w in workers: w.start()
for w in workers: w.join()
holds = sorted(b - a for mine in stamps for a, b in mine[1:-1] if b > a)
print(holds[len(holds) // 2], len(holds) / 3)
'''


def hold():
    ours, theirs = {"p50": [], "rate": []}, {}
    candidates = {v: p for v, p in pythons().items() if v.startswith(("3.11", "3.12", "3.13"))}
    for _ in range(5):
        report = run("count", "-m", "threads", "-n", "2", "--arg", "n=150000000")
        lock = report["locks"][0]
        ours["p50"].append(lock["hold_ns"]["p50"] / 1e6)
        ours["rate"].append(lock["handoffs"] / (report["elapsed_ns"] / 1e9))
        for version, path in candidates.items():
            p50, rate = subprocess.run([path, "-c", HOLDS], capture_output=True, text=True).stdout.split()
            theirs.setdefault(version, {"p50": [], "rate": []})
            theirs[version]["p50"].append(int(p50) / 1e6)
            theirs[version]["rate"].append(float(rate))
    print(f"hold: miniature, 2 threads at 5 ms: p50 {spread(ours['p50'])} ms, {spread(ours['rate'])} hand-offs/s")
    for version, figures in theirs.items():
        ratio = median(ours["p50"]) / median(figures["p50"])
        print(f"hold: CPython {version}: p50 {spread(figures['p50'])} ms, {spread(figures['rate'])} hand-offs/s; "
              f"miniature / it {ratio:.3f} (wanted: 0.95–1.05)")


LOOP = "import time\ndef work(n):\n    total = 0\n    for i in range(n):\n        total += i**2\n    return total\n" \
       "work(1000)\nt = time.perf_counter_ns(); work(1000000); print(time.perf_counter_ns() - t)"


def loop():
    found = pythons()
    ours, theirs = [], {version: [] for version in found}
    for _ in range(9):
        ours.append(elapsed("sum-squares", "-m", "sequential", "--tasks", "1", "--arg", "n=1000000") / 1e6)
        for version, path in found.items():
            theirs[version].append(int(subprocess.run([path, "-c", LOOP], capture_output=True, text=True).stdout) / 1e6)
    print(f"loop: miniature, a million `total += i**2`: {spread(ours)} ns an iteration")
    for version, times in theirs.items():
        print(f"loop: CPython {version}: {spread(times)} ns an iteration; miniature / it {median(ours) / median(times):.3f}")
    print(f"loop: miniature / the fastest: {median(ours) / min(median(times) for times in theirs.values()):.3f} (wanted: ≤ 1)")


def recording():
    pairs = []
    for index in range(40):
        both = {}
        for off in ([0, 1] if index % 2 else [1, 0]):
            args = ["mixed", "-m", "threads", "-n", "2", "--arg", "n=100000", "--arg", "rounds=20"]
            args += ["--no-recording"] if off else []
            report = run(*args)
            both[off] = report["elapsed_ns"]
            if not off:
                events, cpu = report["events"]["recorded"], sum(lane["on_cpu_ns"] or 0 for lane in report["lanes"])
        pairs.append(both[0] / both[1])
    pairs.sort()
    print(f"recording: on / off, 40 interleaved pairs: median {median(pairs):.4f}, middle half {pairs[10]:.4f}–{pairs[30]:.4f}")
    print(f"recording: {events} events in {cpu / 1e6:.0f} ms of CPU; "
          f"at 100 ns each, which is more than `cargo bench --bench record` shows, {events * 100 / cpu:.5%} (wanted: ≤ 1 %)")


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_terminal(args, size=(120, 36)):
    import fcntl, pty, termios
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(PROGRAM, [PROGRAM, *args])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    os.set_blocking(fd, False)
    return pid, fd


def drain(fd, seconds, until=None):
    seen, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            seen += os.read(fd, 1 << 16)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
        if until and until in seen:
            return seen
    return seen


def interface():
    pid, fd = in_terminal(["lab", "-w", "sum-squares", "-m", "threads", "-n", "4", "--run"])
    drain(fd, 20, b"RUNNING")
    drain(fd, 0.3)
    busy, wall = cpu_of(pid), time.monotonic()
    drain(fd, 2.2)
    busy, wall = cpu_of(pid) - busy, time.monotonic() - wall
    print(f"interface: 4 threads running: {busy / wall:.1%} of a core (wanted: ≤ 3 %)")
    os.kill(pid, signal.SIGTERM); drain(fd, 1); os.waitpid(pid, 0)
    pid, fd = in_terminal(["lab"])
    drain(fd, 5, b"READY")
    drain(fd, 1)
    busy, wall = cpu_of(pid), time.monotonic()
    drain(fd, 8)
    busy, wall = cpu_of(pid) - busy, time.monotonic() - wall
    print(f"interface: idle: {busy / wall:.2%} of a core (wanted: ≤ 0.5 %)")
    os.kill(pid, signal.SIGTERM); drain(fd, 1); os.waitpid(pid, 0)


def start():
    times = []
    for _ in range(15):
        began = time.monotonic()
        pid, fd = in_terminal(["lab"])
        drain(fd, 5, b"READY")
        times.append((time.monotonic() - began) * 1e3)
        os.kill(pid, signal.SIGTERM); drain(fd, 0.3); os.waitpid(pid, 0)
    print(f"start: to the first frame {spread(times)} ms (wanted: ≤ 50)")


SECTIONS = dict(threads=threads, processes=processes, hold=hold, loop=loop, recording=recording, interface=interface, start=start)
if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        if name not in SECTIONS:
            sys.exit(__doc__)
        SECTIONS[name]()
