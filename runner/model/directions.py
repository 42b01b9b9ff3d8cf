"""Which end of each metric is better: said once, where the metric comes from.

Its component may say so (`@metric(mode="max")`), else Keras does of its own metrics. Only where
nobody does is the name asked, and a line says so before anything trains. `run_start` carries the
answers, so that the warehouse need not ask again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from runner.backend.keras_private import direction_of
from runner.components.types import Mode, Recipe
from runner.journal.metric_names import better_end
from runner.system.terminal import say


def name_of(metric: Any) -> str:
    """The name that Keras gives a metric in its logs, without the split."""
    return str(getattr(metric, "name", getattr(metric, "__name__", metric)))


def stated(metrics: Iterable[Any], mode: Mode | None = None) -> dict[str, Mode]:
    """Name -> direction of those metrics of which it is known.

    mode: what their component says; it knows better than a class that it extends.
    """
    known = {name_of(metric): mode or direction_of(metric) for metric in metrics}
    return {name: direction for name, direction in known.items() if direction is not None}


def direction(monitor: str, modes: Mapping[str, Mode]) -> Mode:
    """Which end of a metric is better, as stated or else by its name."""
    name = monitor.removeprefix("val_")
    return modes.get(name, better_end(name))


def settle(recipe: Recipe, monitor: str, mode: Mode, *, is_set: bool) -> None:
    """Give `recipe.modes` every metric of the recipe, and say which ones are a guess.

    mode: the monitor's, which holds for the metric in either split. is_set: whether the config
    says so.
    """
    monitored = monitor.removeprefix("val_")
    recipe.modes = {"loss": "min", **stated(recipe.metrics), **recipe.modes}
    for name in (name_of(metric) for metric in recipe.metrics):
        if name not in recipe.modes:
            recipe.modes[name] = direction(name, {})
            if name != monitored:
                _say_guess(name, recipe.modes[name], f"@metric(mode={_OTHER})")
            elif not is_set:
                _say_guess(monitor, recipe.modes[name], f"mode={_OTHER}")
    if monitored not in recipe.modes and not is_set:  # of a number that a callback will add
        _say_guess(monitor, mode, f"mode={_OTHER}")
    recipe.modes[monitored] = mode


_OTHER = "min or max"


@functools.cache
def _say_guess(name: str, mode: Mode, mend: str) -> None:
    """Once a process: a sweep builds many models of the same metrics."""
    more = "more" if mode == "max" else "less"
    say(f"{name}: taken for {more}-is-better, by its name; say {mend}")
