"""The warehouse's public door: what the journals say, as a DuckDB connection.

import warehouse
con = warehouse.connect()                      # a snapshot, running runs included
con.sql("FROM leaderboard LIMIT 10").df()
"""

from runner.errors import WarehouseError
from warehouse.ingest import sync
from warehouse.lookup import WeightsFile, find_run, latest_runs, weights_of
from warehouse.result import SyncResult
from warehouse.snapshot import connect

__all__ = [
    "SyncResult",
    "WarehouseError",
    "WeightsFile",
    "connect",
    "find_run",
    "latest_runs",
    "sync",
    "weights_of",
]
