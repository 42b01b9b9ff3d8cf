"""A lake kept in order: rows that wait in the catalog and small files become larger files.

Whatever was at some moment can be read as it was then for KEPT_DAYS. What only states of before
needed goes after that, and the files of clients that were killed before they had finished. So do
weights and artifacts: those that no run names any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.system.databases import identifier
from warehouse.lake.address import Lake
from warehouse.lake.intake import merge, writing
from warehouse.lake.lock import locked
from warehouse.lake.objects import objects_at
from warehouse.lake.opening import CATALOG, NAME, data_path, in_words

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT_DAYS = 30.0
"""Days for which the states of before can be read."""
UNTIL_GONE = "1 hour"
"""Who still reads a state that is dropped may need its files so much longer."""
ORPHAN_DAYS = 1
"""From which on a file that no state names is one of a killed client's, weights among them."""
_NAMING = ("weights", "artifacts", "parents")
"""The tables whose rows name files."""
_AT_ONCE = 100
"""Files that are removed while nobody can take runs in."""


class Tidied(NamedTuple):
    """What tidying has changed."""

    before: int
    """Files of the newest state."""
    after: int
    states: int
    """States of before that cannot be read any more."""
    removed: int
    """Files that nobody needed."""
    objects: int
    """Weights and artifacts that no run names."""

    def sentence(self) -> str:
        """The outcome in one line."""
        return (
            f"{_count(self.before, 'file')} made into {_count(self.after, 'file')}, "
            f"{_count(self.states, 'earlier state')} dropped, "
            f"{_count(self.removed, 'file')} removed, "
            f"and {self.objects} of weights and artifacts"
        )


def tidy(lake: Lake, days: float = KEPT_DAYS) -> Tidied:
    """Merge files, drop what is older than so many days, and remove what nobody needs."""
    with writing(lake) as writer, in_words(lake):
        con = writer.con
        with locked(con, lake):
            before = files(con, lake)
            merge(con)
            _call(con, "rewrite_data_files")
            since = f"older_than => now() - INTERVAL '{int(days * 86_400_000)} milliseconds'"
            states = _call(con, "expire_snapshots", since)
            # Nobody reads what is not to be kept at all, or they are told so.
            gone = "cleanup_all => true" if days == 0 else _older(UNTIL_GONE)
            removed = _call(con, "cleanup_old_files", gone)
            removed += _call(con, "delete_orphaned_files", _older(f"{ORPHAN_DAYS} days"))
            after = files(con, lake)
        return Tidied(before, after, states, removed, _remove_objects(con, lake, days))


def _remove_objects(con: DuckDBPyConnection, lake: Lake, days: float) -> int:
    """Remove weights and artifacts that no run names; how many went.

    Those stay that a run names now, or did in the oldest state that can be read, and what was
    brought since then. Whoever takes runs in looks under the lock whether files are still there
    that were, so that no row ever names what goes here.
    """
    objects = objects_at(data_path(con, lake))
    old = list(objects.older((days + ORPHAN_DAYS) * 86_400))
    unnamed = sorted({*old} - _named(con, lake, old))
    removed = 0
    for first in range(0, len(unnamed), _AT_ONCE):
        part = unnamed[first : first + _AT_ONCE]
        with locked(con, lake):
            removed += sum(map(objects.remove, {*part} - _named(con, lake, part)))
    return removed


def _named(con: DuckDBPyConnection, lake: Lake, contents: list[str]) -> set[str]:
    """Those of the contents that rows name, now or in the oldest state that can be read."""
    import duckdb

    table = f"{CATALOG}.{identifier(lake.schema)}.ducklake_snapshot"
    ((oldest,),) = con.execute(f"SELECT min(snapshot_id) FROM {table}").fetchall()
    named: set[str] = set()
    for state in ("", f" AT (VERSION => {oldest})"):
        for name in _NAMING:
            try:
                rows = con.execute(
                    f"SELECT DISTINCT sha256 FROM {NAME}.main.{name}{state} "
                    "WHERE sha256 IN (SELECT unnest($1::VARCHAR[]))",
                    [contents],
                )
            except duckdb.CatalogException:
                if not state:
                    raise
                continue  # the lake had no such table yet
            named.update(digest for (digest,) in rows.fetchall())
    return named


def files(con: DuckDBPyConnection, lake: Lake) -> int:
    """How many files the newest state has."""
    catalog = f"{CATALOG}.{identifier(lake.schema)}"
    rows = con.execute(
        f"SELECT (SELECT count(*) FROM {catalog}.ducklake_data_file WHERE end_snapshot IS NULL) "
        f"+ (SELECT count(*) FROM {catalog}.ducklake_delete_file WHERE end_snapshot IS NULL)"
    ).fetchall()
    return int(rows[0][0])


def _older(age: str) -> str:
    return f"older_than => now() - INTERVAL '{age}'"


def _call(con: DuckDBPyConnection, function: str, options: str = "") -> int:
    """Have DuckLake do something; how many things it did."""
    words = ", ".join([f"'{NAME}'", *([options] if options else [])])
    return len(con.execute(f"CALL ducklake_{function}({words})").fetchall())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
