"""Journals into a lake: the same ingest as into a file, and then its rows, in one transaction.

The batch goes into a database in memory first, in which the lake's own rows lie that it asks
about. Only then is the lake locked: if those rows are still the same, what is new is added in one
transaction; if not, the batch goes in anew. So nobody waits for another's reading of journals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.journal.records import Artifact, Care, Dataset, EvaluationAdded
from runner.system.databases import CLOSED, identifier, literal, shut
from warehouse.database import Writer, migrate, sql_of, table_names, transaction
from warehouse.ingest.batch import OUTLIVE
from warehouse.ingest.purged import remove_rows
from warehouse.ingest.sift import Loaded, ReadJournal, load
from warehouse.lake.address import Lake
from warehouse.lake.lock import attach_door, locked
from warehouse.lake.opening import NAME, attach, in_words, load_extensions
from warehouse.lake.schema import bring_up_to_date, using
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Take = Callable[[Sequence[ReadJournal]], Loaded]
"""What takes a batch of journals in."""
HERE = "memory"
"""The database in memory."""
BY_ENTRY = ("searches", "skipped_runs", "suggestions", "care")
"""Tables whose rows are known by the entry that they come from."""


@contextmanager
def taking(place: Place, lake: Lake) -> Iterator[Take]:
    """The lake open for taking journals in, made or migrated as needed.

    Raises LakeError, PassingError among them.
    """
    with writing(lake) as writer:
        yield lambda journals: _take(writer, lake, place.folder, journals)


@contextmanager
def writing(lake: Lake) -> Iterator[Writer]:
    """A database in memory with our tables, empty, and the lake attached, up to date."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
        duckdb.connect(config=CLOSED) as con,
        in_words(lake),
    ):
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        migrate(con)
        load_extensions(con)
        attach_door(con, lake)
        with locked(con, lake):
            path = attach(con, lake, write=True)
            bring_up_to_date(con, HERE)
        shut(con, folders=[Path(folder), path])
        yield Writer(con, Path(folder))


def _take(writer: Writer, lake: Lake, results: Path, journals: Sequence[ReadJournal]) -> Loaded:
    """One batch, in one transaction of the lake's, or not at all."""
    con = writer.con
    asked = _asked(journals)
    seen = _lay(con, asked)
    loaded = load(writer, results, journals)
    with locked(con, lake), in_words(lake):
        if _sums(con, asked) != seen:
            _lay(con, asked)
            loaded = load(writer, results, journals)
        _push(con, asked, loaded, journals)
    return loaded


def _asked(journals: Iterable[ReadJournal]) -> dict[str, str]:
    """Table -> the condition for the rows of the lake that the batch asks about."""
    runs, entries, identities, uris = set(), set(), set(), set()
    for journal, reading in journals:
        runs.add(journal.run_id)
        for kind, fields, _ in reading.rows:
            if kind == Dataset.record:
                identities.add(fields["identity"])
                runs.add(fields["run_id"])
            elif kind == Artifact.record and fields["kind"] == "predictions":
                uris.add(fields["uri"])
            elif kind == EvaluationAdded.record or "entry_id" in fields:
                entries.add(fields["entry_id"])
    conditions = {
        "runs": _among("run_id", runs),
        "judgements": _among("judgement_id", entries),
        "datasets": _among("identity", identities),
        "dataset_columns": _among("identity", identities),
        **{table: _among("entry_id", entries) for table in BY_ENTRY},
    }
    collected = f" OR (action = 'collect' AND {_among('text', uris)})" if uris else ""
    conditions["care"] = f"action = 'purge' OR {conditions['care'] or 'false'}{collected}"
    return {table: condition for table, condition in conditions.items() if condition}


def _among(column: str, values: Iterable[str]) -> str:
    """The condition that a column is one of some values; empty where there are none."""
    listed = ", ".join(map(literal, sorted(values)))
    return f"{column} IN ({listed})" if listed else ""


