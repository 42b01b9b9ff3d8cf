"""A query's rows as parts to train on: in memory if they are few, else streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner import Data, DataError, SplitPlan, Splits, Stream

from .._files.blocks import GLANCE_ROWS, PARTS, SAMPLE_BYTES, SAMPLE_ROWS
from .labels import AnyLabels
from .rows import Check, Layout, Reader, Rows

Array = np.ndarray[Any, Any]
Features = Any
PIECE = 8192
"""Rows that are hashed at once."""


def in_memory(reader: Reader, labels: AnyLabels, test: Reader | None = None) -> Data:
    """All rows as Data, in an order that follows from their content alone.

    test: reads the rows of the test part, where they are kept apart.
    """
    rows = reader.whole()
    part: Array | None = None
    if test is not None:
        held_out = test.whole()
        part = np.repeat(np.array([0, 2], np.int8), [len(rows), len(held_out)])
        rows = Rows.joined([rows, held_out])
    check = Check(reader)
    check.see(rows)
    check.settle()
    labels.see(rows.labels)
    task = labels.settle()
    # A database gives its rows in any order, and the runner draws the split by position.
    order = _by_content(rows)
    is_file = reader.database.source.is_files
    rows = rows.take(order)
    encode = Encoder(reader.layout, _vocabularies(reader.layout, rows.features))
    key = reader.layout.key
    return Data(
        encode(rows.features),
        labels.targets(rows.labels),
        task,
        columns={key.name: rows.key} if key is not None and rows.key is not None else {},
        weights=rows.weights,
        vocabulary=encode.sizes(),
        feature_names=reader.layout.names,
        part=None if part is None else part[order],
        # The places of a file's rows mean something; a database has no order.
        keys=rows.key if rows.key is not None else order if is_file else None,
    )


def _by_content(rows: Rows) -> Array:
    """The rows sorted by what they hold; equal rows are equal in any order."""
    more = [values for values in (rows.key, rows.weights) if values is not None]
    columns = [*rows.features, *rows.labels, *more]
    plain = [np.unique(c, return_inverse=True)[1] if c.dtype == object else c for c in columns]
    return np.lexsort(plain)


@dataclass
class Encoder:
    """Feature columns as what the model is given: one array, or a dict where there is text."""

    layout: Layout
    codes: Mapping[str, Mapping[str, int]]
    """Text column -> text -> code, where text is given as codes."""

    def __call__(self, columns: list[Array]) -> Features:
        if self.layout.numeric:
            return np.stack(columns, axis=1)
        named = zip(self.layout.features, columns, strict=True)
        return {column.name: self._one(column.name, values) for column, values in named}

    def _one(self, name: str, values: Array) -> Array:
        codes = self.codes.get(name)
        if codes is None:
            return values
        try:
            return np.fromiter(map(codes.__getitem__, values.tolist()), np.int32, len(values))
        except KeyError as new:
            raise DataError(
                f"the column '{name}' holds {new.args[0]!r}, which it did not hold when the run "
                "began: the source has changed since"
            ) from None

    def sizes(self) -> dict[str, int]:
        """How many codes each coded column has."""
        return {name: len(codes) for name, codes in self.codes.items()}


def _vocabularies(layout: Layout, columns: list[Array]) -> dict[str, dict[str, int]]:
    if layout.text != "codes":
        return {}
    return {
        column.name: {text: code for code, text in enumerate(sorted(set(values.tolist())))}
        for column, values in zip(layout.features, columns, strict=True)
        if column.family == "text"
    }


# --- Larger than memory --------------------------------------------------------------------------


def streamed(reader: Reader, labels: AnyLabels, split: SplitPlan, rows: int) -> Splits:
    """The query's rows as three streams, after one pass that counts and samples them.

    rows: how many the query has; only the share of rows that is sampled follows from it.
    """
    if reader.ranges is not None:
        reader.database.need_little()
    survey = _survey(reader, labels, split, rows)
    task = labels.settle()
    encode = Encoder(reader.layout, survey.codes)

    def part(number: int) -> Stream | None:
        name = PARTS[number]
        if not survey.counts[number]:
            drawn = survey.split
            if number == 0 or (drawn.val, drawn.test)[number - 1] or (number == 1 and drawn.folds):
                raise DataError(f"the split leaves no row in {name}, of {sum(survey.counts)} rows")
            return None
        sample = survey.samples[number]

        def read(random: np.random.Generator | None) -> Iterator[tuple[Features, Any]]:
            count, mark = 0, 0
            for block in reader.blocks(random):
                mine = block.take(survey.assign(block) == number)
                if not len(mine):
                    continue
                count, mark = count + len(mine), (mark + _mark(mine)) % 2**64
                if count >= survey.counts[number]:
                    # Before its rows are given: who has them all asks for no more.
                    same(count, mark)
                yield encode(mine.features), labels.targets(mine.labels)
            same(count, mark)

        def same(count: int, mark: int) -> None:
            if (count, mark) != (survey.counts[number], survey.marks[number]):
                what = "other values" if count == survey.counts[number] else f"{count} rows"
                raise DataError(
                    f"{reader.database.source.text} has changed while the run trained: {name} "
                    f"has {what} now, {survey.counts[number]} rows when it began"
                )

        return Stream(
            survey.counts[number],
            (encode(sample.features), labels.targets(sample.labels)),
            read,
        )

    train, val, test = (part(number) for number in range(3))
    assert train is not None
    names = reader.layout.names
    return Splits(train, val, test, task, vocabulary=encode.sizes(), feature_names=names)


@dataclass
class _Survey:
    """What the first pass found, by part."""

    assign: Callable[[Rows], Array]
    split: SplitPlan
    """The split by which the parts are drawn, as far as the source does not give them."""
    counts: list[int]
    marks: list[int]
    samples: list[Rows]
    codes: dict[str, dict[str, int]]


def _survey(reader: Reader, labels: AnyLabels, split: SplitPlan, rows: int) -> _Survey:
    """Pass over all rows once: count, check, sample, and collect labels and texts."""
    layout = reader.layout
    if (split.by or "").startswith("column:"):
        assign, split = _as_named(reader, split)
    else:
        assign = _assignment(reader, split, rows)
    check = Check(reader)
    counts, marks = [0, 0, 0], [0, 0, 0]
    kept: list[list[Rows]] = [[], [], []]
    texts: list[set[str]] = [set() for _ in layout.features]
    most = max(1, min(SAMPLE_ROWS, SAMPLE_BYTES // max(1, layout.row_bytes)))
    drawn = _draw(layout, split.seed, most / max(1, rows))
    for block in reader.blocks():
        check.see(block)
        labels.see(block.labels)
        if layout.text == "codes":
            for seen, values in zip(texts, block.features, strict=True):
                if values.dtype == object:
                    seen.update(values.tolist())
        place = assign(block)
        for number in range(3):
            mine = block.take(place == number)
            if not len(mine):
                continue
            counts[number] += len(mine)
            marks[number] = (marks[number] + _mark(mine)) % 2**64
            if number == 0:
                kept[number].append(mine.take(drawn(mine)))
            elif not kept[number]:
                kept[number].append(mine.take(np.arange(min(len(mine), GLANCE_ROWS))))
    check.settle()
    samples = [Rows.joined(parts) if parts else Rows([], [], None) for parts in kept]
    if counts[0] and not len(samples[0]):
        raise DataError(f"{reader.database.source.text} repeats one row over and over")
    samples = [rows.take(_by_content(rows)) if len(rows.labels) else rows for rows in samples]
    codes = {
        column.name: {text: code for code, text in enumerate(sorted(seen))}
        for column, seen in zip(layout.features, texts, strict=True)
        if layout.text == "codes" and column.family == "text"
    }
    return _Survey(assign, split, counts, marks, samples, codes)


def _draw(layout: Layout, seed: int, share: float) -> Callable[[Rows], Array]:
    """The function that draws about so large a share of a block by the content of its rows."""
    if share >= 1:
        return lambda block: np.ones(len(block), bool)
    # Another seed than the split's own, whose numbers are small in test and large in train.
    chosen = SplitPlan(val=share, test=0.0, seed=seed + 2**32)
    assign = _in_pieces(chosen, layout)
    return lambda block: assign(block) == 1


def _in_pieces(split: SplitPlan, layout: Layout) -> Callable[[Rows], Array]:
    """The function that gives rows their part by what the runner calls the content of an array.

    That is all features. Hashing takes some times the memory of the rows, hence a few at once.
    """

    def assign(block: Rows) -> Array:
        places = []
        for first in range(0, len(block), PIECE):
            columns = [values[first : first + PIECE] for values in block.features]
            keys = [np.stack(columns, axis=1)] if layout.numeric else columns
            places.append(split.assign(*keys))
        return np.concatenate(places)

    return assign


def _mark(rows: Rows) -> int:
    """A sum over the bits of numbers and labels: cheap, and free of the rows' order."""
    total = 0
    for values in (*rows.features, *rows.labels):
        if values.dtype.kind == "f":
            bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
            total += int(bits.sum(dtype=np.uint64))
    return total % 2**64


