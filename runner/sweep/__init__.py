"""The course of one run or a thousand: plan, skip, train, take in, sum up.

`batch.py` is the main path: read it first. As `runner.sweep([...])` the room is a function, too.
May import: everything but the commands; and the warehouse.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    Job = str | Sequence[str] | Mapping[str, Any]


class _Room(ModuleType):
    """The room, called: the door's name for many runs is the room's own, and both must stand."""

    def __call__(self, jobs: Sequence[Job] = (), /, common: Job = (), **grid: Any) -> pd.DataFrame:
        """Train many runs as `--multirun` does, those that are alike together; the best first.

        jobs: for each its overrides, as words (["optimizer=sgd", "seed=1"]) or as a dict
            ({"optimizer": "sgd", "optimizer.learning_rate": 0.1}); without any, one of no words.
        common: overrides that all jobs have. grid: key=values, each job with every combination;
            **{"optimizer.learning_rate": [0.1, 0.01]} for a key with a dot.

        Runs that are there already are not trained again. Gives a row for each run of the sweep:
        the columns of `leaderboard`, a column for each param that varies, and the metrics.

        Raises RunnerError for what the command line would refuse before anything trains.
        """
        from runner.sweep.many import sweep

        frame: pd.DataFrame = sweep(jobs, common, grid)
        return frame


sys.modules[__name__].__class__ = _Room
