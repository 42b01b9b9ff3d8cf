"""A folder of this user's alone for what cannot lie in the results folder, and who may read."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import stat
import tempfile
from pathlib import Path


def is_private(folder: Path) -> bool:
    """Whether it is a folder of this user's, no link, into which nobody else can put anything."""
    try:
        there = folder.lstat()
    except OSError:
        return False
    mode = there.st_mode
    return stat.S_ISDIR(mode) and there.st_uid == os.getuid() and not mode & 0o077


def umask() -> int:
    """The bits that new files go without. There is no other way to read them than to set them."""
    bits = os.umask(0o077)
    os.umask(bits)
    return bits


@functools.cache
def private_folder() -> Path:
    """`sweephouse-<uid>` in the system's temporary folder, kept between commands.

    Where others have taken that name, or opened it to themselves, another folder with a name that
    nobody can know, which goes with this process. Raises OSError where none can be made.
    """
    folder = Path(tempfile.gettempdir()) / f"sweephouse-{os.getuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    if is_private(folder):
        return folder
    another = Path(tempfile.mkdtemp(prefix="sweephouse-"))
    atexit.register(shutil.rmtree, another, ignore_errors=True)
    return another