def _assignment(reader: Reader, split: SplitPlan, rows: int) -> Callable[[Rows], Array]:
    """The function that gives each row of a block its part."""
    if split.by is None or split.by == "hash":
        return _remembered(_in_pieces(split, reader.layout))
    if not split.by.startswith("time:"):
        return lambda block: split.assign(_key_of(block))
    return _by_time(reader, split, rows)


def _as_named(reader: Reader, split: SplitPlan) -> tuple[Callable[[Rows], Array], SplitPlan]:
    """The function that gives rows the part that their column names, and the split of the rest."""
    counted = [(str(value), rows) for value, rows in reader.by_key() if value is not None]
    values, rows = np.array([value for value, _ in counted]), [count for _, count in counted]
    rest = split.rest(np.bincount(split.named(values), rows, len(PARTS)).astype(int).tolist())
    if not (rest.val or rest.folds):
        return lambda block: split.named(_key_of(block)), rest
    drawn = _in_pieces(rest, reader.layout)

    def assign(block: Rows) -> Array:
        given = split.named(_key_of(block))
        return np.where(given == 0, drawn(block), given)

    return _remembered(assign), rest


def _remembered(assign: Callable[[Rows], Array]) -> Callable[[Rows], Array]:
    """The same function, which computes the parts of a block that it knows by number only once.

    Hashing a row takes longer than reading it. A row costs a quarter of a byte.
    """
    known: dict[int, tuple[int, Array]] = {}

    def look_up(block: Rows) -> Array:
        if block.number is None:
            return assign(block)
        if block.number not in known:
            place = assign(block)
            bits = np.packbits([place == 1, place == 2], axis=1)
            known[block.number] = len(place), bits
            return place
        count, bits = known[block.number]
        if count != len(block):  # told at the end of the pass
            return assign(block)
        val, test = np.unpackbits(bits, axis=1, count=count)
        return np.asarray(val + 2 * test)

    return look_up


