"""Runs a gilscope workload inside a real CPython, with the pools of its own standard library.

    python3 driver.py ORDER

ORDER is JSON: {"file", "name", "model", "start", "workers", "processes", "tasks", "args", "switch_interval", "report"}.
`args` maps names to numbers, or to {"mebibytes": n} for bytes of that length. `report` is the path of a file or pipe to
which one JSON object a line is written; standard output unless said otherwise:

    {"ready": true, "pid", "version", "gil_enabled"}   the module is loaded; the clock has not started
    {"began": ns}                                on time.monotonic_ns(), which is CLOCK_MONOTONIC
    {"task": 0, "repr": "..."} or {"task": 0, "error": "ZeroDivisionError: division by zero", "line": 7}
    {"ended": ns}                                the last result is in
    {"memory": [{"pid", "rss", "peak", "pss"}]}  what the processes that are there then hold, and held at most, in bytes
    {"cpu": ns}                                  the processor time all processes have used since it began, where it is known
    {"outcome": "..."}                           what `outcome()` returned, where the file has one; or, if it raised:
    {"outcome_raised": "ZeroDivisionError: division by zero", "line": 7}
    {"worker": tid, "pid": pid, "at": ns}                  a thread that does tasks, ready for its first; only with "report"
    {"found": {...}}                             with the model "probe", which runs nothing: what this interpreter is and can
    {"failed": "..."}                            it could not be run, and why

With "wait": true it begins when a line comes in on standard input, which the workload does not see: what it reads is empty. Python 3.9 or later, nothing but the standard library.
"""
# A worker process imports this file anew, so what only some need is imported where it is needed.
import os
import sys
import time


# The longest text of a result that is told.
REPR_LIMIT = 8 << 20

# ---- in every interpreter that does tasks ----

_modules = {}


def load(file, name):
    """The workload's module: loaded once an interpreter, so threads share its globals and processes do not."""
    if file not in _modules:
        from importlib.machinery import ModuleSpec, SourceFileLoader
        # The loader is named, since the file need not end in .py.
        loader = SourceFileLoader(name, file)
        module = type(sys)(name)
        module.__file__, module.__loader__, module.__spec__ = file, loader, ModuleSpec(name, loader, origin=file)
        loader.exec_module(module)
        _modules[file] = module
    return _modules[file]


def announce(report):
    """Says that the calling thread does tasks. One line is one write, so lines of several processes do not mix."""
    if report:
        import json
        import threading
        with open(report, "w") as out:
            out.write(json.dumps({"worker": threading.get_native_id(), "pid": os.getpid(), "at": time.monotonic_ns()}) + "\n")


def unloaded(error, file, name):
    """Why the file could not be loaded and where, and what to do if that is a module which this Python has not."""
    import traceback
    places = [(place.filename, place.lineno) for place in traceback.extract_tb(error.__traceback__)]
    places = [place for place in places if place[0] != __file__ and not place[0].startswith("<frozen")]
    if isinstance(error, SyntaxError):
        places.append((error.filename, error.lineno))
    text = told(error, file)["error"]
    # The lines that import a `module:function` are not the person's.
    if places and not (places[-1][0] == file and ":" in name):
        text += " (line %s)" % places[-1][1] if places[-1][0] == file else " (%s, line %s)" % places[-1]
    # Python's own words: neither a part of a package that is there, nor whatever else a file may say of itself.
    if isinstance(error, ModuleNotFoundError) and str(error) == "No module named %r" % error.name:
        text += ". Install it for %s, or choose a Python that has it with --python" % sys.executable
    return "the file could not be loaded: " + text


def prepare(file, name, report):
    """Before a worker does anything. It returns nothing: what an interpreter's initializer returns has to cross to another."""
    try:
        load(file, name)
    except BaseException as error:
        if report:  # else all that is told is that a worker ended
            import json
            with open(report, "w") as out:
                out.write(json.dumps({"failed": "in a worker " + unloaded(error, file, name)}) + "\n")
        raise
    announce(report)


def told(error, file):
    """An exception as the last line of its traceback, and the last line of the workload's file it passed."""
    import traceback
    # A module that calls another's function says whose lines are meant.
    file = getattr(_modules.get(file), "called_file", None) or file
    text = traceback.format_exception_only(type(error), error)[-1].rstrip("\n")
    places = [place.lineno for place in traceback.extract_tb(error.__traceback__) if place.filename == file]
    return {"error": text, "line": places[-1] if places else None}


def do(file, name, task, args):
    """One call of `work`: (True, value) or (False, what to tell). Exceptions are told here, where their lines are."""
    try:
        return True, load(file, name).work(**args)
    except Exception as error:
        return False, told(error, file)


