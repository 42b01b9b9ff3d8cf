"""Which columns a model needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import DataError, Findings, SplitRows, Task, evaluator

from ._rows import Split, chosen_split, drawn, of_head, scores_of, taken
from ._svg import bars

Array = np.ndarray[Any, Any]
SHOWN = 30
"""Columns that are drawn."""


@evaluator
def permutation_importance(
    predict: Callable[[Any], Array],
    splits: Mapping[str, SplitRows],
    task: Task,
    seed: int,
    *,
    split: Split = "auto",
    head: str | None = None,
    repeats: Annotated[int, Gt(0)] = 3,
    rows: Annotated[int, Gt(1)] = 2000,
    columns: Annotated[int, Gt(0)] = 200,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """How much worse the model is when a column's values are shuffled.

    Breiman 2001, doi:10.1023/A:1010933404324: the fall of the accuracy, or the rise of the mean
    absolute error. Columns that tell the same share their importance. columns: data with more
    are refused.
    """
    name = chosen_split(splits, split)
    held = splits[name]
    at = drawn(len(held.targets), rows, seed)
    features = taken(held.features, at)
    places = _places(features, held.feature_names)
    if len(places) > columns:
        raise DataError(
            f"the data have {len(places)} columns, more than columns={columns} of "
            "permutation_importance"
        )

    def score(changed: Any) -> tuple[str, float]:
        given = predict(changed)
        return scores_of(*of_head(task, np.asarray(held.targets)[at], given, head))

    what, whole = score(features)
    random = np.random.default_rng(seed)
    falls = np.array(
        [
            [whole - score(_shuffled(features, place, random))[1] for _ in range(repeats)]
            for place in places.values()
        ]
    )
    mean, spread = falls.mean(axis=1), falls.std(axis=1)
    order = np.argsort(-mean, kind="stable")
    names = [list(places)[place] for place in order]
    table = {"column": names, "importance": mean[order], "deviation": spread[order]}
    title = f"permutation importance, {name}"
    fall = "rise of mae" if what == "-mae" else f"fall of {what}"
    figure = bars(names[:SHOWN], mean[order][:SHOWN].tolist(), title, fall)
    metrics = {f"importance[{names[at]}]": float(mean[place]) for at, place in enumerate(order)}
    return Findings({name: metrics}, {name: figure}, {name: table})


def _places(features: Any, feature_names: Any) -> dict[str, Any]:
    """Column -> where it is: an input's name, or a place of the last axis of a table."""
    if isinstance(features, dict):
        return {name: name for name in features}
    if features.ndim != 2:
        raise DataError(
            f"rows of shape {features.shape[1:]} have no columns: permutation_importance is for "
            "tables"
        )
    names = list(feature_names) or [f"feature_{place}" for place in range(features.shape[1])]
    return {name: place for place, name in enumerate(names)}


def _shuffled(features: Any, place: Any, random: np.random.Generator) -> Any:
    """The features with the values of one column in another order."""
    if isinstance(features, dict):
        return {**features, place: features[place][random.permutation(len(features[place]))]}
    changed = features.copy()
    changed[:, place] = random.permutation(changed[:, place])
    return changed
