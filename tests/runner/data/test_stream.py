"""Parts larger than memory: what is read when, in which order, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runner.components.types import Splits, Stream, Task
from runner.config.compose import compose
from runner.data import stream
from runner.data.prepare import prepare
from runner.data.stream import Window, ahead, head, windows
from runner.errors import DataError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.events import Event, Kept
from tests.conftest import Site
from tests.runner.pairs import apart, compared, events_of, job_from, job_of, resumed


def numbered(rows: int, block: int, read: list[int] | None = None) -> Stream:
    """Rows that know their number; `read` takes the first row of every block that is read."""

    def blocks(generator: np.random.Generator | None) -> Iterator[Any]:
        starts = np.arange(0, rows, block)
        if generator is not None:
            generator.shuffle(starts)
        for at in starts:
            if read is not None:
                read.append(int(at))
            numbers = np.arange(at, min(at + block, rows))
            yield numbers[:, None].astype("float32"), numbers % 2

    return Stream(
        rows, (np.arange(min(rows, 50), dtype="float32")[:, None], np.arange(50) % 2), blocks
    )


def rows_of(window: Window) -> list[int]:
    """The numbers of the rows that a window gives, in order."""
    assert isinstance(window.features, np.ndarray)
    return [int(row) for row in window.features[window.index, 0]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 100 rows."""
    monkeypatch.setattr(stream, "WINDOW_ROWS", 100)


# --- Windows -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("rows", "block", "batch"), [(1000, 30, 7), (205, 64, 50), (90, 8, 90)])
def test_a_pass_gives_every_row_once_in_full_batches_until_its_end(
    rows: int, block: int, batch: int
) -> None:
    for epoch in (None, (3, 1)):
        found = [rows_of(window) for window in windows(numbered(rows, block), batch, epoch)]
        assert sorted(row for window in found for row in window) == list(range(rows))
        assert all(len(window) % batch == 0 for window in found[:-1])
        if epoch is None:
            assert [row for window in found for row in window] == list(range(rows))


@pytest.mark.usefixtures("small")
def test_a_batch_larger_than_a_window_is_gathered_from_several() -> None:
    found = [rows_of(window) for window in windows(numbered(1000, 30), 450, (0, 1))]
    assert [len(window) // 450 for window in found] == [1, 1, 0]
    assert sorted(row for window in found for row in window) == list(range(1000))


@pytest.mark.usefixtures("small")
def test_the_order_follows_from_seed_and_epoch() -> None:
    def order(*epoch: int) -> list[int]:
        passes = windows(numbered(400, 30), 8, (epoch[0], epoch[1]))
        return [row for window in passes for row in rows_of(window)]

    assert order(1, 1) == order(1, 1)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (1, 2)}) == 4
    # Within a window the rows of its blocks are mixed.
    assert order(1, 1)[:8] != sorted(order(1, 1)[:8])


@pytest.mark.usefixtures("small")
def test_blocks_are_read_when_they_are_needed_and_one_window_ahead() -> None:
    read: list[int] = []
    passing = ahead(windows(numbered(3000, 50, read), 10, (0, 1)))
    next(passing)
    assert len(read) <= 6  # of 60
    next(passing)
    assert len(read) <= 8
    passing.close()  # type: ignore[attr-defined]
    assert len(read) <= 8


@pytest.mark.usefixtures("small")
def test_a_pass_that_is_cut_short_reads_no_further_and_closes_its_source() -> None:
    read: list[int] = []
    found = list(windows(numbered(3000, 50, read), 10, (0, 1), rows=150))
    assert sum(len(window.index) for window in found) == 150
    assert len(read) == 4
    assert head(numbered(3000, 50, read), 60).rows == 60  # type: ignore[union-attr]
    assert len(read) == 4


@pytest.mark.parametrize(("said", "gives"), [(100, 90), (90, 100)])
def test_a_source_that_changed_is_told(said: int, gives: int) -> None:
    source = numbered(gives, 30)
    with pytest.raises(DataError, match="it changed"):
        list(windows(Stream(said, source.sample, source.read), 10))


def test_what_the_source_raises_reaches_the_reader() -> None:
    def broken(generator: Any) -> Iterator[Any]:
        yield np.ones((5, 1), "float32"), np.zeros(5)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(ahead(windows(Stream(10, (np.ones((5, 1)), np.zeros(5)), broken), 5)))


# --- Training ------------------------------------------------------------------------------------