def serve(file, name, next_task, first, tasks, threads, arguments, report):
    """One process of the hybrid model: its threads take tasks from the counter that all processes share.

    The first task of each process is set apart for it, or the process that is up first would take them all."""
    from concurrent.futures import ThreadPoolExecutor
    done = []
    own = [first]

    def work():
        announce(report)
        while True:
            try:
                task = own.pop()
            except IndexError:
                with next_task.get_lock():
                    task, next_task.value = next_task.value, next_task.value + 1
            if task >= tasks:
                return
            done.append((task, do(file, name, task, arguments[task])))

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(work)
    return done


_counter = None


def inherit(file, name, counter):
    """Before a process of the hybrid model does anything."""
    global _counter
    _counter = counter
    load(file, name)


def serve_inherited(file, name, first, tasks, threads, arguments, report):
    return serve(file, name, _counter, first, tasks, threads, arguments, report)


# ---- in the first interpreter ----

def memory():
    """What this process and all that it made hold, by the kernel's books. What it does not tell is null."""
    def fields(path):
        try:
            with open(path) as file:
                rows = (line.split() for line in file)
                return {row[0]: int(row[1]) << 10 for row in rows if len(row) == 3 and row[2] == "kB"}
        except OSError:
            return {}

    pids = [os.getpid()]
    for pid in pids:
        try:
            for thread in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
                    pids.extend(int(child) for child in file.read().split())
        except OSError:  # it has just ended
            pass
    held = []
    for pid in pids:
        status, rollup = fields("/proc/%d/status" % pid), fields("/proc/%d/smaps_rollup" % pid)
        if "VmRSS:" in status:
            held.append({"pid": pid, "rss": status["VmRSS:"], "peak": status.get("VmHWM:"), "pss": rollup.get("Pss:")})
    return held


