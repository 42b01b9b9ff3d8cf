"""`python -m warehouse`: ask what happened, and take care of what is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from warehouse.stopping import Stopping


def program() -> None:
    """The console script: the process ends with the command."""
    _hold_streams()
    sys.exit(main(whole=True))


def main(words: Sequence[str] | None = None, *, whole: bool = False) -> int:
    """Run one command; its exit code.

    0, or what the command says; 1 for what is wrong with the warehouse, 2 for what the user can
    mend, 130 if somebody stopped it.

    whole: the process ends with it.
    """
    stopping = Stopping(whole)
    try:
        with stopping:
            code = _run(sys.argv[1:] if words is None else words, whole)
    except BaseException as error:
        # Whatever an interrupt became on its way: DuckDB, for one, raises RuntimeError.
        if not stopping.asked and not isinstance(error, KeyboardInterrupt):
            raise
        return stopping.end()
    return stopping.end() if stopping.asked else code


def _run(words: Sequence[str], whole: bool) -> int:
    """Run it with an eye on the streams."""
    # Imported here: before `Stopping` stands, a signal would end the process as it likes.
    from runner.errors import RunnerError
    from warehouse import command_line, streams

    if whole:
        streams.guard_output()
    try:
        try:
            streams.check_output()
            code = command_line.run(words)
        except RunnerError as error:
            streams.complain(str(error))
            code = 2
        except SystemExit as exit:  # argparse has said what is wrong, or given help
            code = int(exit.code or 0)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except streams.OutputError as error:
        streams.give_up(sys.stdout)
        if error.unread:  # `| head` has seen enough
            return 0
        streams.complain(str(error))
        return 2
    finally:
        streams.leave_errors()


def _hold_streams() -> None:
    """Open onto nothing the descriptors that are closed: a database must not get their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        # Else `print(file=sys.stderr)` would go to standard output.
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    program()
