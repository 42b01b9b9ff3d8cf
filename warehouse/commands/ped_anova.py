"""Importance by PED-ANOVA, as Optuna has it: where the best runs lie, against where all lie.

It knows params that only some runs have (arXiv 2601.20800), and takes each alone, as the additive
way in SQL does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.system.optuna import quiet_optuna

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from optuna.distributions import BaseDistribution

EXTRA = "pip install 'sweephouse[search]'"
QUERY = """
SELECT DISTINCT run_id, monitor, CASE mode WHEN 'max' THEN -best ELSE best END AS value
FROM leaderboard
WHERE run_id IN (SELECT unnest($ids::VARCHAR[]))
    AND status IN ('finished', 'stopped') AND abs(best) < 1e150
ORDER BY run_id
"""
PARAMS = """
SELECT run_id, name, value, number FROM params
WHERE run_id IN (SELECT unnest($ids::VARCHAR[])) AND name IN (SELECT unnest($names::VARCHAR[]))
ORDER BY name, run_id
"""
LOGARITHMIC = 20
"""How many times the least value the greatest must be for a logarithmic scale."""
Values = Mapping[str, tuple[str | None, float | None]]
"""Run -> the param's value as text, and as a number where it is one."""


def importances(
    con: DuckDBPyConnection, ids: Sequence[str], params: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], float]:
    """(monitor, param) -> share of the importance of all.

    params: of each monitor those that vary. Raises WarehouseError where Optuna is missing.
    """
    if find_spec("optuna") is None:
        raise WarehouseError(f"--method ped-anova needs Optuna: {EXTRA}")
    outcomes: dict[str, dict[str, float]] = {}
    for run_id, monitor, value in con.execute(QUERY, {"ids": ids}).fetchall():
        outcomes.setdefault(monitor, {})[run_id] = value
    names = sorted({name for listed in params.values() for name in listed})
    values: dict[str, dict[str, tuple[str | None, float | None]]] = {name: {} for name in names}
    for run_id, name, text, number in con.execute(PARAMS, {"ids": ids, "names": names}).fetchall():
        values[name][run_id] = (text, number)
    return {
        (monitor, name): share
        for monitor, listed in params.items()
        for name, share in _shares(
            outcomes[monitor], {name: values[name] for name in listed}
        ).items()
    }


def _shares(outcomes: Mapping[str, float], params: Mapping[str, Values]) -> dict[str, float]:
    """Param -> its share of the importance of all, for runs and the value to be made small."""
    import optuna

    with quiet_optuna():  # of few runs it warns; the counts stand beside
        study = optuna.create_study()
        columns = {
            name: _column({run: value for run, value in values.items() if run in outcomes})
            for name, values in params.items()
        }
        for run_id, value in outcomes.items():
            has = {name: column for name, column in columns.items() if run_id in column[1]}
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: values[run_id] for name, (_, values) in has.items()},
                    distributions={name: distribution for name, (distribution, _) in has.items()},
                    value=value,
                )
            )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = evaluator.evaluate(study, params=list(params))
    whole = math.fsum(found.values())
    return {name: value / whole if whole else 0.0 for name, value in found.items()}


def _column(values: Values) -> tuple[BaseDistribution, dict[str, Any]]:
    """The range of a param, and its value in each run that has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    numbers = {run: number for run, (_, number) in values.items() if number is not None}
    if len(numbers) == len(values) and all(map(math.isfinite, numbers.values())):
        least, most = min(numbers.values()), max(numbers.values())
        log = least > 0 and most / least >= LOGARITHMIC
        return FloatDistribution(least, most, log=log), dict(numbers)
    texts = {run: text or "" for run, (text, _) in values.items()}
    return CategoricalDistribution(sorted({*texts.values()})), dict(texts)
