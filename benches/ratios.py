#!/usr/bin/env python3
"""Each workload under each model, as a ratio to one task after another: in the miniature and in a real CPython.

    cargo build --release
    python3 benches/ratios.py [--python PATH] [--free PATH] [--isolated PATH] [--rounds 7] [--target 0.4] [--csv FILE]
                              [--models LIST] [WORKLOAD ...]
    python3 benches/ratios.py --table FILE ...

Both engines do the same tasks, interleaved, round by round. The size of a task is chosen for each engine so that one after
another takes it `--target` seconds; where a workload has no size, or waits for a fixed time, both do the same. What one after
another took in the rounds themselves is looked at again: if the two are more than 5 % apart, or more than 10 % off the target,
the sizes are mended by that and all rounds are done anew, up to twice. A line whose sizes are still not alike says so, and is
not judged. The last column but one is the miniature's ratio over CPython's: 1.00 is agreement. The miniature starts its workers as `gilscope calibrate`
finds that Python to do it, here and now.

`--free` names a free-threaded build, which is then what the miniature's `free-threads` is set beside, with that build's own
sequential run; `--isolated` one of 3.14 or later, the same for `subinterpreters`. Each may be a program that starts one in a
virtual environment or another root: what a Python is to read is copied to a folder of its own under /tmp, so that one which
sees nothing else can be measured as well. `matmul` needs NumPy in each.

`--csv` appends a line a pair to a file. `--table` measures nothing and makes the table in BENCHMARKS.md out of such files; of
several lines about one pair the last counts.
"""
import argparse, contextlib, csv, glob, heapq, json, math, multiprocessing, os, re, resource, selectors, shutil, signal, socket
import statistics, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import HERE, PROGRAM, pythons

MODELS = ["threads", "free-threads", "subinterpreters", "processes:fork", "processes:forkserver", "processes:spawn", "hybrid",
          "coroutines"]
WORKERS, TASKS = 2, 2
FIELDS = ["workload", "model", "python", "startup", "rounds", "target", "base_cpython", "base_miniature", "cpython", "miniature",
          "ratio_cpython", "ratio_miniature", "quotient", "quotient_low", "quotient_high"]
# How far from 1.00 the quotient may be, and where start-up decides.
ROOM, ROOM_AT_START = 0.15, 0.30
# How far apart the two sides may be, one task after another, and how far from the target; how near to it a size is sought.
ALIKE, DRIFT, FOUND = 0.05, 0.10, 0.03
median = statistics.median


class Refused(Exception):
    """This engine does not do that, for the reason told."""


def ran(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **more)


