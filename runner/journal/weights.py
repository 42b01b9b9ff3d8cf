"""Weights as content-addressed files: named by their sha256, stored once, without pickle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.system.paths import open_plain

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FOLDER = "weights"
ARTIFACTS = "artifacts"
"""The folder of files that are no weights."""
STATE = "state"
"""The text's key in a safetensors header."""


@dataclass(frozen=True)
class Stored:
    """One file: where it lies below the results folder, and what it holds."""

    uri: str
    sha256: str
    bytes: int


def save(results: Path, tensors: Mapping[str, Array], state: str | None = None) -> Stored:
    """Store tensors, and a text beside them, as safetensors; fsynced before this returns."""
    from safetensors.numpy import save as to_bytes

    metadata = {STATE: state} if state is not None else None
    return store(results, to_bytes(dict(tensors), metadata), ".safetensors")


def store(results: Path, content: bytes, suffix: str, folder: str = FOLDER) -> Stored:
    """Store bytes under their hash; an equal file that is already there is left alone.

    What lies there and is not equal, since it was damaged, is set aside and replaced.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    uri = f"{folder}/{sha256[:2]}/{sha256}{suffix}"
    path = results / uri
    if not _is_there(path, sha256, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            # On a full disk, half a file would keep what little is left.
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    return Stored(uri, sha256, len(content))


def _is_there(path: Path, sha256: str, size: int) -> bool:
    """Whether a plain file of this content lies there; another one is set aside.

    It may go at any moment: garbage is collected, and a worker's files go when they have arrived.
    """
    try:
        # First: whoever collects garbage sees from here on that somebody refers to it again.
        os.utime(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if _holds(path, sha256, size):
        return True
    if os.path.lexists(path) and not _holds(path, sha256, size):  # nobody has just stored it
        _set_aside(path)
    return False


def _holds(path: Path, sha256: str, size: int) -> bool:
    """Whether a plain file of this content lies there."""
    try:
        there = path.lstat()
        if not stat.S_ISREG(there.st_mode) or there.st_size != size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _set_aside(path: Path) -> None:
    """Give what lies there another name; another process may have been quicker."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)
        sentence = f"{path} was damaged: it is now {aside.name}, and stored again"
        warnings.warn(sentence, stacklevel=4)


def path_of(results: Path, uri: str) -> Path:
    """Where a stored file lies; WarehouseError for a place that is not below the results folder.

    The results folder may be anybody's, and its database name any file of this machine.
    """
    inside = PurePosixPath(uri)
    if inside.is_absolute() or ".." in inside.parts or "\0" in uri:
        raise WarehouseError(f"{uri!r} is no place in the results folder {results}")
    return results / uri


def read(results: Path, uri: str, sha256: str) -> bytes:
    """The file's content; WarehouseError where it is missing or is not what was stored."""
    path = path_of(results, uri)
    try:
        with open_plain(path, follow_links=True) as file:
            content = file.read()
    except OSError as error:
        raise WarehouseError(
            f"the weights file {path} cannot be read: {error.strerror}"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WarehouseError(f"the weights file {path} is not what was stored: its sha256 differs")
    return content


def load(results: Path, uri: str, sha256: str) -> dict[str, Array]:
    """The tensors of a safetensors file, its hash checked."""
    from safetensors.numpy import load as from_bytes

    return from_bytes(read(results, uri, sha256))


def load_state(results: Path, uri: str, sha256: str) -> str:
    """The text that was saved beside the tensors."""
    content = read(results, uri, sha256)
    # safetensors: eight bytes with the header's length, then the header as JSON.
    length = int.from_bytes(content[:8], "little")
    return str(json.loads(content[8 : 8 + length])["__metadata__"][STATE])
