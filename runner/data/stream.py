"""Parts larger than memory: blocks, and windows of blocks in which rows are shuffled.

A pass over a stream reads blocks, gathers some of them into a window, draws the order of the
window's rows from (seed, epoch), and cuts batches from it; what is left of a window after its
last full batch goes into the next one, so that only an epoch's last batch may be smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from runner.components.types import Stream
from runner.data.parts import chosen, joined, named
from runner.errors import DataError

if TYPE_CHECKING:
    from runner.components.types import Array, Features, Part

    Block = tuple[Features, Array]

WINDOW_ROWS = 2 * 65536
WINDOW_BYTES = 64 * 2**20
"""A window ends with the block by which it reaches either."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Window:
    """Rows of a pass that are in memory together."""

    features: Features
    targets: Array
    index: Array
    """The row numbers to take, in this order, int64: full batches, until the pass ends."""


def example_of(part: Part) -> Block:
    """Features and targets of some rows of the part: all of them, or a stream's sample."""
    return part.sample if isinstance(part, Stream) else part


def rows_of(part: Part) -> int:
    """How many rows the part has."""
    return part.rows if isinstance(part, Stream) else len(part[1])


def mapped(part: Part, change: Callable[[Features, Array], Features]) -> Part:
    """The part with its features changed: at once, or block by block whenever it is read.

    change: from features and targets to the new features.
    """
    return remade(part, lambda features, targets: (change(features, targets), targets))


def remade(part: Part, change: Callable[[Features, Any], Block]) -> Part:
    """The part with features and targets changed, in the same way.

    change: from features and targets to both of them anew.
    """
    if not isinstance(part, Stream):
        return change(*part)

    def read(generator: np.random.Generator | None) -> Iterator[Block]:
        with closing(closable(part.read(generator))) as blocks:
            for features, targets in blocks:
                yield change(features, targets)

    return replace(part, sample=change(*part.sample), read=read)


def head(part: Part, rows: int) -> Part:
    """The first rows of the part in its own order."""
    if not isinstance(part, Stream):
        return chosen(part[0], slice(rows)), part[1][:rows]

    def read(generator: np.random.Generator | None) -> Iterator[Block]:
        left = min(rows, part.rows)
        with closing(closable(part.read(generator))) as blocks:
            for features, targets in blocks:
                yield chosen(features, slice(left)), targets[:left]
                left -= min(left, len(targets))
                if not left:
                    return

    return replace(part, rows=min(rows, part.rows), read=read)


def windows(
    stream: Stream, batch_size: int, epoch: tuple[int, int] | None = None, rows: int | None = None
) -> Generator[Window]:
    """One pass over the stream.

    epoch: (seed, epoch), from which all order follows; None for the stream's own order.
    rows: take so many and stop; None for all.

    Raises DataError where the source gives more rows than it said, or fewer.
    """
    key = None if epoch is None else list(epoch)
    wanted = stream.rows if rows is None else rows
    generator = None if key is None else np.random.Generator(np.random.Philox(key=key))
    seen = taken = 0
    left: Block | None = None
    with closing(closable(stream.read(generator))) as blocks:
        for number, (features, targets) in enumerate(_gathered(blocks), 1):
            targets = np.asarray(targets, dtype=stream.sample[1].dtype)
            seen += len(targets)
            if seen > stream.rows:
                raise DataError(f"the source gave more than its {stream.rows} rows: it changed")
            if left is not None:
                features, targets = joined([left[0], features]), np.concatenate([left[1], targets])
            index = np.arange(len(targets))
            if key is not None:
                # The counter's last word keeps this apart from what the source draws.
                philox = np.random.Philox(key=key, counter=[0, 0, 0, number])
                np.random.Generator(philox).shuffle(index)
            full = len(index) if seen == stream.rows else len(index) // batch_size * batch_size
            cut = min(full, wanted - taken)
            left = chosen(features, index[cut:]), targets[index[cut:]]
            if cut:
                yield Window(features, targets, index[:cut])
                taken += cut
            del features, targets  # before the next ones are made
            if taken == wanted:
                return
    raise DataError(f"the source gave {seen} of its {stream.rows} rows: it changed")


def _gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, so many at a time as make a window."""
    held: list[Block] = []
    rows = size = 0
    for features, targets in blocks:
        if not len(targets):
            continue
        held.append((features, targets))
        rows += len(targets)
        size += targets.nbytes + sum(array.nbytes for array in named(features).values())
        if rows >= WINDOW_ROWS or size >= WINDOW_BYTES:
            rows = size = 0
            yield _together(held)
    if held:
        yield _together(held)


def _together(held: list[Block]) -> Block:
    """The blocks as one; the list is left empty, so that nobody keeps them."""
    features = joined([block[0] for block in held])
    targets = held[0][1] if len(held) == 1 else np.concatenate([block[1] for block in held])
    held.clear()
    return features, targets


def in_order(window: Window) -> Block:
    """The window's rows, of a pass in the stream's own order."""
    rows = slice(len(window.index))
    return chosen(window.features, rows), window.targets[rows]


def ahead(items: Generator[Item]) -> Iterator[Item]:
    """The same items, the next one always being made in a thread while one is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="stream") as thread:
        try:
            coming = thread.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item
        finally:
            thread.submit(items.close)


def closable(items: Iterator[Item]) -> Generator[Item]:
    """The iterator with a `close`, which a source that is no generator lacks."""
    return items if isinstance(items, Generator) else (item for item in items)
