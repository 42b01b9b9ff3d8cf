"""Weights as files that are named by what they hold."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from runner.errors import WarehouseError
from runner.journal import weights

TENSORS = {"dense/kernel": np.arange(6, dtype="float32").reshape(2, 3), "dense/bias": np.zeros(3)}


def test_tensors_come_back_bit_for_bit(results: Path) -> None:
    odd = {"x": np.array([np.nan, -0.0, np.inf, 1e-45], "float32"), "empty": np.zeros((0, 4))}
    stored = weights.save(results, TENSORS | odd)
    back = weights.load(results, stored.uri, stored.sha256)
    assert set(back) == {*TENSORS, *odd}
    for name, tensor in (TENSORS | odd).items():
        assert back[name].dtype == tensor.dtype
        assert back[name].shape == tensor.shape
        assert back[name].tobytes() == tensor.tobytes()


def test_equal_content_is_one_file_and_no_draft_is_left(results: Path) -> None:
    one, other = weights.save(results, TENSORS), weights.save(results, dict(TENSORS))
    assert one == other
    files = [path for path in results.rglob("*") if path.is_file()]
    assert files == [results / one.uri]
    assert files[0].stat().st_size == one.bytes


def test_the_name_is_the_hash_of_the_content(results: Path) -> None:
    import hashlib

    stored = weights.store(results, b"content", ".json")
    assert stored.sha256 == hashlib.sha256(b"content").hexdigest()
    assert stored.uri == f"weights/{stored.sha256[:2]}/{stored.sha256}.json"


def test_storing_again_renews_the_files_age(results: Path) -> None:
    # The garbage collector spares young files, whose row may not be written yet.
    path = results / weights.store(results, b"content", ".json").uri
    os.utime(path, (1, 1))
    weights.store(results, b"content", ".json")
    assert path.stat().st_mtime > 1


def test_a_file_may_go_while_it_is_stored_again(results: Path) -> None:
    # As a worker's files go when they have arrived at the head, and garbage is collected.
    stored = weights.store(results, b"matrix", ".svg", weights.ARTIFACTS)
    over = threading.Event()

    def take_away() -> None:
        while not over.is_set():
            (results / stored.uri).unlink(missing_ok=True)

    taker = threading.Thread(target=take_away)
    taker.start()
    try:
        for _ in range(300):
            assert weights.store(results, b"matrix", ".svg", weights.ARTIFACTS) == stored
    finally:
        over.set()
        taker.join()
    assert not list((results / stored.uri).parent.glob("*damaged*"))


def test_an_altered_file_is_refused(results: Path) -> None:
    stored = weights.save(results, TENSORS)
    path = results / stored.uri
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match="is not what was stored"):
        weights.load(results, stored.uri, stored.sha256)


def test_a_missing_file_is_named(results: Path) -> None:
    with pytest.raises(WarehouseError, match=r"gone\.safetensors cannot be read: No such file"):
        weights.read(results, "weights/gone.safetensors", "0" * 64)