class Miniature:
    """The miniature, with its start-up as that of a Python."""
    name = "miniature"

    def __init__(self, folder, python):
        self.env = {**os.environ, "XDG_CONFIG_HOME": folder}
        done = ran([PROGRAM, "calibrate", "--python", python], env=self.env)
        if done.returncode:
            sys.exit(done.stderr.strip())
        self.startup = None

    def run(self, workload, model, args):
        """How long a run took, in seconds."""
        family, _, start = model.partition(":")
        size = ["-n", "2x2" if family == "hybrid" else str(WORKERS), "--tasks", str(TASKS)]
        args = [word for name, value in args.items() if value is not None for word in ("--arg", f"{name}={value}")]
        done = ran([PROGRAM, "run", workload["id"], "-m", family, *(["--start", start] if start else []), *size, *args, "--json"],
                   env=self.env)
        if done.returncode:
            raise Refused(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
        report = json.loads(done.stdout)
        self.startup = (report["experiment"].get("startup") or {}).get("python", "")
        return report["elapsed_ns"] / 1e9


class CPython:
    """A real one, which finds the driver and the workloads in a folder."""
    name = "CPython"

    def __init__(self, folder, python, server):
        self.folder, self.python, self.server = folder, python, server
        # What is loaded is compiled by then, for the calibration as well.
        ran([python, os.path.join(folder, "calibrate.py")])
        self.version = ran([python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdout.strip()

    def run(self, workload, model, args):
        """The same."""
        family, _, start = model.partition(":")
        kinds = argument_kinds(workload)
        given = {"bytes": lambda value: {"mebibytes": value}, "url": lambda _: f"http://127.0.0.1:{self.server}",
                 "port": lambda _: self.server}
        args = {name: given.get(kinds.get(name), lambda value: value)(value) for name, value in args.items()}
        order = {"file": os.path.join(self.folder, workload["id"] + ".py"), "name": workload["id"], "model": family,
                 "start": start, "workers": 2 * WORKERS if family == "hybrid" else WORKERS, "processes": 2, "tasks": TASKS,
                 "args": args, "switch_interval": None}
        done = ran([self.python, os.path.join(self.folder, "main.py"), json.dumps(order)])
        said = {key: value for line in done.stdout.splitlines() for key, value in json.loads(line).items()}
        if "failed" in said or "ended" not in said:
            raise Refused(said.get("failed") or done.stderr[-200:])
        if "error" in said:
            raise Refused(said["error"])
        return (said["ended"] - said["began"]) / 1e9


def argument_kinds(workload):
    """Which arguments are no plain numbers, as the file's own metadata have it."""
    with open(os.path.join(HERE, "assets", "workloads", workload["id"] + ".py")) as file:
        tables = re.split(r"^# \[arguments\.(\w+)\]$", file.read(), flags=re.MULTILINE)[1:]
    found = {name: re.search(r'^# kind = "(\w+)"$', text, re.MULTILINE) for name, text in zip(tables[::2], tables[1::2])}
    return {name: kind[1] for name, kind in found.items() if kind}


def slow_server():
    """What the workloads of requests are answered by, in a process of its own; its port. The miniature has its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = multiprocessing.get_context("fork").Process(target=answers, args=(listener,), daemon=True)
    server.start()
    return listener.getsockname()[1]


def answers(listener):
    """Takes in whoever comes, at once: one whose connection does not fit into the backlog tries again after a second. So
    nothing is made of a connection before it asks for something."""
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    looked, due = selectors.DefaultSelector(), []
    listener.setblocking(False)
    looked.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in looked.select(max(0, due[0][0] - time.monotonic()) if due else None):
            if key.fileobj is listener:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        connection = listener.accept()[0]
                        connection.setblocking(False)
                        looked.register(connection, selectors.EVENT_READ)
                continue
            try:
                # A request of these workloads is one packet.
                asked = key.fileobj.recv(4096)
            except ConnectionError:
                asked = b""
            looked.unregister(key.fileobj)
            if asked:
                path = asked.split()[1].decode()
                delay = float(path.removeprefix("/delay/")) if path.startswith("/delay/") else 0
                heapq.heappush(due, (time.monotonic() + delay, key.fd, key.fileobj))
            else:
                key.fileobj.close()
        while due and due[0][0] <= time.monotonic():
            connection = heapq.heappop(due)[2]
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            connection.close()


class Size:
    """The arguments of an engine's tasks, and how much it makes of one that the workload scales by."""

    def __init__(self, workload, target):
        self.args = {argument["name"]: argument.get("default") for argument in workload["arguments"]}
        scaled = [argument for argument in workload["arguments"] if argument.get("size")]
        self.by = scaled[0] if scaled and workload["bound"] != "io" else None
        self.target = target if self.by else 0.0
        # Sizes tried, each with what one task after another took.
        self.tried = {}

    def is_off(self, took, most):
        return self.target and abs(took / self.target - 1) > most

    def mend(self, took):
        """Another size, after what this one took: through the last two that were tried, on a scale on which work is a line
        however it grows with its size. False if there is none that is nearer."""
        name = self.by["name"]
        now, power = self.args[name], 1.0
        if self.tried and now not in self.tried:
            last, then = list(self.tried.items())[-1]
            if took != then and abs(math.log(now / last)) > 0.01:
                power = math.log(took / then) / math.log(now / last)
        self.tried[now] = took
        # Not more than tenfold at a time: a first run also pays for what is only paid once.
        factor = (self.target / took) ** (1 / min(4.0, max(0.5, power)))
        self.args[name] = max(round(now * min(10.0, max(0.1, factor))), self.by["min"], 1)
        return self.args[name] not in self.tried

    def nearest(self):
        """Back to the best of those tried."""
        self.args[self.by["name"]] = min(self.tried, key=lambda size: abs(math.log(self.tried[size] / self.target)))

    def find(self, engine, workload):
        """The size with which one task after another takes that engine the target."""
        for _ in range(8 if self.by else 0):
            # The way there takes one run a step; near the target one alone is not believed.
            took = engine.run(workload, "sequential", self.args)
            if 1 / 3 < took / self.target < 3:
                took = median([took, *(engine.run(workload, "sequential", self.args) for _ in range(2))])
            if not self.is_off(took, FOUND):
                return
            if not self.mend(took):
                break
        if self.by:
            self.nearest()


def measured(options, workload, engines, models):
    """The times of each model and engine, and of one after another, from interleaved rounds; none if they cannot do that. What
    is refused is said and left out."""
    times = {which: ([], []) for which in ["sequential", *models]}
    connects = "connections" in argument_kinds(workload).values()
    for _ in range(options.rounds):
        for which in list(times):
            took, refused = [], []
            for engine, size in engines:
                # The port of a connection that was closed is free again after a second, of which the kernel counts whole ones.
                # Before that, thousands of them make the search for a free one take longer than all the rest.
                time.sleep(2 if connects else 0)
                try:
                    took.append(engine.run(workload, which, size.args))
                except Refused as why:
                    refused.append(f"{engine.name}: {why}")
            if refused:
                print(f"{workload['id']:16} {which:21} – {'; '.join(refused)}", flush=True)
                del times[which]
                if which == "sequential":
                    return None
                continue
            for column, seconds in zip(times[which], took):
                column.append(seconds)
    return times if len(times) > 1 else None


def compared(options, workload, real, mini, models):
    """A line for each model."""
    engines = [(engine, Size(workload, options.target)) for engine in (real, mini)]
    try:
        for engine, size in engines:
            size.find(engine, workload)
    except Refused as why:
        print(f"{workload['id']:16} {'':21} – {engine.name}: {why}", flush=True)
        return
    for last in (False, False, True):
        times = measured(options, workload, engines, models)
        if times is None:
            return
        bases = times.pop("sequential")
        base = [median(column) for column in bases]
        models = list(times)
        if last or alike(engines[0][1].target, base):
            break
        # What many rounds say of a size outweighs what the search did.
        off = [(size, took) for (_, size), took in zip(engines, base) if size.is_off(took, FOUND)]
        for size, _ in off:
            size.tried.clear()
        if not any([size.mend(took) for size, took in off]):
            break
    for model, columns in times.items():
        took = [median(column) for column in columns]
        ratio = [seconds / one for seconds, one in zip(took, base)]
        each = sorted(m / mb / (c / cb) for c, m, cb, mb in zip(*columns, *bases))
        yield {"workload": workload["id"], "model": model, "python": real.version, "startup": mini.startup,
               "rounds": options.rounds, "target": engines[0][1].target, "base_cpython": base[0], "base_miniature": base[1], "cpython": took[0],
               "miniature": took[1], "ratio_cpython": ratio[0], "ratio_miniature": ratio[1], "quotient": ratio[1] / ratio[0],
               "quotient_low": each[0], "quotient_high": each[-1]}


def startup_decides(row):
    """Whether starting takes CPython longer than half of the work, which is all that two workers on two cores have to do."""
    paid = row["model"].startswith("processes") or row["model"] in ("hybrid", "subinterpreters")
    return paid and row["cpython"] > row["base_cpython"]


def alike(target, base):
    """Whether the two sizes are, by what one task after another took. Start-up weighs less against more work."""
    apart = max(base) / min(base) - 1 > ALIKE
    return not target or not apart and all(abs(took / target - 1) <= DRIFT for took in base)


def judged(row):
    return alike(row["target"], [row["base_cpython"], row["base_miniature"]])


def misses(row):
    return judged(row) and abs(row["quotient"] - 1) > (ROOM_AT_START if startup_decides(row) else ROOM)


def table(files):
    """Markdown: a line a workload, a column a model; what misses is bold, and what is not judged has both sizes beside it."""
    rows = {}
    for name in files:
        with open(name, newline="") as file:
            for row in csv.DictReader(file):
                # Files of earlier do not know the target.
                rows[row["workload"], row["model"]] = {"target": 0.0} | {
                    name: value if name in ("workload", "model", "python", "startup") else float(value)
                    for name, value in row.items()}
    models = [model for model in MODELS if any(key[1] == model for key in rows)]
    print("| workload |", " | ".join(model.removeprefix("processes:") for model in models), "|")
    print("|---" * (len(models) + 1) + "|")
    for workload in dict.fromkeys(key[0] for key in rows):
        cells = []
        for model in models:
            row = rows.get((workload, model))
            if row is None:
                cells.append("–")
                continue
            quotient = f"{row['quotient']:.2f}"
            quotient = f"**{quotient}**" if misses(row) else quotient
            sizes = "" if judged(row) else f" ({1e3 * row['base_cpython']:.0f}, {1e3 * row['base_miniature']:.0f} ms)"
            cells.append(f"{row['ratio_cpython']:.2f}, {row['ratio_miniature']:.2f}: {quotient}{sizes}")
        print(f"| `{workload}` |", " | ".join(cells), "|")
    missed = [row for row in rows.values() if misses(row)]
    odd = sum(not judged(row) for row in rows.values())
    print(f"\n{len(rows)} pairs, {len(missed)} missed" + (f", {odd} not judged: sizes not alike." if odd else "."))
    for row in missed:
        print(f"{row['workload']} {row['model']}: {row['quotient']:.2f} [{row['quotient_low']:.2f}–{row['quotient_high']:.2f}] "
              f"in {row['rounds']:.0f} rounds; {1e3 * row['cpython']:.1f} of {1e3 * row['base_cpython']:.1f} ms, "
              f"{1e3 * row['miniature']:.1f} of {1e3 * row['base_miniature']:.1f} ms")


def keep(path, row):
    fresh = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{value:.6f}" if isinstance(value, float) else value for name, value in row.items()})


def main():
    found = pythons()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=list(found.values())[-1] if found else None)
    parser.add_argument("--free")
    parser.add_argument("--isolated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--target", type=float, default=0.4)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--csv")
    parser.add_argument("--table", nargs="+", metavar="FILE")
    parser.add_argument("workloads", nargs="*")
    options = parser.parse_args()
    if options.table:
        return table(options.table)
    listed = json.loads(ran([PROGRAM, "list", "workloads", "--json"]).stdout)
    unknown = set(options.workloads) - {workload["id"] for workload in listed}
    if unknown:
        sys.exit(f"no such workload: {', '.join(sorted(unknown))}")
    # Who is set beside what: the models that need a Python of their own have it.
    own = {"free-threads": options.free, "subinterpreters": options.isolated}
    wanted = options.models.split(",")
    plan = [(options.python, [model for model in wanted if model not in own]), *((own[it], [it]) for it in own if it in wanted)]
    print(f"{'workload':16} {'model':21} {'CPython':>8} {'miniature':>9} {'quotient':>8}   one at a time, s: CPython, miniature")
    # Its folder goes with it, however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ratios-") as folder:
        # Nobody compiles the standard library whenever a worker starts: those whose own folder lacks that, and must not be
        # written to, find it here after the first time.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "compiled")
        # A task is to be the work of one thread.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        for file in ["driver.py", "calibrate.py", *glob.glob("workloads/*.py", root_dir=os.path.join(HERE, "assets"))]:
            shutil.copy(os.path.join(HERE, "assets", file), folder)
        # A worker that is no copy compiles its maker's main file anew: that is to be one of a few lines, and not the driver.
        with open(os.path.join(folder, "main.py"), "w") as file:
            file.write("import driver\n\nif __name__ == '__main__':\n    driver.main()\n")
        port = slow_server()
        for python, models in plan:
            if not python or not models:
                continue
            real, mini = CPython(folder, python, port), Miniature(os.path.join(folder, "config"), python)
            for workload in listed:
                if options.workloads and workload["id"] not in options.workloads:
                    continue
                for row in compared(options, workload, real, mini, models):
                    if options.csv:
                        keep(options.csv, row)
                    print(f"{row['workload']:16} {row['model']:21} {row['ratio_cpython']:8.3f} {row['ratio_miniature']:9.3f} "
                          f"{row['quotient']:8.3f}   {row['base_cpython']:.3f}, {row['base_miniature']:.3f}"
                          + ("" if judged(row) else " not alike"), flush=True)


if __name__ == "__main__":
    main()