def own_input():
    """The line that lets a run begin comes in on standard input. Whoever reads from it besides finds it empty."""
    ours = os.fdopen(os.dup(0), "rb", 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return ours


class Run:
    """An order and what it needs while it is carried out."""

    def __init__(self, order):
        self.order = order
        self.report = order.get("report")
        self.out = open(self.report, "w", buffering=1) if self.report else sys.stdout
        self.file, self.name = order["file"], order["name"]
        self.workers, self.tasks = order["workers"], order["tasks"]
        self.go_ahead = own_input()

    def say(self, **what):
        import json
        self.out.write(json.dumps(what) + "\n")
        self.out.flush()

    def arguments(self, work):
        """What each call gets: the arguments, its number and how many tasks there are, where it takes them."""
        import inspect
        try:
            takes = inspect.signature(work).parameters
        except ValueError:  # written in C, without a signature
            takes = ()
        made = lambda value: b"g" * (value["mebibytes"] << 20) if isinstance(value, dict) else value
        args = {name: made(value) for name, value in self.order["args"].items()}
        if "tasks" in takes:
            args.setdefault("tasks", self.tasks)
        return [{**args, "task": task} if "task" in takes else args for task in range(self.tasks)]

    def begin(self):
        self.cpu = self.cpu_time()
        self.began = time.monotonic_ns()
        self.say(began=self.began)

    def end(self):
        self.ended = time.monotonic_ns()
        self.say(ended=self.ended)
        # What it takes to look is not the run's.
        before = time.thread_time()
        self.say(memory=memory())
        self.cpu += time.thread_time() - before

    @staticmethod
    def cpu_time():
        import resource
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    def done(self, task, result):
        fine, value = result
        if fine:
            try:
                text = repr(value)
            except Exception as error:
                return self.say(task=task, **told(error, self.file))
            fine = len(text) <= REPR_LIMIT
            value = {"repr": text} if fine else {"error": "the result written out is %d MiB long, more than the %d MiB that are "
                                                 "shown: return less, a sum or a count" % (len(text) >> 20, REPR_LIMIT >> 20)}
        self.say(task=task, **value)

    def futures(self, pool, call, arguments):
        """Hands every task to a pool of `concurrent.futures` and tells each result as it comes in."""
        from concurrent.futures import as_completed
        pending = {pool.submit(call, self.file, self.name, task, arguments[task]): task for task in range(self.tasks)}
        for future in as_completed(pending):
            try:
                result = future.result()
            except Exception as error:  # the worker died, or its value cannot be pickled
                result = False, told(error, self.file)
            self.done(pending[future], result)

    # One method a model. Each is entered with the module loaded and says itself when the clock starts.

    def sequential(self, module):
        arguments = self.arguments(module.work)
        announce(self.report)
        self.begin()
        for task in range(self.tasks):
            self.done(task, do(self.file, self.name, task, arguments[task]))

    def threads(self, module):
        from concurrent.futures import ThreadPoolExecutor
        arguments = self.arguments(module.work)
        self.begin()
        with ThreadPoolExecutor(self.workers, "thread", initializer=announce, initargs=(self.report,)) as pool:
            self.futures(pool, do, arguments)
            self.end()

    def processes(self, module):
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        arguments = self.arguments(module.work)
        context = multiprocessing.get_context(self.order.get("start") or "spawn")
        self.begin()
        with ProcessPoolExecutor(self.workers, mp_context=context, initializer=prepare,
                                 initargs=(self.file, self.name, self.report)) as pool:
            self.futures(pool, do, arguments)
            self.end()

    def hybrid(self, module):
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed
        arguments = self.arguments(module.work)
        processes = self.order["processes"]
        context = multiprocessing.get_context("fork")
        counter = context.Value("q", processes)
        self.begin()
        with ProcessPoolExecutor(processes, mp_context=context, initializer=inherit,
                                 initargs=(self.file, self.name, counter)) as pool:
            threads = self.workers // processes
            serving = [pool.submit(serve_inherited, self.file, self.name, first, self.tasks, threads, arguments, self.report)
                       for first in range(processes)]
            for future in as_completed(serving):
                for task, result in future.result():
                    self.done(task, result)
            self.end()

    def subinterpreters(self, module):
        try:
            from concurrent.futures import InterpreterPoolExecutor
        except ImportError:
            return self.say(failed="this Python has no InterpreterPoolExecutor: it came with 3.14")
        arguments = self.arguments(module.work)
        self.begin()
        with InterpreterPoolExecutor(self.workers, initializer=prepare, initargs=(self.file, self.name, self.report)) as pool:
            self.futures(pool, do, arguments)
            self.end()

    def coroutines(self, module):
        import asyncio
        import inspect
        work = getattr(module, "work_async", None) or getattr(module, "work", None)
        if not inspect.iscoroutinefunction(work):
            return self.say(failed="the file has no `async def work_async`, so there is no coroutine to run")
        arguments = self.arguments(work)
        announce(self.report)

        async def one(task, room):
            async with room:
                try:
                    result = True, await work(**arguments[task])
                except Exception as error:
                    result = False, told(error, self.file)
            self.done(task, result)

        async def main():
            room = asyncio.Semaphore(self.workers)
            self.begin()
            await asyncio.gather(*(one(task, room) for task in range(self.tasks)))
            self.end()

        asyncio.run(main())

    def probe(self, module):
        """Runs nothing: says what this interpreter is, what it has, and what the file offers."""
        import concurrent.futures
        import inspect
        import sysconfig
        work = getattr(module, "work", None)
        coroutine = getattr(module, "work_async", None) or work
        missing = getattr(module, "called_missing", None)
        if missing:
            return self.say(failed=missing)
        if not callable(work):
            return self.say(failed="%s is not callable, so it cannot be called once a task" % self.name)
        try:
            takes = inspect.signature(work).parameters.values()
        except ValueError:  # written in C, without a signature
            takes = ()
        known = {"task", "tasks", *self.order["args"]}
        needs = [it.name for it in takes if it.default is it.empty and it.kind not in (it.VAR_POSITIONAL, it.VAR_KEYWORD)
                 and it.name not in known]
        if needs:
            return self.say(failed="%s needs arguments that nobody gives it (%s): it is called with none, or with `task` "
                                   "and `tasks` where it takes them" % (self.name, ", ".join(needs)))
        self.say(found={
            "version": "%d.%d.%d" % sys.version_info[:3],
            "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
            "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
            "subinterpreters": hasattr(concurrent.futures, "InterpreterPoolExecutor"),
            "plain": not inspect.iscoroutinefunction(work),
            "coroutine": inspect.iscoroutinefunction(coroutine),
        })

    def carry_out(self):
        gil = getattr(sys, "_is_gil_enabled", lambda: True)
        try:
            module = load(self.file, self.name)
        except BaseException as error:
            return self.say(failed=unloaded(error, self.file, self.name))
        model = self.order["model"]
        if model == "free-threads" and gil():
            return self.say(failed="this Python has a GIL: free threads need a free-threaded build")
        if self.order.get("switch_interval"):
            sys.setswitchinterval(self.order["switch_interval"])
        self.say(ready=True, pid=os.getpid(), version="%d.%d.%d" % sys.version_info[:3], gil_enabled=gil())
        if self.order.get("wait") and not self.go_ahead.readline():
            return
        self.began = self.ended = None
        getattr(self, {"free-threads": "threads"}.get(model, model))(module)
        if self.began is None:  # it has said why
            return
        if self.ended is None:
            self.end()
        if self.order.get("start") != "forkserver":  # whose workers are not ours to wait for
            self.say(cpu=int((self.cpu_time() - self.cpu) * 1e9))
        if hasattr(module, "outcome"):
            try:
                self.say(outcome=repr(module.outcome()))
            except BaseException as error:
                raised = told(error, self.file)
                self.say(outcome_raised=raised["error"], line=raised["line"])


def main():
    import json
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    Run(json.loads(sys.argv[1])).carry_out()


if __name__ == "__main__":
    main()
