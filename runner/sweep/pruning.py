"""The pruners that the jobs of a sweep name, and the curves that the warehouse has for them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.components.registry import load
from runner.components.search_types import Curve
from runner.config.config import Choice, Config, search_choice
from runner.errors import WarehouseError
from runner.search.pruning import NONE, Earlier, Pruning, Rivals
from runner.sweep.plan import Run
from runner.system.terminal import complain
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PAST = 2000
"""Finished runs on other data, the newest ones, that a pruner may learn from."""

CURVES = """
SELECT
    r.run_id,
    json_extract_string(r.data, '$.identity'),
    r.monitor,
    r.mode,
    CASE r.reason WHEN 'pruned' THEN 'pruned' ELSE r.status END,
    list(c.value ORDER BY c.epoch)
FROM (SELECT * FROM runs WHERE {which}) AS r
JOIN curves AS c
    ON c.run_id = r.run_id
    AND CASE c.split WHEN 'val' THEN 'val_' || c.name ELSE c.name END = r.monitor
GROUP BY ALL
ORDER BY r.run_id
"""
# The commands of one search are one sweep.
OF_SWEEP = """
run_id IN (
    SELECT run_id FROM sweep_runs
    WHERE sweep_id = $1 OR sweep_id IN (
        SELECT other.sweep_id FROM searches AS this JOIN searches AS other USING (search_id)
        WHERE this.sweep_id = $1
    )
)
"""
FINISHED = f"""
status = 'finished' AND replay_of IS NULL AND sweep_id IS DISTINCT FROM $1
ORDER BY run_id DESC LIMIT {PAST}
"""


def pruner_named(named: str | dict[str, Any]) -> Choice | None:
    """What `search.pruner` names, if it names one; ConfigError where there is none such."""
    return None if named == NONE else search_choice("pruner", named, load())


def pruner_of(config: Config) -> Choice | None:
    """The pruner that a config names."""
    return pruner_named(config.settings.search.pruner)


@dataclass(frozen=True)
class _Known:
    """The curve of a run that the warehouse has, and which may be compared with it."""

    run_id: str
    rivals: Rivals
    curve: Curve


class Prunings:
    """The prunings of one sweep: one for each pruner and results folder that its jobs name."""

    def __init__(self, sweep_id: str) -> None:
        self._sweep_id = sweep_id
        self._prunings: dict[tuple[Path, str], Pruning] = {}
        self._others: dict[Path, Sequence[_Known]] = {}
        self._past: dict[Path, Sequence[_Known]] = {}
        self._ranked: dict[tuple[Path, Rivals], Sequence[Curve]] = {}

    def refresh(self) -> None:
        """Ask the warehouse anew for the runs of the sweep: other processes may train some."""
        self._others.clear()
        for pruning in self._prunings.values():
            pruning.refresh()

    def of(self, run: Run) -> Pruning | None:
        """The pruning that a run of the sweep is part of; call it before anything trains."""
        pruner = pruner_of(run.config) if run.sweep_id else None
        if pruner is None:
            return None
        needs = pruner.component.needs
        # Now, not when they are first compared: by then runs are in training.
        if "others" in needs and run.results not in self._others:
            self._others[run.results] = self._asked(run.results, OF_SWEEP)
        if "past" in needs and run.results not in self._past:
            self._past[run.results] = self._asked(run.results, FINISHED)
        key = run.results, json.dumps(run.config.settings.search.pruner, sort_keys=True)
        if key not in self._prunings:
            look = functools.partial(self._look, run.results)
            self._prunings[key] = Pruning(pruner, look)
        return self._prunings[key]

    def _look(self, results: Path, rivals: Rivals) -> Earlier:
        others = {
            known.run_id: replace(known.curve, number=number)
            for number, known in enumerate(self._others.get(results, ()))
            if known.rivals == rivals
        }
        # The same object each time: a pruner may keep what it has computed of it.
        if (results, rivals) not in self._ranked:
            self._ranked[results, rivals] = tuple(
                replace(known.curve, task=known.rivals.identity)
                for known in self._past.get(results, ())
                if known.rivals.monitor == rivals.monitor
                and known.rivals.mode == rivals.mode
                and known.rivals.identity != rivals.identity
            )
        return Earlier(others, self._ranked[results, rivals])

    def _asked(self, results: Path, which: str) -> Sequence[_Known]:
        """The curves that the warehouse has; none where it does not answer."""
        if not Place.of(results).has_runs:  # nothing was ever trained there
            return ()
        try:
            with warehouse.connect(results) as connection:
                return _curves(connection, which, self._sweep_id)
        except WarehouseError as error:
            complain(f"warning: the pruner knows no earlier runs: {error}")
            return ()


def _curves(connection: DuckDBPyConnection, which: str, sweep_id: str) -> Sequence[_Known]:
    rows = connection.execute(CURVES.format(which=which), [sweep_id]).fetchall()
    known = []
    for run_id, identity, monitor, mode, status, values in rows:
        signed = values if mode == "min" else [-value for value in values]
        rivals = Rivals(identity or "", monitor, mode)
        known.append(_Known(run_id, rivals, Curve(tuple(signed), status)))
    return known
