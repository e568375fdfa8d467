#!/usr/bin/env python3
"""Each workload under each model, as a ratio to one task after another: in the miniature and in a real CPython.

    cargo build --release && python3 benches/ratios.py [--python PATH] [--free PATH] [--rounds 7] [--target 0.4] [WORKLOAD ...]

Both engines do the same tasks, interleaved, round by round. The size of a task is chosen for each engine so that one after
another takes it `--target` seconds; where a workload has no size, or waits for a fixed time, both do the same. The last
column is the miniature's ratio over CPython's: 1.00 is agreement. `--free` names a free-threaded build, which is
then what the miniature's `free-threads` is set beside, with that build's own sequential run.
"""
import argparse, json, os, statistics, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import HERE, PROGRAM, pythons

DRIVER = os.path.join(HERE, "assets", "driver.py")
FILES = os.path.join(HERE, "assets", "workloads")
MODELS = ["threads", "processes:spawn", "processes:fork", "processes:forkserver", "hybrid", "subinterpreters", "free-threads",
          "coroutines"]
WORKERS, TASKS = 2, 2
median = statistics.median


class Refused(Exception):
    """This engine does not do that, for the reason told."""


def miniature(workload, model, args, workers=WORKERS, tasks=TASKS):
    """How long a run of the miniature took, in seconds."""
    family, _, start = model.partition(":")
    size = ["-n", "2x2" if family == "hybrid" else str(workers), "--tasks", str(tasks)]
    args = [word for name, value in args.items() for word in ("--arg", f"{name}={value}")]
    done = subprocess.run([PROGRAM, "run", workload["id"], "-m", family, *(["--start", start] if start else []), *size, *args,
                           "--json"], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Refused(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return json.loads(done.stdout)["elapsed_ns"] / 1e9


def cpython(python, workload, model, args, workers=WORKERS, tasks=TASKS):
    """The same of a CPython."""
    family, _, start = model.partition(":")
    kinds = {argument["name"]: argument.get("kind") for argument in workload["arguments"]}
    args = {name: {"mebibytes": value} if kinds.get(name) == "bytes" else value for name, value in args.items()}
    order = {"file": os.path.join(FILES, workload["id"] + ".py"), "name": workload["id"], "model": family, "start": start,
             "workers": 4 if family == "hybrid" else workers, "processes": 2, "tasks": tasks, "args": args, "switch_interval": None}
    done = subprocess.run([python, DRIVER, json.dumps(order)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    said = {key: value for line in done.stdout.splitlines() for key, value in json.loads(line).items()}
    if "failed" in said or "ended" not in said:
        raise Refused(said.get("failed") or done.stderr[-200:])
    if "error" in said:
        raise Refused(said["error"])
    return (said["ended"] - said["began"]) / 1e9


def sized(run, workload, target):
    """Arguments with which `run` takes about `target` seconds one task after another."""
    args = {argument["name"]: argument["default"] for argument in workload["arguments"]}
    size = next((argument for argument in workload["arguments"] if argument.get("size")), None)
    if size is None or size["name"] == "seconds":
        return args
    for _ in range(4):
        took = run(workload, "sequential", args)
        if 0.9 < took / target < 1.1:
            break
        # Not more than tenfold at a time: a first run also pays for what is only paid once.
        args[size["name"]] = max(int(args[size["name"]] * min(10, max(0.1, target / took))), size["min"])
    return args


def compared(options, workload, engines, model):
    """Ratios of both engines, and the quotient, from interleaved rounds."""
    times = {name: {"sequential": [], model: []} for name in engines}
    for _ in range(options.rounds):
        for which in ("sequential", model):
            for name, (run, args) in engines.items():
                times[name][which].append(run(workload, which, args))
    ratio = {name: median(took[model]) / median(took["sequential"]) for name, took in times.items()}
    base = {name: median(took["sequential"]) for name, took in times.items()}
    return ratio, base


def main():
    found = pythons()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=list(found.values())[-1] if found else None)
    parser.add_argument("--free")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--target", type=float, default=0.4)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("workloads", nargs="*")
    options = parser.parse_args()
    listed = json.loads(subprocess.run([PROGRAM, "list", "workloads", "--json"], capture_output=True, text=True).stdout)
    print(f"{'workload':16} {'model':21} {'CPython':>8} {'miniature':>9} {'quotient':>8}   one at a time, s: CPython, miniature")
    for workload in listed:
        if options.workloads and workload["id"] not in options.workloads:
            continue
        for model in options.models.split(","):
            python = options.free if model == "free-threads" else options.python
            if not python:
                continue
            real = lambda *args, python=python: cpython(python, *args)
            try:
                engines = {"cpython": (real, sized(real, workload, options.target)),
                           "miniature": (miniature, sized(miniature, workload, options.target))}
                ratio, base = compared(options, workload, engines, model)
            except Refused as why:
                print(f"{workload['id']:16} {model:21} – {why}")
                continue
            print(f"{workload['id']:16} {model:21} {ratio['cpython']:8.3f} {ratio['miniature']:9.3f} "
                  f"{ratio['miniature'] / ratio['cpython']:8.3f}   {base['cpython']:.3f}, {base['miniature']:.3f}", flush=True)


if __name__ == "__main__":
    main()