def _key_of(block: Rows) -> Array:
    assert block.key is not None
    return block.key


def _by_time(reader: Reader, split: SplitPlan, rows: int) -> Callable[[Rows], Array]:
    """The latest rows are test, those before them val; rows of one time stay together."""
    if split.folds is not None:
        raise DataError(
            f"split.folds={split.folds} with split.by={split.by} is for data in memory; of "
            f"{rows} rows that are streamed, give split.val and split.test instead"
        )
    val, test = _limits(reader, (1 - split.test - split.val, 1 - split.test), rows)

    def assign(block: Rows) -> Array:
        time = _key_of(block)
        place = np.zeros(len(block), np.int8)
        place[time >= val] = 1
        place[time >= test] = 2
        return place

    return assign


def _limits(reader: Reader, shares: tuple[float, float], rows: int) -> list[Any]:
    """The times from which on the shares of all rows are passed, the nearest there are.

    Counted by DuckDB, which spills to disk, and read in the order of time.
    """
    times: list[Any] = []
    before = 0
    wanted = [share * rows for share in shares]
    for time, count in reader.by_key():
        while len(times) < 2 and before + count / 2 >= wanted[len(times)]:
            times.append(time)
        before += count
    infinite: list[Any] = [np.inf, np.inf]
    return (times + infinite)[:2]
