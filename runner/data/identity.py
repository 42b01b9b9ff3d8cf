"""What the data are: an identity that needs neither TensorFlow nor, as a rule, the data.

A dataset says it as text or as files (or as files by name, where the names say something too);
files are hashed by content, and the hash is remembered by path, size and time of change, so that
a sweep hashes a file once. A dataset that says nothing is
loaded and its arrays are hashed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.components.types import Data, Splits, Stream
from runner.config.config import Choice
from runner.data.cache import recall, remember
from runner.errors import DataError, PluginError

if TYPE_CHECKING:
    from runner.components.types import Array, Part

CACHE = "file-hashes.json"


def data_identity(choice: Choice, load: Callable[[], Data | Splits], results: Path) -> str:
    """The identity as text; DataError where a file is missing.

    load: loads the data, called only if the dataset cannot say what it is.
    results: the folder that keeps the remembered hashes.
    """
    say = choice.component.marks.identity
    if say is None:
        return _arrays(choice, load())
    said = say(**choice.params)
    if isinstance(said, str):
        return said
    if isinstance(said, Mapping):
        pairs = list(zip(said, file_hashes(list(said.values()), results), strict=True))
        return "sha256:" + hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
    files = [said] if isinstance(said, Path) else list(said)
    return "sha256:" + hashlib.sha256("".join(file_hashes(files, results)).encode()).hexdigest()


def file_hashes(files: Sequence[Path], results: Path) -> list[str]:
    """sha256 of each file, from the cache where path, size and time of change are the same."""
    cache = results / CACHE
    known = recall(cache, _hash)
    fresh = dict(known)
    found = []
    for file in files:
        try:
            stat = file.stat()
            key = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
            if key not in fresh:
                with file.open("rb") as opened:
                    fresh[key] = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"the data file {file} cannot be read: {error.strerror}") from error
        found.append(fresh[key])
    if fresh != known:
        remember(cache, fresh)
    return found


def _hash(body: Any) -> str | None:
    return body if isinstance(body, str) and re.fullmatch("[0-9a-f]{64}", body) else None


def _arrays(choice: Choice, data: Data | Splits) -> str:
    """sha256 over names, shapes, types and contents of all arrays."""
    digest = hashlib.sha256()
    for name, array in _parts(choice, data):
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        if array.dtype == object:
            digest.update(json.dumps([str(value) for value in array.ravel()]).encode())
        else:
            digest.update(array.tobytes())
    if data.vocabulary:
        digest.update(json.dumps(sorted(data.vocabulary.items())).encode())
    return f"sha256:{digest.hexdigest()}"


def _parts(choice: Choice, data: Data | Splits) -> Iterator[tuple[str, Array]]:
    """Every array; the one array of features, and targets, have no name."""
    parts = [(data.features, data.targets)] if isinstance(data, Data) else _given(data)
    for part in parts:
        if isinstance(part, Stream):
            raise PluginError(
                f"dataset '{choice.component.name}' returns a Stream, which cannot be read whole "
                "to say what it is: give it @dataset(identity=...)"
            )
        features, targets = part
        yield from sorted(features.items()) if isinstance(features, dict) else [("", features)]
        yield "", targets
    if data.weights is not None:
        yield "weights", data.weights
    if isinstance(data, Data):
        yield from sorted(data.columns.items())
        if data.part is not None:
            yield "part", data.part


def _given(splits: Splits) -> list[Part]:
    return [part for part in (splits.train, splits.val, splits.test) if part is not None]
