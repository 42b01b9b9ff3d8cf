"""Moments and ids: when something was recorded, and what a run is called."""

from __future__ import annotations

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
    stamp, rest = divmod(moment, 4096)
    noise = int.from_bytes(os.urandom(8), "big") >> 2
    version, variant = 0x7, 0b10
    bits = stamp << 80 | version << 76 | rest << 64 | variant << 62 | noise
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_id_lock = threading.Lock()
_latest = [0]
"""The moment of the newest run id, in quarters of a microsecond."""
