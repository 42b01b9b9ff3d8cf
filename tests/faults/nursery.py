"""A warm process that forks runners, so that a kill costs no imports.

As a script (`python -m tests.faults.nursery [tensorflow]`) it has the runner imported, forks a
child for each command line that it reads, and lets the child run `runner.__main__.main`: a real
process with its own journal, locks and exit code.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"
STEADY = ["engine=tests.faults.engine:SteadyEngine", "dataset=steady"]
PACK = ["engine=tests.faults.engine:PackEngine", "dataset=steady"]
REAL = ["engine=tests.faults.engine:RealEngine", "dataset=steady"]


class Nursery:
    """The test's side of it."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", *words],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, words: list[str], **asked: Any) -> int:
        """The pid of a new runner; see `_child` for what can be asked."""
        return int(self._ask({"words": words, **asked}))

    def wait(self, pid: int) -> int:
        """Its exit code, or minus the signal that ended it."""
        return int(self._ask({"wait": pid}))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def environment() -> dict[str, str]:
    """The environment of runners that find the test engine and the test plugin."""
    path = os.pathsep.join([str(ROOT), str(SITE)])
    # A sweep that another test began in this process is none of theirs.
    inherited = {name: value for name, value in os.environ.items() if name != "SWEEPHOUSE_SWEEP"}
    return inherited | {"PYTHONPATH": path}


def _serve(heavy: bool) -> None:
    import hydra.main  # noqa: F401
    from hydra.core.plugins import Plugins

    import runner.sweep.sweep  # noqa: F401
    import warehouse.ingest.batch  # noqa: F401
    from runner.components.registry import load
    from runner.config.compose import register

    Plugins.instance()
    register(load())
    importlib.import_module("tests.faults.engine")
    importlib.import_module("runner.commands.table")
    with contextlib.suppress(ImportError):
        importlib.import_module("pandas")  # DuckDB would
    if heavy:
        # A GPU that was used before a fork is of no use after it.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        from runner.backend.devices import import_tensorflow

        import_tensorflow()
        importlib.import_module("keras")
    _composed()
    # Children need not look through what was there before them.
    gc.collect()
    gc.freeze()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                return _child(**asked)
        print(json.dumps(answer), flush=True)


def _child(
    words: list[str],
    folder: str,
    printed: str,
    env: dict[str, str] | None = None,
    limit: int | None = None,
    without: tuple[str, ...] = (),
    site: str | None = None,
    die: tuple[str, int] | None = None,
    stop: tuple[int, int, int] | None = None,
    composed: bool = False,
    program: str = "runner",
    seconds: float = 0,
) -> None:
    """Be the runner.

    folder: where it stands. printed: the file of what it prints, both streams. limit: bytes that
    a file may have. without: modules that cannot be imported. site: one more folder of plugins.
    die: kill -9 itself at the n-th record of a kind, or the n-th system "event" of Python.
    stop: be a process of its own, to which a signal is sent at the n-th event, so many times.
    composed: words are seeds; the config is the test engine's, composed before the fork, and
    what follows is what `runner.run` does with each: plan, train, ingest.
    program: the other one is the warehouse. seconds: how long it may live; then SIGALRM ends it.
    """
    from runner.__main__ import command, main

    os.chdir(folder)
    os.environ.update(env or {})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(printed, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for name in without:
        sys.modules[name] = None  # type: ignore[assignment]
    if site is not None:
        from runner.components.registry import load

        sys.path.insert(0, site)
        importlib.invalidate_caches()
        load.cache_clear()
    if die is not None:
        _die_at(*die)
    if composed:
        return _seeds(words)
    sys.argv = [program, *words]
    if seconds:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    if program == "warehouse":
        from warehouse.__main__ import main as ask

        sys.exit(ask())
    if stop is not None:
        _stop_at(*stop)
        command()
    main()


@functools.cache
def _composed() -> Any:
    from runner.config.compose import compose

    return compose(
        [*(REAL if "tensorflow" in sys.modules else STEADY), "epochs=30", "checkpoint=8"]
    )[0]


def _seeds(words: list[str]) -> None:
    from dataclasses import replace

    from runner.sweep.batch import train
    from runner.sweep.plan import plan
    from runner.sweep.sweep import close_run

    for word in words:
        settings = replace(
            _composed().settings, seed=int(word), results=os.environ["SWEEPHOUSE_RESULTS"]
        )
        run = plan(replace(_composed(), settings=settings), "default", [f"seed={word}"])
        close_run(train(run), run.results)


WATCHED = ("open", "os.", "fcntl.", "shutil.", "subprocess.")


def _stop_at(number: int, count: int, times: int) -> None:
    """Send this process a signal at the count-th event, again at the next, and so on."""
    from runner.system import stops

    left = [count]

    def hear(event: str, _: Any) -> None:
        # Before it listens a signal ends any process of Python's; os.kill is an event, too.
        if event.startswith(WATCHED) and event != "os.kill" and stops._stops.listening:
            left[0] -= 1
            if -times < left[0] <= 0:
                os.kill(os.getpid(), number)

    sys.addaudithook(hear)


def _die_at(what: str, count: int) -> None:
    """Kill this process at the count-th time that something happens."""
    left = [count]

    def happened() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if what == "event":

        def hear(event: str, _: Any) -> None:
            if event.startswith(WATCHED):
                happened()

        sys.addaudithook(hear)
        return
    from runner.journal.file import Journal

    append = Journal.append

    def counted(self: Journal, record: Any) -> None:
        append(self, record)
        if record.record == what:
            happened()

    Journal.append = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve("tensorflow" in sys.argv[1:])
