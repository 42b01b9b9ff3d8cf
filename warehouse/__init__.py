"""The warehouse's public door: what the journals say, as a DuckDB connection.

import warehouse
con = warehouse.connect()                      # a snapshot, running runs included
con.sql("FROM leaderboard LIMIT 10").df()
warehouse.runs()      # as DataFrames: runs(), curves(ids), sql(text, **params)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.errors import WarehouseError
    from warehouse.frames import curves, runs, sql
    from warehouse.ingest.ingest import sync
    from warehouse.lookup import WeightsFile, fetch, find_run, latest_runs, weights_of
    from warehouse.magics import load_ipython_extension
    from warehouse.result import SyncResult
    from warehouse.snapshot import connect

__all__ = [
    "SyncResult",
    "WarehouseError",
    "WeightsFile",
    "connect",
    "curves",
    "fetch",
    "find_run",
    "latest_runs",
    "load_ipython_extension",
    "runs",
    "sql",
    "sync",
    "weights_of",
]
_HOMES = {
    "SyncResult": "warehouse.result",
    "WarehouseError": "runner.errors",
    "WeightsFile": "warehouse.lookup",
    "connect": "warehouse.snapshot",
    "curves": "warehouse.frames",
    "fetch": "warehouse.lookup",
    "find_run": "warehouse.lookup",
    "latest_runs": "warehouse.lookup",
    "load_ipython_extension": "warehouse.magics",
    "runs": "warehouse.frames",
    "sql": "warehouse.frames",
    "sync": "warehouse.ingest.ingest",
    "weights_of": "warehouse.lookup",
}


def __getattr__(name: str) -> Any:
    """Import a name of the door when it is first asked for.

    `python -m warehouse` comes by here before it can hear a Ctrl-C: see `runner.system.stops`.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
