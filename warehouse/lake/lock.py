"""The lock of a lake: who writes holds it, one at a time, on whatever machine.

It is an advisory lock in PostgreSQL, of a transaction in a session of its own: whoever is killed,
or loses the network, loses the lock with the session. DuckLake itself lets two clients add the
same run at the same moment, since additions do not conflict.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from runner.system.databases import literal
from warehouse.lake.address import Lake
from warehouse.lake.opening import in_words
from warehouse.place import BusyError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DOOR = "door"
"""What the catalog's server is called in a connection that may lock."""
PATIENCE = 120.0
"""Seconds that a writer waits for others."""
_SECONDS = 5
"""Of them at a time, so that a Ctrl-C is heard."""
_SILENT = 30
"""Seconds after which the server asks whether a silent client is there still."""


def attach_door(con: DuckDBPyConnection, lake: Lake) -> None:
    """Attach the catalog's server; its extension is loaded."""
    with in_words(lake):
        con.execute(f"ATTACH {literal(lake.uri)} AS {DOOR} (TYPE postgres, READ_ONLY)")


@contextmanager
def locked(con: DuckDBPyConnection, lake: Lake, wait: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of the lake; BusyError where others still have it after `wait` seconds."""
    import duckdb

    key = int.from_bytes(sha256(f"sweephouse {lake.schema}".encode()).digest()[:8], signed=True)
    until = time.monotonic() + wait
    holder = con.cursor()
    try:
        with in_words(lake):
            while not _taken(holder, key):
                if time.monotonic() >= until:
                    raise BusyError(f"others are at work on the lake {lake.shown}")
        yield
    finally:
        with suppress(duckdb.Error):
            holder.execute("ROLLBACK")
        holder.close()


def _taken(holder: DuckDBPyConnection, key: int) -> bool:
    """Wait for the lock, in turn with others; whether we have it."""
    import duckdb

    holder.execute("BEGIN")
    try:
        for query in (
            f"SELECT set_config('lock_timeout', '{_SECONDS}s', true) AS waits, "
            f"set_config('tcp_keepalives_idle', '{_SILENT}', true) AS asks",
            f"SELECT 1 AS taken FROM pg_advisory_xact_lock({key})",
        ):
            holder.execute(f"FROM postgres_query('{DOOR}', {literal(query)})").fetchall()
    except duckdb.Error as error:
        with suppress(duckdb.Error):
            holder.execute("ROLLBACK")
        if "lock timeout" in str(error):
            return False
        raise
    return True
