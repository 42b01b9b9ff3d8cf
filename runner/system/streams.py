"""The standard streams, which may be closed, full, or of an encoding that lacks characters."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

PLAIN = {
    "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", "←": "<-",
    "±": "+-", "×": "x", "≥": ">=", "≤": "<=", "·": ".", "•": "*", "─": "-", "━": "-", "│": "|",
    "█": "#", "▇": "#", "▆": "#", "▅": "=", "▄": "=", "▃": "-", "▂": "_", "▁": "_",
}  # fmt: skip
"""What stands for a character of ours where an encoding lacks it; others are escaped."""
DOTS = " ..::++##"
"""The same for one of Braille, from none of its eight dots to all of them."""


class OutputError(Exception):
    """Standard output cannot be written; unlike other trouble with files, nobody's bug."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written ({error.strerror})")
        self.unread = isinstance(error, BrokenPipeError)


class _Steady(io.FileIO):
    """A standard stream that takes what it is given even where nobody else does."""

    def __init__(self, number: int, lasting: bool) -> None:
        """lasting: from the beginning; else once OutputError has said that it is of no use."""
        super().__init__(number, "w", closefd=False)
        self.lost: OSError | None = None
        """Why something was not written."""
        self._lasting = lasting

    def write(self, data: Any, /) -> int:
        """All of it, or nothing for good."""
        while True:
            try:
                written = super().write(data)
            except OSError as error:
                before, self.lost = self.lost, self.lost or error
                if not self._lasting and before is None:
                    raise OutputError(error) from error
                return len(data)
            # Whoever shares the file may have made it one that does not wait.
            if written is None:
                select.select([], [self], [])
                continue
            return written


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """What codecs write of characters that an encoding lacks; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_plain, lacking)), error.end


def _plain(character: str) -> str:
    """A character in those of ASCII."""
    if "\u2800" <= character <= "\u28ff":
        return DOTS[(ord(character) - 0x2800).bit_count()]
    if "\u2500" <= character <= "\u257f":  # what lines and tables are drawn with
        return PLAIN.get(character, "+")
    return PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()


codecs.register_error("sweephouse.plain", _in_plain_characters)


def _encoding(old: TextIO | None, number: int) -> str:
    """That of the stream; ASCII for a terminal of a locale that is said to be C.

    Python takes UTF-8 for the encoding of C, which is right for files.
    """
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next(filter(None, map(os.environ.get, names)), "")
    if locale in ("C", "POSIX") and os.isatty(number) and "PYTHONIOENCODING" not in os.environ:
        return "ascii"
    return old.encoding if old is not None else "utf-8"


def hold_streams() -> None:
    """Open whichever standard file is closed on nothing, or the next file opened takes its place.

    What a library prints would then be written into a journal or a database.
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


def steady_streams(lasting: bool = True) -> None:
    """Have standard output and errors take any character, and errors also where they are lost.

    lasting: so does output, and neither it nor the input is closed; else it raises OutputError
        when it first cannot be written, and what is closed is None as Python has it.
    """
    if sys.stdin is None and lasting:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    for name, number in (("stdout", 1), ("stderr", 2)):
        lasts = lasting or name == "stderr"
        old = getattr(sys, name)
        if old is not None:
            old.flush()
        elif not lasts:
            continue
        stream = io.TextIOWrapper(
            io.BufferedWriter(_Steady(number, lasts)),
            encoding=_encoding(old, number),
            errors="sweephouse.plain",
            # Python run unbuffered writes at once; by lines is as soon as anybody can read.
            line_buffering=number == 2
            or os.isatty(number)
            or (old is not None and old.write_through),
        )
        setattr(sys, name, stream)


def lost_output() -> str:
    """Why not all of standard output was written; empty where it was, or nobody reads it."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.lost if isinstance(raw, _Steady) else None
    return "" if error is None or error.errno == errno.EPIPE else error.strerror or str(error)
