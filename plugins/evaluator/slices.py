"""How good a model is on parts of the rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import Findings, SplitRows, Task, evaluate_outputs, evaluator

from ._rows import Split, chosen_split, of_head
from ._svg import bars

Array = np.ndarray[Any, Any]


@evaluator
def slices(
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, Array],
    *,
    column: str,
    split: Split = "auto",
    head: str | None = None,
    values: Annotated[int, Gt(1)] = 20,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """Metrics by the values of a column: a number of many values in quarters, rare words as one.

    worst: the least accuracy of a slice, or its greatest mean absolute error; gap: how far it is
    from the best slice's. values: how many are told apart.
    """
    name = chosen_split(splits, split)
    held = splits[name]
    labels = _labels(held.column(column), values)
    task, targets, given = of_head(task, held.targets, outputs[name], head)
    found = {
        label: evaluate_outputs(task, targets[labels == label], given[labels == label]).metrics
        for label in dict.fromkeys(labels.tolist())
    }
    measure = "mae" if task.kind == "regression" else "accuracy"
    shown = list(dict.fromkeys(m for metrics in found.values() for m in metrics if "[" not in m))
    table: dict[str, Any] = {column: list(found)}
    table["rows"] = [int((labels == label).sum()) for label in found]
    table |= {one: [metrics.get(one) for metrics in found.values()] for one in shown}
    each = {label: metrics[measure] for label, metrics in found.items() if measure in metrics}
    best, worst = (max, min) if measure == "accuracy" else (min, max)
    metrics = {f"{measure}[{column}={label}]": value for label, value in each.items()}
    if each:
        metrics["worst"] = worst(each.values())
        metrics["gap"] = abs(best(each.values()) - metrics["worst"])
    title = f"{measure} by {column}, {name}"
    figure = bars(list(each), list(each.values()), title, measure) if each else None
    return Findings({name: metrics}, {name: figure} if figure else {}, {name: table})


def _labels(column: Array, most: int) -> Array:
    """What each row's slice is called."""
    is_number = column.dtype.kind in "iuf"
    missing = np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)
    if is_number and len(np.unique(column[~missing])) > most:
        edges = np.unique(np.quantile(column[~missing], [0, 0.25, 0.5, 0.75, 1]))
        place = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
        names = [f"{a:.4g} to {b:.4g}" for a, b in itertools.pairwise(edges)]
        labels = np.array([names[at] for at in place], dtype=object)
    else:
        texts = [f"{value:g}" if is_number else str(value) for value in column.tolist()]
        labels = np.array([text or "(missing)" for text in texts], dtype=object)
        called, rows = np.unique(labels.astype(str), return_counts=True)
        kept = set(
            called[np.argsort(-rows, kind="stable")][: most if len(called) <= most else most - 1]
        )
        labels = np.array([one if one in kept else "(other)" for one in labels], dtype=object)
    labels[missing] = "(missing)"
    return labels
