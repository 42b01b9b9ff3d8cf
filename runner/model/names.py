"""The other names of a recipe's metric where a monitor is named.

Epochs have a metric by its component's name. The evaluation of outputs computes some of them for
every run, by the names of `runner.evaluate.metrics`; and a component has aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.config.config import Choice
from runner.errors import choices

EVALUATED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "roc_auc": ("auc", {"curve": "ROC"}),
    "pr_auc": ("auc", {"curve": "PR"}),
    "rmse": ("root_mean_squared_error", {}),
    "r2": ("r2_score", {"class_aggregation": "uniform_average"}),
    "f1": ("f1_score", {}),
    "f1_macro": ("f1_score", {"average": "macro"}),
    "f1_weighted": ("f1_score", {"average": "weighted"}),
    "top_3": ("sparse_top_k_categorical_accuracy", {"k": 3}),
    "top_5": ("sparse_top_k_categorical_accuracy", {"k": 5}),
    "log_loss": ("sparse_categorical_crossentropy", {}),
}
"""What the evaluation calls a metric -> the component that epochs have it by, and its params."""


def other_names(choice: Choice) -> Iterator[str]:
    """The names of a metric besides its own."""
    component = choice.component
    yield component.name
    yield from component.marks.aliases
    for name, (wanted, params) in EVALUATED.items():
        if wanted == component.name and params.items() <= choice.params.items():
            yield name


def named(monitor: str, names: Mapping[str, str]) -> str:
    """The monitor by the name that the run's epochs have; names: others of its metrics."""
    split, plain = ("val_", monitor[4:]) if monitor.startswith("val_") else ("", monitor)
    return f"{split}{names.get(plain, plain)}"


def missing_monitor(monitor: str, metrics: Iterable[str]) -> str:
    """The sentence for a monitor that is none of a run's metrics, given with their splits."""
    plain = monitor.removeprefix("val_")
    adds = EVALUATED[plain][0] if plain in EVALUATED else None
    hint = f"; metrics=[{adds}] gives it to every epoch" if adds else ""
    return f"there is no metric '{monitor}' (monitor): {choices(monitor, metrics)}{hint}"
