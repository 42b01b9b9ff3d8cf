"""Work on a lake in a process of its own, which may die without taking ours along.

DuckDB's extension for PostgreSQL asks for a ROLLBACK in a destructor, too; where the server has
been killed and a connection goes with its transaction open, that ends the whole process by
SIGABRT, and nothing in Python can catch it. So whatever writes a lake does it here, and the death
of the child is a `PassingError` to its parent. The child ends with its parent, too.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, TypeVar

from runner.errors import RunnerError, in_one_line
from warehouse.lake.address import Lake
from warehouse.lake.opening import GONE, PassingError

Outcome = TypeVar("Outcome")
Tell = Callable[[Any], object]
"""Told what the function tells while it works."""
LINGER = 5.0
"""Seconds that an interrupted child has to take back what it was doing."""


def call(
    lake: Lake, function: Callable[..., Outcome], *given: Any, tell: Tell | None = None
) -> Outcome:
    """Call a function, one of a module, in a child process; its outcome, or what it raises.

    given: its arguments; what it is to tell on the way comes behind them as a function.

    Raises PassingError where the child dies by a signal. An interrupt ends the child first.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [sys.executable, "-m", "warehouse.lake.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            process_group=0,  # a Ctrl-C is for the parent to judge
        ) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it has died, as is seen below
                pickle.dump((function, given, tell is not None), child.stdin)
                child.stdin.flush()
            for kind, value in _replies(child.stdout):
                if kind == "done":
                    outcome: Outcome = value
                    return outcome
                if kind == "raised":
                    raise value
                if tell is not None:
                    tell(value)
            code = child.wait()
        except BaseException:
            _end(child)
            raise
        if code < 0:
            raise _death(lake, signal.Signals(-code))
        said.seek(0)
        words = said.read().decode(errors="replace")
        raise RuntimeError(f"no answer of a child process:\n{words}")


def _replies(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """What the child says, until it says no more."""
    with suppress(EOFError, pickle.UnpicklingError):  # it has died, maybe in the middle of one
        while True:
            yield pickle.load(stream)  # from our own child


def _end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGINT)
    try:
        child.wait(LINGER)
    except subprocess.TimeoutExpired:
        child.kill()


def _death(lake: Lake, how: signal.Signals) -> PassingError:
    if how == signal.SIGABRT:
        return PassingError(f"the lake {lake.shown} {GONE}")
    return PassingError(
        f"the lake {lake.shown} is not written: the process that did it was ended by {how.name}"
    )


def _main() -> None:
    """Read a wish from standard input, and write what comes of it to standard output."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    function, given, is_telling = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def answer(kind: str, value: Any) -> None:
        answers.write(pickle.dumps((kind, value)))
        answers.flush()

    telling = (lambda value: answer("told", value),) if is_telling else ()
    try:
        outcome = function(*given, *telling)
    except Exception as error:
        answer("raised", _carried(error))
    else:
        answer("done", outcome)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds, and end."""
    os.read(0, 1)
    os._exit(1)


def _carried(error: Exception) -> Exception:
    """The error as it can be sent; a bug's traceback goes along as a note."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        carried: Exception = RuntimeError(in_one_line(error))
    else:
        carried = error
    if not isinstance(error, RunnerError):
        carried.add_note("".join(traceback.format_exception(error)))
    return carried


if __name__ == "__main__":
    _main()
