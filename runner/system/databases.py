"""DuckDB connections that a file from somebody else cannot use to reach beyond itself.

A database may hold views and macros that read or write any file, log into one, or fetch an
extension, as soon as it is asked anything: `read_only` does not stop them. So whatever opens a
file that this process has not just written opens it with `CLOSED`, and shuts it before it asks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.system.temporary import private_folder

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}
"""For `duckdb.connect(config=...)`: nothing is fetched to understand a file, not even its kind."""
EFFECTS = re.compile(r'"name":\s*"((?:EN|DIS)ABLE_(?:LOGGING|PROFILING)|TRUNCATE_DUCKDB_LOGS)\b')
"""The steps of a plan, as JSON, that change how DuckDB itself works."""
CALLS = re.compile(r"(?i)((?:en|dis)able_(?:logging|profiling)|truncate_duckdb_logs)\W*\(")
"""Calls of the same in SQL."""
STORED = """
    SELECT sql FROM duckdb_views() WHERE NOT internal
    UNION ALL
    SELECT macro_definition
    FROM duckdb_functions()
    WHERE NOT internal AND macro_definition IS NOT NULL
"""
"""The SQL of all views and macros."""
PATTERN = "*?["
"""The signs that make a path a pattern."""
MEMORY_SHARE = 0.5
"""The share of the machine's memory that a foreign file may have DuckDB use."""


def shut(
    con: DuckDBPyConnection,
    files: Iterable[Path] = (),
    folders: Iterable[Path | str] = (),
    memory: str | None = None,
    threads: int | None = None,
) -> None:
    """Leave the connection what is attached, and `files` and `folders`; for good.

    memory: such as "512MB", beyond which DuckDB writes to its temporary folder; None: the share
        MEMORY_SHARE of the machine. threads: None: all that this process may use.

    Every connection to the same database in this process is shut with it. Raises duckdb.Error
    where the configuration was locked before.
    """
    spelled = [form for path in files for form in (str(path), as_one_file(str(path)))]
    for setting, paths in (("allowed_paths", spelled), ("allowed_directories", folders)):
        if listed := ", ".join(literal(str(path)) for path in paths):
            con.execute(f"SET GLOBAL {setting} = [{listed}]")
    chosen = {"memory_limit": memory, "threads": threads and str(threads)}
    for setting, bound in bounds().items():
        con.execute(f"SET GLOBAL {setting} = {literal(chosen[setting] or bound)}")
    con.execute("SET GLOBAL enable_external_access = false")
    con.execute("SET GLOBAL lock_configuration = true")


def spill_folder() -> Path:
    """Where DuckDB may write what does not fit into memory; nobody else can look into it."""
    return private_folder() / f"spill-{os.getpid()}"


def bounds() -> dict[str, str]:
    """The settings that keep a query over a foreign file from taking the whole machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE
    return {"memory_limit": f"{int(memory)}B", "threads": str(len(os.sched_getaffinity(0)))}


def as_one_file(path: str) -> str:
    """The path as a pattern that matches it alone, though it hold the signs of one."""
    return "".join(f"[{sign}]" if sign in PATTERN else sign for sign in path)


def refuse_effects(con: DuckDBPyConnection, select: str) -> None:
    """Raise duckdb.PermissionException where the SELECT, or a view in it, does more than read.

    A log or a profile into a file is refused too late by DuckDB itself: the process ends.
    """
    import duckdb

    try:
        [(_, plan)] = con.execute(f"EXPLAIN (FORMAT JSON) {select}").fetchall()
    except duckdb.InvalidInputException as error:
        # From DuckDB 2 on, the lock of the configuration is in their way.
        if "locked" not in str(error):
            raise
        raise duckdb.PermissionException(f"Permission Error: {error}") from None
    if effect := EFFECTS.search(plan):
        raise duckdb.PermissionException(f"Permission Error: {effect[1].lower()}() is no reading")


def refuse_effects_in(con: DuckDBPyConnection, text: str) -> list[duckdb.Statement]:
    """The statements of the text.

    Raises duckdb.PermissionException where one does more than read, and duckdb.Error.
    """
    import duckdb

    statements = con.extract_statements(text)
    for statement in statements:
        if statement.type in (duckdb.StatementType.COPY, duckdb.StatementType.EXPORT):
            # A lake's own folder is in reach.
            raise duckdb.PermissionException("Permission Error: to write files is no reading")
        try:
            if statement.type == duckdb.StatementType.SELECT and statement.query:
                refuse_effects(con, statement.query)
                continue
        except duckdb.CatalogException as error:
            if "__pivot_enum" not in str(error):
                raise
        # What nothing explains: a CALL, or a PIVOT without an IN, which is several statements.
        for sql in (text, *(stored for (stored,) in con.execute(STORED).fetchall())):
            if call := CALLS.search(sql):
                raise duckdb.PermissionException(
                    f"Permission Error: {call[1].lower()}() is no reading"
                )
    return statements


def literal(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    """The text as the name of a table or column in SQL."""
    return '"' + text.replace('"', '""') + '"'