def _lay(con: DuckDBPyConnection, asked: dict[str, str]) -> list[tuple[object, ...]]:
    """Empty the tables in memory, and lay the lake's rows there that are asked about."""
    for table in table_names():
        if table not in ("migrations", "care_of_a_run"):
            con.execute(f"DELETE FROM {HERE}.main.{identifier(table)}")
    with transaction(con):
        for table, condition in asked.items():
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {_laid(table)} AS "
                f"FROM {NAME}.main.{table} WHERE {condition}"
            )
    for table in asked:
        con.execute(f"INSERT INTO {HERE}.main.{table} BY NAME FROM {_laid(table)}")
    return [_sum(con, f"FROM {_laid(table)} AS t") for table in asked]


def _laid(table: str) -> str:
    return f"laid_{table}"


def _sums(con: DuckDBPyConnection, asked: dict[str, str]) -> list[tuple[object, ...]]:
    """What the rows that are asked about add up to now."""
    with transaction(con):
        return [
            _sum(con, f"FROM {NAME}.main.{table} AS t WHERE {condition}")
            for table, condition in asked.items()
        ]


def _sum(con: DuckDBPyConnection, rows: str) -> tuple[object, ...]:
    return con.execute(f"SELECT count(*), sum(hash(t)) {rows}").fetchall()[0]


def _push(
    con: DuckDBPyConnection,
    asked: dict[str, str],
    loaded: Loaded,
    journals: Sequence[ReadJournal],
) -> None:
    """Add to the lake what the batch has made, and take away what it replaces."""
    care = [
        row.fields
        for _, reading in journals
        if reading.is_care
        for row in reading.rows
        if row.kind == Care.record
    ]
    purges = [each["run_id"] for each in care if each["action"] == "purge"]
    with using(con, NAME), transaction(con):
        if purges:
            remove_rows(con, purges)
        _remove(con, _replaced(con, loaded.new))
        for table in table_names():
            if table not in ("migrations", "care_of_a_run"):
                _add(con, table, is_laid=table in asked)
        if any(each["action"] == "collect" for each in care):
            con.execute(dict(sql_of("ingest"))["collected.sql"])


def _replaced(con: DuckDBPyConnection, new: Sequence[str]) -> list[str]:
    """The runs that are in the lake, and now come with longer journals."""
    rows = con.execute(f"SELECT run_id FROM {_laid('runs')}").fetchall()
    return sorted({run_id for (run_id,) in rows} & set(new))


def _remove(con: DuckDBPyConnection, runs: Sequence[str]) -> None:
    """Take the rows of runs out of the lake, but for those of later judgements."""
    if not runs:
        return
    columns = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        f"WHERE database_name = '{HERE}' AND column_name IN ('run_id', 'judgement_id')"
    ).fetchall()
    for table in table_names():
        if table in OUTLIVE or (table, "run_id") not in columns or table == "care_of_a_run":
            continue
        of_run = " AND judgement_id IS NULL" if (table, "judgement_id") in columns else ""
        con.execute(
            f"DELETE FROM {NAME}.main.{table} WHERE {_among('run_id', runs)}{of_run}"
        )


def _add(con: DuckDBPyConnection, table: str, *, is_laid: bool) -> None:
    """Add the rows of one table that did not come from the lake itself."""
    source, target = f"{HERE}.main.{table}", f"{NAME}.main.{table}"
    rows = f"FROM {source}"
    if is_laid and table in ("datasets", "dataset_columns"):
        changed = _among("identity", _changed(con))
        if not changed:
            return
        con.execute(f"DELETE FROM {target} WHERE {changed}")
        rows += f" WHERE {changed}"
    elif is_laid:
        rows += f" EXCEPT ALL FROM {_laid(table)}"
    if con.execute(f"SELECT 1 FROM ({rows}) LIMIT 1").fetchall():
        con.execute(f"INSERT INTO {target} BY NAME {rows}")


def _changed(con: DuckDBPyConnection) -> list[str]:
    """The datasets that another run has told of first."""
    rows = con.execute(
        f"SELECT identity FROM (SELECT identity, first_seen, run_id FROM {HERE}.main.datasets "
        f"EXCEPT SELECT identity, first_seen, run_id FROM {_laid('datasets')})"
    ).fetchall()
    return [identity for (identity,) in rows]
