"""Paths as people write them, and files that are no pipes."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def from_home(text: str | Path) -> Path:
    """The path, a leading ~ as the home folder; as it is where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def open_plain(path: Path, *, follow_links: bool = False) -> BufferedReader:
    """A plain file to read; OSError for anything else, which might never end."""
    # Never waiting for what a pipe may bring.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    file: BufferedReader = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no plain file")
    return file
