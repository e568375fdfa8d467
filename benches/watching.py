#!/usr/bin/env python3
"""What observing a real CPython sees and costs: the figures of BENCHMARKS.md, on this machine.

    cargo build --release && python3 benches/watching.py [SECTION ...]

Sections: exact cost turns retake many fidelity (all of them unless said otherwise). PYTHONS=path:path adds interpreters to those found;
PAIRS=20 is how many times a program runs alone and watched; TURNS=24 and TURN=2 how many turns of how many seconds `turns` takes.
"""
import json, os, random, statistics, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import PROGRAM, pythons, run, spread

median = statistics.median

SPIN = """
import sys, threading, time
count, seconds = int(sys.argv[1]), float(sys.argv[2])
end, done = time.perf_counter() + seconds, [0] * count
def spin(index):
    mine, now = 0, time.perf_counter
    while now() < end:
        for _ in range(1000): mine += 1
    done[index] = mine
threads = [threading.Thread(target=spin, args=(index,)) for index in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(done), time.process_time())
"""

# Threads that compute; twenty times a second it says when it is and how much all of them have done.
METER = """
import sys, threading, time
count, done = int(sys.argv[1]), [0] * int(sys.argv[1])
def spin(index):
    mine = 0
    while True:
        for _ in range(1000): mine += 1
        done[index] = mine
for index in range(count): threading.Thread(target=spin, args=(index,), daemon=True).start()
while True:
    time.sleep(0.05)
    print(time.monotonic(), sum(done), flush=True)
"""

# Drops and retakes the lock as fast as it can, and says how often it did so in each tenth of a second.
RETAKE = """
import os, sys, time
fd, seconds = os.open("/dev/zero", os.O_RDONLY), float(sys.argv[1])
begin, tenths, count, read, now = time.perf_counter(), [], 0, os.read, time.perf_counter
while now() < begin + seconds:
    mark = now() + 0.1
    count = 0
    while now() < mark:
        read(fd, 1); count += 1
    tenths.append(count)
print(*tenths)
"""

MANY = """
import subprocess, sys, threading, time
def short(): sum(range(2000)); time.sleep(0.01)
threads = [threading.Thread(target=short) for _ in range(200)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for _ in range(50): subprocess.run([sys.executable, "-c", "pass"])
"""


def all_pythons():
    found = pythons()
    for path in os.environ.get("PYTHONS", "").split(":"):
        if path:
            said = subprocess.run([path, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], capture_output=True, text=True)
            found[said.stdout.strip()] = path
    return found


def script(text):
    # In /tmp, where interpreters in a chroot find it too.
    file = tempfile.NamedTemporaryFile("w", suffix=".py", dir="/tmp", delete=False)
    file.write(text)
    file.close()
    return file.name


def watched(python, file, *args):
    done = subprocess.run([PROGRAM, "watch", "--json", "--python", python, file, *args], capture_output=True, text=True)
    return json.loads(done.stdout)


def exact(seconds="10"):
    file = script(SPIN)
    for version, python in all_pythons().items():
        for threads in ("2", "4"):
            report = watched(python, file, threads, seconds)
            locks = {lock["lock"]: lock for lock in report["observer"]["locks"]}
            for lock in report["locks"]:
                seen = locks[lock["id"]]
                share = seen["handoffs_seen"] / max(seen["switch_number"], 1)
                print(f"exact: {version}, {threads} threads: {report['observer']['engine']}; hand-offs seen {seen['handoffs_seen']} of "
                      f"{seen['switch_number']} ({share:.4f}); missed {report['observer']['missed']}, lost "
                      f"{report['observer']['records_lost']}; hold p50 {lock['hold_ns']['p50'] / 1e6:.3f}, p95 "
                      f"{lock['hold_ns']['p95'] / 1e6:.3f} ms; own CPU {report['observer']['own_cpu']:.2%}; "
                      f"first event after {(report['observer']['first_event_ns'] or 0) / 1e6:.0f} ms", flush=True)
    os.unlink(file)


