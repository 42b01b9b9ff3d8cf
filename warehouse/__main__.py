"""`python -m warehouse`: ask what happened, and take care of what is kept."""

from __future__ import annotations

from runner.system import stops  # first: a Ctrl-C is heard while all else is imported

# isort: split
import sys
from collections.abc import Sequence
from typing import NoReturn

from runner.errors import RunnerError
from runner.system.streams import OutputError, steady_streams
from runner.system.terminal import complain


def program() -> NoReturn:
    """The console script: the process ends with the command."""
    stops.run_as_process(_own_process, stops.PATIENCE)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code.

    0, or what the command says; 1 for what is wrong with the warehouse, 2 for what the user can
    mend, 130 if somebody stopped it.
    """
    return stops.run_within(lambda: _run(sys.argv[1:] if words is None else words), stops.PATIENCE)


def _own_process() -> int:
    """Run the command that the process was started for, with an eye on its streams."""
    steady_streams(lasting=False)
    try:
        return _run(sys.argv[1:])
    except OutputError as error:
        if error.unread:  # `| head` has seen enough
            return 0
        complain(str(error))
        return 2


def _run(words: Sequence[str]) -> int:
    # Imported here: before the command has begun, a signal would end the process as it stands.
    from warehouse import command_line

    try:
        code = command_line.run(words)
    except RunnerError as error:
        complain(str(error))
        code = 2
    except SystemExit as exit:  # argparse has said what is wrong, or given help
        code = int(exit.code or 0)
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    program()
