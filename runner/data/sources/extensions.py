"""DuckDB's readers of other databases, from the packages that carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import DataError
from runner.system.duckdb_extensions import load_packaged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load_extension(con: DuckDBPyConnection, kind: str) -> None:
    """Let the connection attach databases of a kind: "postgres", "mysql" or "sqlite".

    Raises DataError where neither a package nor DuckDB's own folder has the reader.
    """
    import duckdb

    if not load_packaged(con, kind):
        raise DataError(
            f"reading from {kind} needs the package duckdb-extension-{kind} for DuckDB "
            f"{duckdb.__version__}, which is missing: pip install 'sweephouse[databases]'"
        )
