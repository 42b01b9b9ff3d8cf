"""The standard streams, which may be closed, full, or hold what is no text."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from runner.errors import WarehouseError
from runner.system.terminal import printable


class OutputError(Exception):
    """Standard output cannot be written; unlike other trouble with files, nobody's bug."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written ({error.strerror})")
        self.unread = isinstance(error, BrokenPipeError)


class _Output(io.TextIOWrapper):
    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


def check_output() -> None:
    """Raise WarehouseError where there is no standard output to print to."""
    if sys.stdout is None:
        raise WarehouseError(
            "standard output is closed, so nothing was done; open it, or send it to /dev/null"
        )


def guard_output() -> None:
    """Have standard output say so where it cannot be written, and take any character there is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _Output(
            sys.stdout.buffer,
            sys.stdout.encoding,
            sys.stdout.errors,
            line_buffering=sys.stdout.line_buffering,
            write_through=sys.stdout.write_through,
        )


def read_input() -> str:
    """All of standard input."""
    if sys.stdin is None:
        raise WarehouseError(
            "standard input is closed; send the query there, or give it as a word"
        )
    try:
        text = sys.stdin.read()
        text.encode()  # in some locales, bytes that are no text come as surrogates
    except UnicodeError as error:
        raise WarehouseError("what standard input holds is not UTF-8 text") from error
    except OSError as error:
        raise WarehouseError(f"standard input cannot be read ({error.strerror})") from error
    return text


def give_up(stream: TextIO) -> None:
    """Let what is printed there go nowhere; the interpreter would try to write it at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def complain(text: str) -> None:
    """Print a sentence to standard error, if it can be written."""
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr)


def leave_errors() -> None:
    """Give standard error up where it cannot be written: there is nobody left to tell."""
    try:
        sys.stderr.flush()
    except OSError:
        give_up(sys.stderr)
