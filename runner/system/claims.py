"""Which process has which device: locks in a folder of this machine, gone with their process."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

_held: dict[tuple[str, ...], tuple[int, int]] = {}
"""What this process has claimed of which things: the place, and the open file that is locked."""


def claim(things: Sequence[str]) -> int:
    """The place of one of the things, one that fewest processes of this user have claimed.

    The same process is given the same again; it has it as long as it lives.
    """
    key = tuple(things)
    if key not in _held:
        folder = Path(tempfile.gettempdir(), f"sweephouse-{os.getuid()}", "claims")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _held[key] = _claimed(folder, things)
    return _held[key][0]


def _claimed(folder: Path, things: Sequence[str]) -> tuple[int, int]:
    turns = ((turn, *each) for turn in itertools.count() for each in enumerate(things))
    for turn, place, thing in turns:
        name = "".join(letter if letter.isalnum() else "-" for letter in thing)
        file = os.open(folder / f"{name}.{turn}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        return place, file
    raise AssertionError  # there is always one more turn
