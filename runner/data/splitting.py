"""Which rows train, which validate and which test: drawn, by content, group, time or as given.

Nothing here looks at where a row stands in its source, except the draw (`split.by=null`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from runner.components.part_names import PARTS
from runner.components.row_hash import TEST, TRAIN, UNUSED, VAL, by_hash, row_hashes
from runner.data.heads import targets_by_head
from runner.data.missing import keyed
from runner.data.parts import chosen
from runner.errors import DataError, choices

if TYPE_CHECKING:
    from runner.components.types import Array, Data, SplitPlan


def divide(data: Data, split: SplitPlan) -> tuple[Array, Array, Array]:
    """The row numbers of train, val and test: disjoint, the last two maybe empty.

    Raises DataError for a column that is not there, and for a part that should have rows and
    gets none.
    """
    way = (split.by or "").partition(":")[0]
    if way == "column":
        return _as_given(data, split.named(_column(data, split)), split)
    if data.part is not None:
        return _as_given(data, data.part, split)
    if not way:
        rows = _drawn(data, split)
    else:
        column = None if split.column is None else _column(data, split)
        if way == "hash":
            features = data.features
            arrays = list(features.values()) if isinstance(features, dict) else [features]
            place = by_hash(split, *(arrays if column is None else [column]))
        else:
            assert column is not None
            place = _by_values(column, split, forward=way == "time")
        train, val, test = (np.flatnonzero(place == part) for part in (TRAIN, VAL, TEST))
        rows = train, val, test
    wanted = (1.0, 1.0 if split.folds else split.val, split.test)
    for name, share, part in zip(PARTS, wanted, rows, strict=True):
        if share > 0 and not len(part):
            raise DataError(_empty(name, len(data.targets), split))
    return rows


def _empty(name: str, rows: int, split: SplitPlan) -> str:
    if split.by or split.folds:
        settings = [f"split.by={split.by}"] if split.by else []
        settings += [f"split.folds={split.folds}"] if split.folds else []
        return f"{' with '.join(settings)} leaves no row in {name}, of {rows} rows"
    if name == "train":
        return f"the split of {rows} rows leaves no row to train on"
    return f"split.{name}={getattr(split, name)} of {rows} rows leaves no row in {name}"


def _column(data: Data, split: SplitPlan) -> Array:
    """The values by which to divide, one a row."""
    name = split.column or ""
    features = data.features if isinstance(data.features, dict) else {}
    columns = {**features, **data.columns}
    if name not in columns:
        have = choices(name, columns) if columns else "the data have none"
        raise DataError(f"split.by={split.by} names no column: {have}")
    column = np.asarray(columns[name])
    if column.shape != (len(data.targets),):
        raise DataError(
            f"split.by={split.by} needs one value a row; '{name}' has shape {column.shape} "
            f"for {len(data.targets)} rows"
        )
    keyed(split.by or "", name, columns[name])
    return column


# --- As given ------------------------------------------------------------------------------------


def _as_given(data: Data, place: Array, split: SplitPlan) -> tuple[Array, Array, Array]:
    """The rows of parts that the source names; val is drawn from train where it names none."""
    rest = split.rest(np.bincount(place, minlength=len(PARTS)).tolist())
    train, val, test = (np.flatnonzero(place == part) for part in (TRAIN, VAL, TEST))
    if len(val) or not (rest.val or rest.folds):
        return train, val, test
    rows = replace(
        data,
        features=chosen(data.features, train),
        targets=data.targets[train],
        columns={name: np.asarray(values)[train] for name, values in data.columns.items()},
        part=None,
    )
    still, drawn, _ = divide(rows, rest)
    return train[still], train[drawn], test


# --- Drawn ---------------------------------------------------------------------------------------


def _drawn(data: Data, split: SplitPlan) -> tuple[Array, Array, Array]:
    """Slices of a permutation from `split.seed`, over which every class is spread evenly."""
    rows = len(data.targets)
    random = np.random.Generator(np.random.Philox(key=[split.seed, 0]))
    order = random.permutation(rows)
    if data.task.kind in ("classification", "binary") and data.task.per == "row":
        order = _spread(order, np.asarray(data.targets).reshape(-1).astype(int))
    elif classes := _classes_of_heads(data):
        together = np.unique(np.stack(classes, axis=1), axis=0, return_inverse=True)[1]
        order = _spread(order, together.reshape(-1))
    val, test = round(rows * split.val), round(rows * split.test)
    if split.folds is None:
        return order[val + test :], order[:val], order[val : val + test]
    rest = order[test:]
    begin, end = (len(rest) * fold // split.folds for fold in (split.fold, split.fold + 1))
    return np.concatenate([rest[:begin], rest[end:]]), rest[begin:end], order[:test]


def _classes_of_heads(data: Data) -> list[Array]:
    """The class numbers of the heads that have classes."""
    return [
        targets
        for name, targets in targets_by_head(data.task, data.targets).items()
        if data.task.heads[name].kind in ("classification", "binary")
    ]


def _spread(order: Array, labels: Array) -> Array:
    """The order with every class spread evenly over it, so that any slice is stratified."""
    place = np.empty(len(order))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        # Row i of n in its class stands at (i + 1/2) / n of the whole.
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(place[order], kind="stable")]


# --- By groups and times -------------------------------------------------------------------------


def _by_values(column: Array, split: SplitPlan, forward: bool) -> Array:
    """The part of every row; rows of equal value stay together.

    forward: the values are times. The latest are test, those before them val, and of folds one
    validates on what comes after all that it trained on; the later ones go unused.
    """
    if column.dtype == object:
        column = column.astype(str)
    values, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    # Test takes its values first.
    rest = np.arange(len(values))[::-1] if forward else np.argsort(row_hashes(split.seed, values))
    place = np.full(len(values), TRAIN, dtype=np.int8)
    rest = _take(rest, counts, split.test, TEST, place)
    if split.folds is None:
        _take(rest, counts, split.val, VAL, place)
    elif forward:
        earliest = rest[::-1]
        middle = np.cumsum(counts[earliest]) - counts[earliest] / 2
        block = middle / max(1, counts[earliest].sum()) * (split.folds + 1)
        place[earliest[block >= split.fold + 1]] = VAL
        place[earliest[block >= split.fold + 2]] = UNUSED
    else:
        place[rest[_balanced(counts[rest], split.folds) == split.fold]] = VAL
    return place[inverse.reshape(-1)]


def _take(rest: Array, counts: Array, share: float, part: int, place: Array) -> Array:
    """Give the part so many of the first values that it comes near its share of all rows.

    Returns the values that are left.
    """
    if share == 0 or not len(rest):
        return rest
    missed = np.abs(np.cumsum(counts[rest]) - share * counts.sum())
    taken = int(np.argmin(missed)) + 1
    place[rest[:taken]] = part
    return rest[taken:]


def _balanced(counts: Array, folds: int) -> Array:
    """The fold of every group: the largest first, each into the fold with the fewest rows."""
    fold = np.empty(len(counts), dtype=int)
    filled = np.zeros(folds, dtype=int)
    for group in np.argsort(-counts, kind="stable"):
        fold[group] = filled.argmin()
        filled[fold[group]] += counts[group]
    return fold