FLOWING = """
import numpy as np
from runner import Splits, Stream, Task, dataset

def part(rows, seed, block):
    draw = np.random.Generator(np.random.Philox(key=[seed, 9]))
    values = draw.normal(size=(rows, 3)) * 5
    labels = (values[:, 0] * values[:, 1] > 3).astype(int)
    def read(generator):
        starts = np.arange(0, rows, block)
        if generator is not None:
            generator.shuffle(starts)
        for at in starts:
            yield values[at:at + block], labels[at:at + block]
    return Stream(rows, (values[:400], labels[:400]), read)

def said(*, rows, block):
    return f"{rows} {block}"

@dataset(identity=said)
def flowing(*, rows: int = 1500, block: int = 130):
    '''A stream.'''
    task = Task.classification(2)
    return Splits(part(rows, 1, block), part(300, 2, block), part(310, 3, block), task)

@dataset
def nameless():
    '''A stream that does not say what it is.'''
    return Splits(part(900, 1, 70), None, None, Task.classification(2))
"""
WORDS = (
    "dataset=flowing",
    "architecture.units=[6]",
    "epochs=3",
    "regularizer=[]",
    "batch_size=64",
)


@pytest.fixture
def flowing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with datasets that are streams, and windows of 500 rows."""
    site.install(FLOWING)
    monkeypatch.setattr(stream, "WINDOW_ROWS", 500)


@pytest.mark.many
@pytest.mark.usefixtures("flowing")
@pytest.mark.parametrize(
    "more",
    [
        ("preprocessing=[standardize]", "regularizer=[dropout]", "class_weight=balanced"),
        ("limit_batches=5",),
        ("batch_size=700",),
    ],
)
@pytest.mark.slow
def test_both_engines_train_on_the_same_batches(more: tuple[str, ...]) -> None:
    found = compared([*WORDS, *more])
    assert found.engine == "fast"
    assert found.numbers <= 1e-6, found
    assert found.weights <= 1e-5, found


def without_checkpoints(events: list[Event]) -> list[Event]:
    return [e for e in events if not (isinstance(e, Kept) and e.role == "checkpoint")]


@pytest.mark.slow
@pytest.mark.usefixtures("flowing")
@pytest.mark.parametrize(("first", "then"), [("keras", "fast"), ("fast", "keras")])
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(first: str, then: str) -> None:
    whole = without_checkpoints(events_of(job_of(WORDS), "fast"))
    found = apart(WORDS, whole, without_checkpoints(resumed(WORDS, first, then, 2)))
    assert found.numbers <= 1e-6, found


@pytest.mark.slow
@pytest.mark.usefixtures("flowing")
@pytest.mark.exhaustive
def test_training_learns_from_a_stream_as_from_arrays_in_memory(train: Any) -> None:
    outcome = train(*WORDS, "epochs=25", "preprocessing=[standardize]")
    assert outcome.status == "finished"
    assert outcome.evaluations["test"]["accuracy"] > 0.85


@pytest.mark.slow
@pytest.mark.usefixtures("flowing")
def test_a_stream_that_does_not_say_what_it_is_is_refused(train: Any) -> None:
    from runner.errors import PluginError

    with pytest.raises(PluginError, match=r"'nameless' returns a Stream.*identity="):
        train("dataset=nameless")


@pytest.mark.usefixtures("flowing")
def test_parts_of_its_own_and_split_by_do_not_go_together(train: Any) -> None:
    with pytest.raises(DataError, match=r"split\.by=hash is of no use: dataset 'flowing' comes"):
        train(*WORDS, "split.by=hash")


@pytest.mark.many
@pytest.mark.parametrize("engine", ["keras", "fast"])
@pytest.mark.parametrize(
    ("later", "sentence"),
    [
        ((np.full((20, 1), np.nan), np.zeros(20)), r"20 missing values \(NaN\) in train"),
        ((np.ones((20, 1)), np.full(20, 7)), "the label 7"),
        (
            (np.ones((20, 2)), np.zeros(20)),
            r"shape \(2,\) in a block of train and of shape \(1,\) in train",
        ),
    ],
)
def test_a_block_that_cannot_be_trained_on_fails_the_run_in_a_sentence(
    engine: str, later: Any, sentence: str
) -> None:
    def read(generator: Any) -> Iterator[Any]:
        yield np.ones((20, 1)), np.arange(20) % 2
        yield later

    part = Stream(40, (np.ones((20, 1)), np.arange(20) % 2), read)
    config, _ = compose(["batch_size=5", "epochs=1", "architecture=linear", "split.val=0"])
    data = prepare(Splits(part, None, None, Task.classification(2)), config)
    start, *_, end = events_of(job_from(config, data), engine)
    assert isinstance(start, RunStart) and isinstance(end, RunEnd)
    assert end.status == "failed"
    assert end.error is not None and end.error.startswith("DataError: dataset")
    assert re.search(sentence, end.error)


def test_overfitting_a_stream_takes_one_batch_of_its_sample() -> None:
    config, _ = compose(["batch_size=5", "epochs=1", "architecture=linear", "debug=overfit"])
    data = prepare(Splits(numbered(400, 30), None, None, Task.classification(2)), config)
    assert data.rows() == {"train": 5, "val": 5}
    assert any(isinstance(event, EpochEnd) for event in events_of(job_from(config, data), "fast"))
