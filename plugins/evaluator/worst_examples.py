"""The rows that a model gets most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import Findings, SplitRows, Task, evaluator, names_of, predicted_of

from ._rows import (
    Split,
    are_pictures,
    called,
    chosen_split,
    errors_of,
    keys_at,
    of_head,
    pictures_of,
    said,
    taken,
)
from ._svg import Card, gallery

Array = np.ndarray[Any, Any]
FIELDS = 12
"""Columns of a row that are shown in its card."""


@evaluator
def worst_examples(
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, Array],
    *,
    split: Split = "auto",
    head: str | None = None,
    rows: Annotated[int, Gt(0)] = 25,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """A gallery of the most wrong pictures, texts or rows, and a table of them."""
    name = chosen_split(splits, split)
    held = splits[name]
    task, actual, given = of_head(task, held.targets, outputs[name], head)
    errors = errors_of(task, actual, given)
    worst = np.argsort(-errors, kind="stable")[:rows]
    names = names_of(task)
    targets = said(task, names, actual[worst])
    predicted = said(task, names, predicted_of(task, given[worst]))
    keys = keys_at(held, worst)
    features = taken(held.features, worst)
    fields = _fields(features, held.feature_names)
    pictures = pictures_of(features, len(worst))
    cards = [
        Card(
            [f"is {targets[at]}", f"taken for {predicted[at]}", called(keys[at])],
            pictures[at],
            "" if pictures[at] is not None else _words(fields, at),
        )
        for at in range(len(worst))
    ]
    table: dict[str, Any] = {
        "row": keys,
        "error": errors[worst],
        "target": targets,
        "predicted": predicted,
    }
    # A column of the data may have one of our names.
    table |= {f"feature.{key}" if key in table else key: value for key, value in fields.items()}
    title = f"worst of {len(errors)} rows, {name}"
    return Findings({}, {name: gallery(cards, title)}, {name: table})


def _fields(features: Any, feature_names: Any) -> dict[str, Array]:
    """The features that are one value a row, by name."""
    if isinstance(features, dict):
        return {name: array for name, array in features.items() if array.ndim == 1}
    if features.ndim == 1:
        return {"text": features}
    if features.ndim != 2 or are_pictures(features):
        return {}
    names = list(feature_names) or [f"feature_{place}" for place in range(features.shape[1])]
    return {name: features[:, place] for place, name in enumerate(names)}


def _words(fields: Mapping[str, Array], at: int) -> str:
    if list(fields) == ["text"]:
        return str(fields["text"][at])
    return "\n".join(f"{name}: {values[at]}" for name, values in list(fields.items())[:FIELDS])
