"""What the data are: said by files, by text, or by the arrays themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.components.types import Data, Splits, Task
from runner.config.compose import compose
from runner.config.config import Choice
from runner.data.identity import data_identity
from runner.data.profile import first_look
from runner.errors import DataError
from tests.conftest import Site

DATASETS = """
from pathlib import Path
from runner import dataset

def said(*, version: int):
    return f"table of version {version}"

@dataset(identity=said)
def named(*, version: int = 1):
    '''Says in words what it is.'''

def _labelled(*, first: Path, second: Path):
    return {"cat": first, "dog": second}

@dataset(identity=_labelled)
def labelled(*, first: Path, second: Path):
    '''Says which file is which.'''

@dataset
def silent():
    '''Says nothing.'''
"""


def chosen(*overrides: str) -> Choice:
    return compose(overrides)[0].one("dataset")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.eye(3), y=np.arange(3))
    return path


@pytest.fixture
def identify(results: Path) -> Callable[..., str]:
    """The identity of a chosen dataset that must not be loaded for it."""

    def identify(*overrides: str) -> str:
        return data_identity(chosen(*overrides), pytest.fail, results)

    return identify


def test_files_are_known_by_content_not_by_name(
    identify: Callable[..., str], file: Path, tmp_path: Path
) -> None:
    first = identify("dataset=arrays", f"dataset.path={file}")
    moved = file.rename(tmp_path / "other.npz")
    assert identify("dataset=arrays", f"dataset.path={moved}") == first
    moved.write_bytes(moved.read_bytes() + b"x")
    assert identify("dataset=arrays", f"dataset.path={moved}") != first


def test_a_file_is_hashed_once_until_its_size_or_time_changes(
    identify: Callable[..., str], file: Path
) -> None:
    words = ("dataset=arrays", f"dataset.path={file}")
    first = identify(*words)
    stamp = file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    # Size and time as before: nothing tells that the file must be read again.
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert identify(*words) == first
    os.utime(file)
    assert identify(*words) != first


def test_a_damaged_memory_of_hashes_is_no_harm(
    identify: Callable[..., str], file: Path, results: Path
) -> None:
    words = ("dataset=arrays", f"dataset.path={file}")
    first = identify(*words)
    (results / "file-hashes.json").write_text("{torn", encoding="utf-8")
    assert identify(*words) == first


DAMAGED = {
    "junk": b"\xff\xfe\0 junk",
    "a number": b"7",
    "null": b"null",
    "a list": b'[{"a": 1}]',
    "no number": b"NaN",
    "deep": b"[" * 100_000,
    "deep mappings": b'{"a":' * 100_000,
    "other types": b'{"KEY": 7}',
    "a list of lists": b'{"KEY": [[1]]}',
    "no hash": b'{"KEY": "abc"}',
    "half a profile": b'{"KEY": {"rows": 3, "columns": [{"name": 1}], "label": "x"}}',
    "a profile of other types": b'{"KEY": {"rows": "3", "columns": [], "label": []}}',
    "a profile without a mean": b'{"KEY": {"rows": 3, "columns": [{"name": "a", "type": "b", '
    b'"missing": 0, "mean": NaN}], "label": []}}',
    "classes of nothing": b'{"KEY": {"rows": 3, "columns": [], "label": [], "classes": [1]}}',
}


def _as_content(content: bytes) -> Callable[[Path], None]:
    def damage(cache: Path) -> None:
        # Under the very keys that are asked for.
        [*keys] = json.loads(cache.read_text(encoding="utf-8"))
        cache.write_bytes(content.replace(b"KEY", keys[0].encode()))

    return damage


def _as_folder(cache: Path) -> None:
    cache.unlink()
    cache.mkdir()


def _as_pipe(cache: Path) -> None:
    cache.unlink()
    os.mkfifo(cache)


def _as_link_to_itself(cache: Path) -> None:
    cache.unlink()
    cache.symlink_to(cache)


@pytest.mark.many
@pytest.mark.parametrize(
    "damage",
    [*map(_as_content, DAMAGED.values()), _as_folder, _as_pipe, _as_link_to_itself],
    ids=[*DAMAGED, "a folder", "a pipe", "a link to itself"],
)
def test_a_memory_that_cannot_be_read_is_made_anew(
    file: Path, results: Path, damage: Callable[[Path], None]
) -> None:
    choice = chosen("dataset=arrays", f"dataset.path={file}")
    data: Any = Data(np.eye(3), np.arange(3), Task.classification(3))

    def look() -> tuple[str, Any]:
        identity = data_identity(choice, pytest.fail, results)
        seen = first_look(choice, data, identity, results)
        assert seen is not None
        seen.remember()
        return identity, seen.profile

    caches = [results / "file-hashes.json", results / "data-profiles.json"]
    first = look()
    whole = [cache.read_text(encoding="utf-8") for cache in caches]
    for cache in caches:
        damage(cache)
    assert look() == first
    if not caches[0].is_dir():
        assert [cache.read_text(encoding="utf-8") for cache in caches] == whole


def test_a_place_where_nothing_can_be_remembered_is_no_harm(
    identify: Callable[..., str], file: Path, results: Path
) -> None:
    results.write_text("a file, not a folder", encoding="utf-8")
    assert identify("dataset=arrays", f"dataset.path={file}").startswith("sha256:")
    assert results.read_text(encoding="utf-8") == "a file, not a folder"


def test_a_missing_file_is_named(identify: Callable[..., str], tmp_path: Path) -> None:
    missing = tmp_path / "missing.npz"
    with pytest.raises(DataError, match=r"missing\.npz does not exist"):
        identify("dataset=arrays", f"dataset.path={missing}")


def test_a_dataset_may_say_in_words_what_it_is(site: Site, identify: Callable[..., str]) -> None:
    site.install(DATASETS)
    assert identify("dataset=named") == "table of version 1"
    assert identify("dataset=named", "dataset.version=2") == "table of version 2"


def test_files_by_name_are_known_by_their_names_too(
    site: Site, identify: Callable[..., str], tmp_path: Path
) -> None:
    site.install(DATASETS)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("meow", encoding="utf-8")
    two.write_text("woof", encoding="utf-8")

    def known(first: Path, second: Path) -> str:
        return identify("dataset=labelled", f"dataset.first={first}", f"dataset.second={second}")

    before = known(one, two)
    assert known(two, one) != before
    moved = one.rename(tmp_path / "three")
    assert known(moved, two) == before


def part(rows: int, fill: float) -> tuple[Any, Any]:
    return np.full((rows, 2), fill), np.zeros(rows)


@pytest.mark.slow
def test_a_silent_dataset_is_known_by_its_arrays(site: Site, results: Path) -> None:
    site.install(DATASETS)

    def identity(data: Data | Splits) -> str:
        return data_identity(chosen("dataset=silent"), lambda: data, results)

    task = Task.binary()
    whole = identity(Data(*part(4, 1.0), task))
    assert identity(Data(*part(4, 1.0), task)) == whole
    seen = {
        whole,
        identity(Data(*part(4, 2.0), task)),
        identity(Data(*part(5, 1.0), task)),
        identity(Data(part(4, 1.0)[0].astype("float32"), part(4, 1.0)[1], task)),
        identity(Splits(part(4, 1.0), None, part(4, 3.0), task)),
        identity(Splits(part(4, 1.0), part(4, 3.0), part(4, 3.0), task)),
    }
    assert len(seen) == 6


@pytest.mark.slow
def test_a_silent_dataset_of_several_inputs_is_known_by_all_of_them(
    site: Site, results: Path
) -> None:
    site.install(DATASETS)
    targets = np.arange(3) % 2

    def identity(words: Any, vocabulary: Any = None, weights: Any = None, **columns: Any) -> str:
        features = {"word": np.array(words, dtype=object), "size": np.arange(3)}
        data = Data(features, targets, Task.binary(), columns, weights, vocabulary or {})
        return data_identity(chosen("dataset=silent"), lambda: data, results)

    whole = identity(["a", "b", "c"])
    assert identity(["a", "b", "c"]) == whole
    seen = {
        whole,
        identity(["a", "bc", ""]),
        identity(["a", "b", "c"], vocabulary={"size": 3}),
        identity(["a", "b", "c"], weights=np.ones(3)),
        identity(["a", "b", "c"], day=np.arange(3)),
    }
    assert len(seen) == 5
