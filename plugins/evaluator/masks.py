"""What a segmentation makes of pictures, beside what is in them."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import DataError, Findings, SplitRows, Task, evaluator, names_of, predicted_of

from ._rows import Split, called, chosen_split, keys_at, pictures_of, taken
from ._svg import Card, gallery

Array = np.ndarray[Any, Any]
VOID = (128, 128, 128)
"""The colour of pixels that count for nothing."""


@evaluator
def masks(
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, Array],
    *,
    split: Split = "auto",
    rows: Annotated[int, Gt(0)] = 8,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """The pictures with most wrong pixels: each with its mask and the one that is predicted."""
    if task.kind != "classification" or task.per != "pixel":
        raise DataError(
            f"it draws the masks of a segmentation, and the task is {task.said}: leave it out"
        )
    name = chosen_split(splits, split)
    held = splits[name]
    actual, predicted = np.asarray(held.targets), predicted_of(task, np.asarray(outputs[name]))
    actual = actual.reshape(predicted.shape)
    counted = actual >= 0
    wrong = ((actual != predicted) & counted).sum(axis=(1, 2)) / np.maximum(
        counted.sum(axis=(1, 2)), 1
    )
    worst = np.argsort(-wrong, kind="stable")[:rows]
    pictures = pictures_of(taken(held.features, worst), len(worst))
    names = names_of(task)
    cards = []
    for picture, place, key in zip(pictures, worst, keys_at(held, worst), strict=True):
        cards += [
            Card([called(key), f"{wrong[place]:.1%} wrong"], picture),
            Card(["its mask", _present(names, actual[place])], _coloured(actual[place], names)),
            Card(
                ["predicted", _present(names, predicted[place])],
                _coloured(predicted[place], names),
            ),
        ]
    title = f"worst masks of {len(wrong)} pictures, {name}"
    return Findings({}, {name: gallery(cards, title, columns=3)})


def _coloured(mask: Array, names: tuple[str, ...]) -> Array:
    """Class numbers (height, width) as pixels (height, width, 3), uint8: the first class black."""
    others = len(names) - 1
    hues = [colorsys.hsv_to_rgb(place / max(others, 1), 0.8, 0.95) for place in range(others)]
    colours = np.asarray([(0, 0, 0), *(np.multiply(hue, 255) for hue in hues), VOID], np.uint8)
    return np.asarray(colours[mask.astype(int)])  # -1, which counts for nothing, is the last


def _present(names: tuple[str, ...], mask: Array) -> str:
    """The classes in a mask by name, the most frequent first, without the first class."""
    counts = np.bincount(mask[mask > 0].astype(int), minlength=len(names))
    return ", ".join(names[place] for place in np.argsort(-counts, kind="stable") if counts[place])
