"""Text on its way to a terminal, which acts on some characters instead of showing them."""

from __future__ import annotations

import re

_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the end of a line
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # those that reorder or break lines
    "\ud800-\udfff]"  # bytes that were no UTF-8, which cannot be written at all
)


def printable(text: str) -> str:
    """Return the text with an escape such as \\x1b for every character that must not be printed.

    Those are what a terminal would act on (colours, titles, a cursor that moves, reversed
    writing) and what has no encoding; line ends and tabs stay.
    """
    return _UNSHOWN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
