"""Which settings of `split` divide anything sensibly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ConfigError, choices

if TYPE_CHECKING:
    from runner.components.types import SplitPlan

WAYS = ("hash", "hash:COLUMN", "group:COLUMN", "time:COLUMN", "column:COLUMN")


def check_split(split: SplitPlan) -> None:
    """Raise ConfigError for settings that divide nothing sensibly."""
    if split.val + split.test >= 1:
        raise ConfigError(
            f"split.val={split.val} and split.test={split.test} leave nothing "
            "to train on: together they must be less than 1"
        )
    way = (split.by or "hash").partition(":")[0]
    known = [name.partition(":")[0] for name in WAYS]
    if way not in known or (way != "hash" and split.column is None):
        raise ConfigError(f"split.by={split.by} is not valid: {choices(way, ('null', *WAYS))}")
    if split.folds is None and split.fold:
        raise ConfigError(f"split.fold={split.fold} needs split.folds: give split.folds=5")
    if split.folds is not None and split.fold >= split.folds:
        raise ConfigError(
            f"split.fold={split.fold} is not valid: of split.folds={split.folds} the folds are "
            f"0 to {split.folds - 1}"
        )
