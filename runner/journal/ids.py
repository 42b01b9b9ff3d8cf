"""Moments and ids: when something was recorded, and what a run is called."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from datetime import UTC, datetime


def now() -> str:
    """This moment, UTC, as ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_run_id() -> str:
    """A UUIDv7 as text, greater than every earlier one of this process.

    Its head is the time in milliseconds, then come twelve bits of what is left of it, and a random
    tail (RFC 9562, 6.2, method 3). Of one moment, or where the clock was set back, the next is
    taken.
    """
    with _id_lock:
        moment = time.time_ns() * 4096 // 1_000_000
        _latest[0] = moment = max(moment, _latest[0] + 1)
    return _uuid(*divmod(moment, 4096), int.from_bytes(os.urandom(8), "big"))


def run_id_from(content: bytes, milliseconds: int) -> str:
    """The same for a run that was recorded elsewhere: equal content and moment, equal id."""
    digest = hashlib.sha256(content).digest()
    stamp = min(max(milliseconds, 0), 2**48 - 1)
    rest = int.from_bytes(digest[8:10], "big") >> 4
    return _uuid(stamp, rest, int.from_bytes(digest[:8], "big"))


def _uuid(stamp: int, rest: int, noise: int) -> str:
    """A UUIDv7 as text: 48 bits of milliseconds, 12 bits, and 62 of the 64 bits of `noise`."""
    version, variant = 0x7, 0b10
    bits = stamp << 80 | version << 76 | rest << 64 | variant << 62 | noise >> 2
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_id_lock = threading.Lock()
_latest = [0]
"""The moment of the newest run id, in quarters of a microsecond."""
