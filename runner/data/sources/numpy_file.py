"""NumPy's files, whatever is in them: cut off, made to fill the memory, or of another kind."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BROKEN = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise of a file that is not as they would have written it."""


def numpy_arrays(file: Path, mapped: bool = False) -> dict[str, Array] | Array:
    """The array of an .npy file, or those of an .npz file by name. Python objects are not read.

    mapped: whether an .npy file's array stays on disk. Raises ValueError with a clause that says
    what is wrong with the file.
    """
    try:
        _check_sizes(file)
        is_npy = mapped and file.suffix.lower() == ".npy"
        if is_npy:
            mapped_array: Array = np.load(file, mmap_mode="r", allow_pickle=False)
            return mapped_array
        with file.open("rb") as stream:  # which NumPy leaves open where the file is broken
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            return {name: loaded[name] for name in loaded.files}
    except BROKEN as error:
        raise ValueError(_reason(error)) from None


def _check_sizes(file: Path) -> None:
    """Raise ValueError where an archive unpacks to more than there is memory."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            if member.filename.endswith(".npy"):
                _check_header(archive, member)
    size = sum(member.file_size for member in members)
    if size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        raise MemoryError(f"it holds {size / 2**30:,.0f} GiB, and no memory is as large")


def _check_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raise ValueError where an array's header promises more than the member holds."""
    with archive.open(member) as stream:
        first = np.lib.format.read_magic(stream)[0]
        read = np.lib.format.read_array_header_1_0
        if first > 1:
            read = np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
    if not kind.hasobject and math.prod(shape) * kind.itemsize > member.file_size:
        raise ValueError(f"the array {member.filename} of shape {shape} is cut off")


def _reason(error: BaseException) -> str:
    """What is wrong, in one line."""
    if "pickle" in str(error):
        return "it holds Python objects, or is none of NumPy's"
    if "mmap length is greater" in str(error):
        return "it is cut off"
    said = " ".join(str(error).partition("\n\n")[0].split())
    return said or type(error).__name__
