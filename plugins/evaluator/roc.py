"""How well classes are told apart at any threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import DataError, Findings, SplitRows, Task, evaluate_outputs, evaluator

from ._rows import Split, chosen_split, of_head
from ._svg import Line, unit_plot

MOST = 10
"""Classes that are drawn: those with the least area, which are the ones to look at."""


@evaluator
def roc(
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, np.ndarray[Any, Any]],
    *,
    split: Split = "auto",
    head: str | None = None,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """ROC and precision-recall curves of each class, their points and areas."""
    if task.kind == "regression":
        raise DataError("roc looks at probabilities, and a regression gives none")
    name = chosen_split(splits, split)
    found = evaluate_outputs(*of_head(task, splits[name].targets, outputs[name], head))
    curves = [curve for curve in found.curves if curve.curve in ("roc", "pr")]
    if not curves:
        raise DataError(f"{name} has no class that some of its rows are of and others are not")

    def area(kind: str, class_name: str) -> float:
        whole = found.metrics.get(f"{kind}_auc", 0.0)
        return found.metrics.get(f"{kind}_auc[{class_name}]", whole)

    def drawn(kind: str) -> list[Line]:
        mine = [curve for curve in curves if curve.curve == kind]
        mine.sort(key=lambda curve: area(kind, curve.class_name))
        return [
            Line(f"{one.class_name} ({area(kind, one.class_name):.3f})", one.x, one.y)
            for one in mine[:MOST]
        ]

    points = {
        "curve": [one.curve for one in curves for _ in one.x],
        "class": [one.class_name for one in curves for _ in one.x],
        "x": [x for one in curves for x in one.x],
        "y": [y for one in curves for y in one.y],
    }
    figures = {
        name: unit_plot(drawn("roc"), f"ROC, {name}", "false positive rate", "true positive rate"),
        f"{name}_pr": unit_plot(
            drawn("pr"), f"precision and recall, {name}", "recall", "precision", diagonal=False
        ),
    }
    areas = {"auc": found.metrics["roc_auc"], "pr_auc": found.metrics["pr_auc"]}
    return Findings({name: areas}, figures, {f"{name}_points": points})
