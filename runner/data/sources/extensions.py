"""DuckDB's readers of other databases, from the packages that carry them."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import DataError
from runner.system.databases import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load_extension(con: DuckDBPyConnection, kind: str) -> None:
    """Let the connection attach databases of a kind: "postgres", "mysql" or "sqlite".

    Raises DataError where neither a package nor DuckDB's own folder has the reader.
    """
    import duckdb

    spec = importlib.util.find_spec(f"duckdb_extension_{kind}")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{kind}.duckdb_extension"
        if file.is_file():
            with tempfile.TemporaryDirectory(prefix="sweephouse-") as place:
                # DuckDB takes the name of its entry point from the file's.
                link = Path(place) / f"{kind}_scanner.duckdb_extension"
                link.symlink_to(file)
                con.execute(f"LOAD {literal(str(link))}")
                return
    try:
        con.execute(f"LOAD {kind}")
    except duckdb.Error:
        raise DataError(
            f"reading from {kind} needs the package duckdb-extension-{kind} for DuckDB "
            f"{duckdb.__version__}, which is missing: pip install 'sweephouse[databases]'"
        ) from None