def cost():
    file = script(SPIN)
    for version, python in list(all_pythons().items())[-1:]:
        own, done = [], {True: [], False: []}
        # In turn, and each first as often as second: what else the machine does falls on both alike.
        for pair in range(int(os.environ.get("PAIRS", "20"))):
            for watches in ((False, True) if pair % 2 else (True, False)):
                if watches:
                    report = watched(python, file, "4", "2")
                    said = report["output"]
                    own.append(report["observer"]["own_cpu"])
                else:
                    said = subprocess.run([python, file, "4", "2"], capture_output=True, text=True).stdout
                done[watches].append([float(word) for word in said.split()[-2:]])
        pairs = list(zip(done[True], done[False]))
        print(f"cost: {version}, 4 threads, {len(pairs)} pairs: work watched / alone {quartiles([a[0] / b[0] for a, b in pairs])} "
              f"(wanted: ≥ 0.99); work a second on a core {quartiles([a[0] / a[1] / (b[0] / b[1]) for a, b in pairs])}; "
              f"own CPU {median(own):.2%} (≤ 1.5 %)")
        attached = []
        for _ in range(9):
            program = subprocess.Popen([python, file, "2", "3"], stdout=subprocess.DEVNULL)
            time.sleep(0.5)
            done = subprocess.run([PROGRAM, "attach", str(program.pid), "--for", "500ms", "--json"], capture_output=True, text=True)
            program.kill(); program.wait()
            attached.append(json.loads(done.stdout)["observer"]["first_event_ns"] / 1e6)
        print(f"cost: attach to first event {spread(attached)} ms (wanted: ≤ 50)")
    os.unlink(file)


def turns(rounds=int(os.environ.get("TURNS", "24")), seconds=float(os.environ.get("TURN", "2"))):
    """One process, attached to and left by turns: what differs between two processes, or drifts in seconds, is not in it."""
    file = script(METER)
    for version, python in list(all_pythons().items())[-1:]:
        # To a file: nobody reads meanwhile, and a pipe would be full after a minute and a half.
        output = tempfile.TemporaryFile("w+")
        program = subprocess.Popen([python, file, "4"], stdout=output)
        time.sleep(1)
        spans = []
        for turn in range(2 * rounds):
            if turn % 2:
                begin = time.monotonic()
                subprocess.run([PROGRAM, "attach", str(program.pid), "--for", f"{seconds * 1000:.0f}ms", "--json"], stdout=subprocess.DEVNULL)
                spans.append((begin + 0.1, begin + seconds))
            else:
                begin = time.monotonic()
                time.sleep(seconds)
                spans.append((begin + 0.1, begin + seconds))
        program.kill()
        program.wait()
        output.seek(0)
        said = [tuple(map(float, line.split())) for line in output if len(line.split()) == 2]
        rates = []
        for begin, end in spans:
            inside = [it for it in said if begin <= it[0] <= end]
            rates.append((inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]))
        # Each turn that was watched beside the two that were not.
        ratios = [2 * rates[at] / (rates[at - 1] + rates[at + 1]) for at in range(1, len(rates) - 1, 2)]
        print(f"turns: {version}, 4 threads, {len(ratios)} times: work a second attached to / left alone {quartiles(ratios)}; "
              f"the median itself {surely(ratios)} (wanted: ≥ 0.99)")
    os.unlink(file)


def surely(values, times=2000):
    """Where the median lies in 95 of 100 such measurements, by drawing from these values again and again."""
    medians = sorted(median(random.choices(values, k=len(values))) for _ in range(times))
    return f"{medians[times // 40]:.4f}–{medians[-times // 40]:.4f}"


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.4f}, half of them within {low:.4f}–{high:.4f}"


