"""Text on its way out: to a terminal, which acts on some characters, or to where nobody reads."""

from __future__ import annotations

import contextlib
import os
import re
import sys

_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the end of a line
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # those that reorder or break lines
    "\ud800-\udfff]"  # bytes that were no UTF-8, which cannot be written at all
)

_UNDECODED = re.compile("[\ud800-\udfff]")
_LONG = re.compile(r"\S{300,}")
"""A word that nobody typed by hand: a path, as long as they come, is shorter."""
HEAD, TAIL = 120, 60
"""Characters that are shown of such a word, from either end of it."""
MOST = 4000
"""Characters of a sentence: no list of names that we give is longer."""


def printable(text: str) -> str:
    """Return the text with an escape such as \\x1b for every character that must not be printed.

    Those are what a terminal would act on (colours, titles, a cursor that moves, reversed
    writing) and what has no encoding; line ends and tabs stay.
    """
    return _UNSHOWN.sub(_escape, text)


def shortened(sentence: str) -> str:
    """The sentence with the middle of what it quotes left out, where that is long."""
    sentence = _LONG.sub(lambda word: _ends(word[0], HEAD, TAIL), sentence)
    return sentence if len(sentence) <= MOST else _ends(sentence, MOST - 1000, 500)


def _ends(text: str, head: int, tail: int) -> str:
    return f"{text[:head]}…({len(text) - head - tail:,} characters)…{text[-tail:]}"


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
    """Print a sentence where errors go, if it can be, shortened where it quotes what is long."""
    with contextlib.suppress(OSError):
        print(printable(shortened(line)), file=sys.stderr, flush=True)


def be_silent() -> None:
    """Let whatever is printed from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
