"""Views that packages bring: readers have them beside our own, the live database has not.

They are made in each snapshot, so that a package that goes takes its views along.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from runner.errors import WarehouseError, in_one_line
from runner.system.extensions import VIEWS, extensions
from warehouse.database import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_VIEWS = (
    "SELECT view_name, sql FROM duckdb_views() "
    "WHERE NOT internal AND database_name = current_database()"
)


def view_texts() -> list[tuple[str, str]]:
    """Of each view what a sentence calls it, and the statement that makes it, in order."""
    return [
        (f"view {name}.sql among {one.place}", text)
        for one in extensions(VIEWS).values()
        for name, text in one.texts().items()
    ]


def make_views(con: DuckDBPyConnection) -> None:
    """Make all of them; one that fails, or would replace another, is left out with a warning."""
    import duckdb

    for place, text in view_texts():
        try:
            with transaction(con):
                before = dict(con.execute(_VIEWS).fetchall())
                for statement in con.extract_statements(text):
                    if statement.type != duckdb.StatementType.CREATE:
                        raise WarehouseError("it is to be one CREATE VIEW")
                    con.execute(statement)
                after = dict(con.execute(_VIEWS).fetchall())
                if replaced := [name for name, sql in before.items() if after.get(name) != sql]:
                    raise WarehouseError(f"it would replace {replaced[0]}: call it otherwise")
                if len(after) == len(before):
                    raise WarehouseError("it makes no view")
        except (duckdb.Error, WarehouseError) as error:
            reason = in_one_line(error).removeprefix("WarehouseError: ")
            warnings.warn(f"the {place} is left out: {reason}", stacklevel=2)
