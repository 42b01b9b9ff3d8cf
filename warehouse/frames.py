"""The warehouse as DataFrames: `warehouse.runs()`, `curves(ids)`, `sql(text, **params)`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from runner.errors import WarehouseError
from runner.system.databases import literal
from warehouse.lookup import find_run
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Form = Literal["pandas", "arrow", "polars"]
Results = str | os.PathLike[str] | None
METRICS = """
SELECT metric FROM outcomes GROUP BY metric
ORDER BY NOT starts_with(metric, 'test_'), NOT starts_with(metric, 'val_'), metric
"""
WIDEST = 500
"""Columns of params, and of metrics, that a table of runs takes up; further ones are left out."""


def sql(text: str, /, *, results: Results = None, form: Form = "pandas", **params: Any) -> Any:
    """Ask the newest snapshot; `$name` in the text stands for a param.

    results: the folder; None: the environment's, else `results`. form: pandas, arrow or polars.
    """
    with connect(results) as con:
        return frame(con, text, params, form)


def runs(*, results: Results = None, form: Form = "pandas") -> Any:
    """A row for each run that is not deleted, the best first.

    Beside the columns of `leaderboard` a column for each param that varies and for each metric of
    `outcomes`; of each at most WIDEST.
    """
    with connect(results) as con:
        return frame(con, runs_query(con), {}, form)


def curves(ids: Iterable[str] | str, *, results: Results = None, form: Form = "pandas") -> Any:
    """The rows of `curves` of some runs: run_id, epoch, split, name, value.

    ids: full ids, or heads or tails where they are unique.
    """
    wanted = [ids] if isinstance(ids, str) else list(ids)
    with connect(results) as con:
        found = [find_run(con, text) for text in wanted]
        query = (
            "FROM curves WHERE run_id IN (SELECT unnest($ids::VARCHAR[])) "
            "ORDER BY run_id, split, name, epoch"
        )
        return frame(con, query, {"ids": found}, form)


def frame(
    con: DuckDBPyConnection, query: str, params: dict[str, Any], form: Form = "pandas"
) -> Any:
    """What a query gives, as a DataFrame of one of the libraries."""
    library = {"pandas": "pandas", "arrow": "pyarrow", "polars": "polars"}.get(form)
    if library is None:
        raise WarehouseError(f"form {form!r} is none of pandas, arrow and polars")
    answer = con.execute(query, params) if params else con.execute(query)
    try:
        if form == "pandas":
            with warnings.catch_warnings():
                # DuckDB 1.5 makes its frames in a way that pandas 3.1 warns of.
                warnings.filterwarnings("ignore", message="The inplace keyword in DataFrame.drop")
                return answer.df()
        return answer.pl() if form == "polars" else answer.to_arrow_table()
    except ModuleNotFoundError as error:
        raise WarehouseError(
            f"form {form!r} needs {error.name}, which is not installed: pip install {library}"
        ) from error


def varying_params(con: DuckDBPyConnection, ids: Sequence[str] | None = None) -> list[str]:
    """The params that differ between runs, by name; without what only says where they trained.

    ids: of these runs alone; None: of all that are not deleted.
    """
    rows = con.execute(
        "SELECT name FROM params ANTI JOIN deleted USING (run_id) "
        "WHERE ($1::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($1::VARCHAR[]))) "
        "AND name NOT IN ('results', 'device') "
        "GROUP BY name HAVING count(DISTINCT value) > 1 "
        "OR count(DISTINCT run_id) < (SELECT coalesce(len($1), (SELECT count(*) "
        "FROM runs ANTI JOIN deleted USING (run_id)))) ORDER BY name",
        [None if ids is None else list(ids)],
    ).fetchall()
    return [name for (name,) in rows]


def runs_query(con: DuckDBPyConnection, ids: Sequence[str] | None = None) -> str:
    """The SQL of `runs`: the leaderboard, and a column for each param and metric.

    ids: the runs whose params tell them apart; None: all.
    """
    taken = {name for name, *_ in con.execute("DESCRIBE leaderboard").fetchall()}
    params = [name for name in varying_params(con, ids) if name not in taken][:WIDEST]
    numeric = {
        name
        for (name,) in con.execute(
            "SELECT name FROM params GROUP BY name HAVING count(number) = count(value) "
            "AND count(*) FILTER (value IN ('true', 'false')) = 0"
        ).fetchall()
    }
    metrics = [
        name
        for (name,) in con.execute(METRICS).fetchall()
        if name not in taken and name not in params
    ][:WIDEST]
    query = "SELECT l.*, r.config_hash"
    sources = "FROM leaderboard AS l JOIN runs AS r ON r.run_id = l.run_id"
    pivots = (
        ("numbers", "params", "name", "number", [name for name in params if name in numeric]),
        ("texts", "params", "name", "value", [name for name in params if name not in numeric]),
        ("came_to", "outcomes", "metric", "value", metrics),
    )
    for alias, source, key, value, names in pivots:
        if names:
            listed = ", ".join(map(literal, names))
            query += f", {alias}.* EXCLUDE (run_id)"
            sources += (
                f" LEFT JOIN (PIVOT (SELECT run_id, {key}, {value} FROM {source}) "
                f"ON {key} IN ({listed}) USING any_value({value}) GROUP BY run_id) AS {alias} "
                f"ON {alias}.run_id = l.run_id"
            )
    return f"{query} {sources} ORDER BY l.monitor, l.rank NULLS LAST, l.run_id"
