"""The raw rows of each split, as evaluators get them; made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from runner.components.part_names import PARTS
from runner.components.types import Data, SplitRows, Stream
from runner.data.checks import parts
from runner.data.parts import chosen, joined
from runner.data.splitting import divide
from runner.data.stream import head

if TYPE_CHECKING:
    from runner.components.types import Array, Part, Splits
    from runner.config.settings import Settings

MOST = 100_000
"""Rows of a stream that are held in memory."""
Value = TypeVar("Value")


class Lazy(Mapping[str, Value], Generic[Value]):
    """Values by name, each made when it is first asked for."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Value]) -> None:
        self._names, self._make = tuple(names), make
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def raw_rows(data: Data | Splits, settings: Settings) -> Mapping[str, SplitRows]:
    """The rows of train, val and test, as far as there are such, in the order of `Prepared`."""
    by_part = _cut(_numbers(data, settings), settings) if isinstance(data, Data) else {}
    names = [*by_part] if isinstance(data, Data) else [name for name, _ in parts(data)]
    if settings.debug == "overfit":
        names = ["train", "val"]

    def make(name: str) -> SplitRows:
        if isinstance(data, Data):
            return rows_at(data, by_part[name])
        part = data.train if settings.debug == "overfit" else getattr(data, name)
        return rows_of_part(_limited(name, part, settings), data.feature_names)

    return Lazy(names, make)


def rows_at(data: Data, numbers: Array | None = None) -> SplitRows:
    """Some of the rows of undivided data, or all of them."""
    if numbers is None:
        numbers = np.arange(len(data.targets))
    keys = numbers if data.keys is None else np.asarray(data.keys)[numbers]
    return SplitRows(
        features=chosen(data.features, numbers),
        targets=data.targets[numbers],
        columns={name: np.asarray(values)[numbers] for name, values in data.columns.items()},
        feature_names=data.feature_names,
        keys=keys,
    )


def rows_of_part(part: Part, feature_names: Sequence[str] = ()) -> SplitRows:
    """The rows of a part; of a stream, its first ones."""
    if isinstance(part, Stream):
        blocks = list(head(part, MOST).read(None))  # type: ignore[union-attr]
        part = joined([block[0] for block in blocks]), np.concatenate([b[1] for b in blocks])
    return SplitRows(features=part[0], targets=part[1], feature_names=feature_names)


def _numbers(data: Data, settings: Settings) -> dict[str, Array]:
    """The numbers of the rows of each part that has any."""
    divided = zip(PARTS, divide(data, settings.split), strict=True)
    return {name: rows for name, rows in divided if len(rows)}


def _cut(numbers: dict[str, Array], settings: Settings) -> dict[str, Array]:
    """Those that `debug` and `limit_batches` leave, as `prepare` does."""
    if settings.debug == "overfit":
        one = numbers["train"][: settings.batch_size]
        return {"train": one, "val": one}
    if settings.limit_batches is None:
        return numbers
    rows = settings.limit_batches * settings.batch_size
    return {name: part if name == "train" else part[:rows] for name, part in numbers.items()}


def _limited(name: str, part: Part, settings: Settings) -> Part:
    """A part of data that came divided, cut in the same way."""
    if settings.debug == "overfit":
        return head(part, settings.batch_size)
    if settings.limit_batches is None or name == "train":
        return part
    return head(part, settings.limit_batches * settings.batch_size)
