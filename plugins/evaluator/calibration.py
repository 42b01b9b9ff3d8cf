"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import DataError, Findings, SplitRows, Task, evaluator, names_of

from ._rows import Split, chosen_split, of_head
from ._svg import Line, unit_plot


@evaluator
def calibration(
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, np.ndarray[Any, Any]],
    *,
    split: Split = "auto",
    head: str | None = None,
    bins: Annotated[int, Gt(1)] = 10,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """The share that is right at each probability, and the expected calibration error.

    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602: bins of equal width, of the likeliest class,
    or of the one probability. max_error: that of the worst bin.
    """
    if task.kind == "regression":
        raise DataError("calibration looks at probabilities, and a regression gives none")
    name = chosen_split(splits, split)
    task, targets, given = of_head(task, splits[name].targets, outputs[name], head)
    if task.kind == "regression":
        raise DataError(f"calibration looks at probabilities, and the head {head} gives none")
    given = given.astype(np.float64)
    targets = targets.reshape(len(given), -1).astype(int)
    if task.kind == "classification":
        right = (given.argmax(axis=1) == targets[:, 0]).astype(float)
        probability, what = given.max(axis=1), "of the likeliest class"
    else:
        right, probability = targets.ravel().astype(float), given.ravel()
        what = f"of {names_of(task)[-1]}" if task.kind == "binary" else "of a label"
    place = np.clip((probability * bins).astype(int), 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    filled = rows > 0
    mean = np.bincount(place, weights=probability, minlength=bins)[filled] / rows[filled]
    share = np.bincount(place, weights=right, minlength=bins)[filled] / rows[filled]
    apart = np.abs(mean - share)
    line = Line(name, mean.tolist(), share.tolist(), marked=True)
    figure = unit_plot(
        [line], f"calibration, {name}", f"mean probability {what}", "share that is so"
    )
    table = {
        "from": np.flatnonzero(filled) / bins,
        "rows": rows[filled],
        "probability": mean,
        "share": share,
    }
    error = float((rows[filled] * apart).sum() / rows.sum())
    metrics = {"error": error, "max_error": float(apart.max())}
    return Findings({name: metrics}, {name: figure}, {f"{name}_bins": table})
