"""Text on its way out: to a terminal, which acts on some characters, or to where nobody reads."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import select
import sys
from typing import Any

_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the end of a line
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # those that reorder or break lines
    "\ud800-\udfff]"  # bytes that were no UTF-8, which cannot be written at all
)

_UNDECODED = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """Return the text with an escape such as \\x1b for every character that must not be printed.

    Those are what a terminal would act on (colours, titles, a cursor that moves, reversed
    writing) and what has no encoding; line ends and tabs stay.
    """
    return _UNSHOWN.sub(_escape, text)


def as_text(name: str) -> str:
    """Return the name with an escape such as \\xff for each byte that is no UTF-8."""
    return _UNDECODED.sub(_escape, name)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def say(line: str) -> None:
    """Print a line; where nobody reads it any more, go on in silence."""
    try:
        print(printable(line), flush=True)
    except OSError:
        be_silent()


def complain(line: str) -> None:
    """Print a line where errors go, if it can be."""
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr, flush=True)


def be_silent() -> None:
    """Let whatever is printed from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Lasting(io.FileIO):
    """A standard stream that takes what it is given even where nobody else does."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.lost: OSError | None = None
        """Why something was not written."""

    def write(self, data: Any, /) -> int:
        """All of it, or nothing for good."""
        while True:
            try:
                written = super().write(data)
            except OSError as error:
                self.lost = self.lost or error
                return len(data)
            # Whoever shares the file may have made it one that does not wait.
            if written is None:
                select.select([], [self], [])
                continue
            return written


def hold_streams() -> None:
    """Open whichever standard file is closed on nothing, or the next file opened takes its place.

    What a library prints would then be written into a journal.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere == number:
                os.set_inheritable(number, True)
            else:
                os.close(nowhere)


def steady_streams() -> None:
    """Have standard output and errors take everything: closed, full or of another encoding."""
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    for name, number in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        if old is not None:
            old.flush()
        stream = io.TextIOWrapper(
            io.BufferedWriter(_Lasting(number)),
            encoding=old.encoding if old is not None else "utf-8",
            errors="backslashreplace",
            line_buffering=number == 2 or os.isatty(number),
        )
        setattr(sys, name, stream)


def lost_output() -> str:
    """Why not all of standard output was written; empty where it was, or nobody reads it."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.lost if isinstance(raw, _Lasting) else None
    return "" if error is None or error.errno == errno.EPIPE else error.strerror or str(error)