def retake():
    file = script(RETAKE)
    for version, python in list(all_pythons().items())[-1:]:
        alone, seen = [], []
        for _ in range(3):
            alone.append(median(map(int, subprocess.run([python, file, "4"], capture_output=True, text=True).stdout.split())))
            report = watched(python, file, "4")
            tenths = list(map(int, report["output"].split()))
            seen.append(median(tenths[len(tenths) // 2:]))
        status = report["observer"]
        print(f"retake: {version}: {median(alone) * 10:.0f} retakes a second alone; watched / alone, second half "
              f"{spread([b / a for a, b in zip(alone, seen)])} (wanted: ≥ 0.90); first tenths {tenths[:6]}; engine {status['engine']}, "
              f"trips {status['guard_trips']}, sampled {status['samples_per_second']:.0f}/s, own CPU {status['own_cpu']:.2%} (≤ 3 %)")
    os.unlink(file)


def many():
    file = script(MANY)
    for version, python in list(all_pythons().items())[-1:]:
        report = watched(python, file)
        ends = [lane["end"] for lane in report["lanes"]]
        print(f"many: {version}: {len(report['lanes'])} lanes, {len(report['locks'])} locks, not ended {ends.count(None)}, "
              f"ends {sorted(set(map(str, ends)))}, exit status {report['exit_status']}, missed {report['observer']['missed']}")
    os.unlink(file)


FIDELITY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "fidelity")


def fidelity(rounds=3):
    """The miniature and each CPython in turn: how long the lock is held, how often it changes hands, and how long one who
    wakes up waits behind one who computes."""
    sections = [("spin.py", "2", 150), ("spin.py", "4", 150), ("convoy.py", "2", 100)]
    for file, threads, n in sections:
        path, script, ours, theirs = os.path.join(FIDELITY, file), os.path.join(FIDELITY, "threads.py"), [], {}
        for _ in range(rounds):
            ours.append(figures(run(path, "-m", "threads", "-n", threads, "--tasks", threads, "--arg", f"n={n}", "--bare")))
            for version, python in all_pythons().items():
                theirs.setdefault(version, []).append(figures(attached(python, script, path, threads)))
        names = ["wait"] if file == "convoy.py" else ["p50", "p95", "rate"]
        for version, each in theirs.items():
            parts = []
            for name in names:
                a, b = median(it[name] for it in ours), median(it[name] for it in each)
                parts.append(f"{name} {a:.2f} / {b:.2f} = {a / b:.3f} [{min(it[name] / b for it in ours):.3f}–{max(it[name] / b for it in ours):.3f}]")
            print(f"fidelity: {file}, {threads} threads, miniature / CPython {version}: {'; '.join(parts)}", flush=True)


def attached(python, *args):
    """Seen from when its threads run: what an interpreter does to start is no turn."""
    program = subprocess.Popen([python, *args, "6000"], stdout=subprocess.PIPE)
    program.stdout.readline()
    done = subprocess.run([PROGRAM, "attach", str(program.pid), "--for", "1500ms", "--json"], capture_output=True, text=True)
    program.kill()
    program.wait()
    return json.loads(done.stdout)


def figures(report):
    lock = max(report["locks"], key=lambda lock: lock["handoffs"])
    sleeper = max((lane for lane in report["lanes"] if lane["name"] != "main"), key=lambda lane: lane["states_ns"].get("io", 0))["states_ns"]
    # Each sleep is of 10 ms.
    wait = 10 * sleeper.get("waiting_gil", 0) / max(sleeper.get("io", 0), 1)
    return {"p50": lock["hold_ns"]["p50"] / 1e6, "p95": lock["hold_ns"]["p95"] / 1e6,
            "rate": lock["handoffs"] / (report["elapsed_ns"] / 1e9), "wait": wait}


SECTIONS = dict(exact=exact, cost=cost, turns=turns, retake=retake, many=many, fidelity=fidelity)

if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        if name not in SECTIONS:
            sys.exit(__doc__)
        SECTIONS[name]()
