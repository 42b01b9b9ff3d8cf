"""DuckDB's extensions, from the packages that carry them: nothing is fetched."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runner.system.databases import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_STEMS = {"postgres": "postgres_scanner", "mysql": "mysql_scanner", "sqlite": "sqlite_scanner"}
"""Extensions whose file is called otherwise than their package."""


def load_packaged(con: DuckDBPyConnection, kind: str) -> bool:
    """Load an extension such as "postgres" or "ducklake"; whether a package or DuckDB has it."""
    import duckdb

    spec = importlib.util.find_spec(f"duckdb_extension_{kind}")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{kind}.duckdb_extension"
        if file.is_file():
            with tempfile.TemporaryDirectory(prefix="sweephouse-") as place:
                # DuckDB takes the name of its entry point from the file's.
                link = Path(place) / f"{_STEMS.get(kind, kind)}.duckdb_extension"
                link.symlink_to(file)
                con.execute(f"LOAD {literal(str(link))}")
                return True
    try:
        con.execute(f"LOAD {kind}")
    except duckdb.Error:
        return False
    return True
