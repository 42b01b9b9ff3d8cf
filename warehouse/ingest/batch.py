"""One batch of checked journals into the tables, in one transaction."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runner.journal.records import Artifact, Care, RunEnd
from runner.system.databases import as_one_file, identifier
from runner.system.paths import open_plain
from warehouse.database import Writer, sql_of, table_names, transaction
from warehouse.ingest.purged import purged_runs, remove_rows, remove_staged
from warehouse.ingest.staging import JournalRow, Staging
from warehouse.ingest.sums import keep_sums
from warehouse.journals.archive import Verdict
from warehouse.journals.lines import Fields
from warehouse.journals.read import JournalFile, Reading

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OUTLIVE = frozenset(
    {"care", "datasets", "dataset_columns", "searches", "skipped_runs", "suggestions"}
)
"""Tables whose rows do not go with the run that they name."""


class Batch:
    """A transaction being prepared, as a context: add readings, then load them."""

    def __init__(self, writer: Writer, results: Path, run_ids: list[str]) -> None:
        """Look up which of the runs are there already; files for DuckDB go into its staging.

        results: the folder against which the uris of artifacts count.
        """
        self.new: list[str] = []
        self.lost: list[str] = []
        self.problems: list[str] = []
        """Files of predictions that could not be read, a sentence each."""
        self._added: set[str] = set()
        self._purges: list[str] = []
        """Runs that this batch purges."""
        self._con, self._results = writer.con, results
        self._predictions: list[Fields] = []
        self._replaces = False
        self._folder = writer.staging / "batch"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._staging = Staging(self._folder)
        self._purged = purged_runs(self._con)
        known = self._con.execute(
            "SELECT run_id, status, journal_bytes, journal_sha256 FROM runs "
            "WHERE run_id IN (SELECT unnest(?::VARCHAR[]))",
            [run_ids],
        ).fetchall()
        self._known: dict[str, tuple[str, int, str]] = {
            run: (status, length, digest) for run, status, length, digest in known
        }

    def add(self, journal: JournalFile, reading: Reading) -> Verdict:
        """Decide whether one journal goes in, and stage its records if so."""
        if reading.newer is not None:
            return "newer"
        if reading.is_care:
            for kind, fields, _ in reading.rows:
                self._staging.add(kind, fields)
                if kind == Care.record and fields["action"] == "purge":
                    self._purges.append(fields["run_id"])
            return "new"
        if (judgement := reading.judgement) is not None:
            if judgement["run_id"] in self._purged:
                return "purged"
            entry = {"judgement_id": judgement["entry_id"]}
            for kind, fields, _ in reading.rows:
                self._staging.add(kind, fields | entry)
            return "new"
        if reading.start is None:
            return "no run"
        if reading.run_id in self._purged:
            return "purged"
        if reading.run_id in self._added:
            return "twice"
        running = journal.state == "running"
        replaces = False
        if (known := self._known.get(reading.run_id)) is not None:
            known_status, length, digest = known
            if digest == reading.sha256 and not running:
                return "there"
            # Given up too early, or gone on with since: the longer journal is the truth.
            replaces = known_status in ("lost", "running") and (running or reading.bytes > length)
            # An import writes a journal again where its source has changed, and only then.
            replaces |= reading.start["imported_from"] is not None
            if not replaces:
                return "other"
        self._added.add(reading.run_id)
        self._stage_run(
            reading,
            JournalRow(
                reading.run_id,
                reading.bytes,
                reading.sha256,
                "running" if running else "lost",
                replaces,
            ),
        )
        self.new.append(reading.run_id)
        if not running and not any(row.kind == RunEnd.record for row in reading.rows):
            self.lost.append(reading.run_id)
        return "new"

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        # After an error nothing in them counts, and a full disk must not keep any open.
        self._staging.abandon()

    def load(self, *, keep: bool = True) -> None:
        """Load all that was staged, or nothing; only try it, if it is not to be kept."""
        con = self._con
        self._staging.load(con)
        _stage_predictions(con)
        incomplete = self._read_predictions()
        if self._purges:
            remove_staged(con, self._purges)
        with transaction(con, keep=keep):
            if self._purges:
                remove_rows(con, self._purges)
            if self._replaces:
                _remove_replaced(con)
            for name in ("insert.sql", "collected.sql"):
                con.execute(dict(sql_of("ingest"))[name])
            keep_sums(con, but=incomplete)

    def _stage_run(self, reading: Reading, row: JournalRow) -> None:
        self._replaces |= row.replaces
        self._staging.add(row.record, asdict(row))
        for kind, fields, _ in reading.rows:
            self._staging.add(kind, fields)
            if kind == Artifact.record and fields["kind"] == "predictions":
                self._predictions.append(fields)

    def _read_predictions(self) -> list[str]:
        """Stage the rows of the files that are what was written; the runs of the other files."""
        return [one["run_id"] for one in self._predictions if not self._is_staged(one)]

    def _is_staged(self, artifact: Fields) -> bool:
        """Stage the rows of a file of predictions, if it is there and is what was written."""
        import duckdb

        path = self._results / artifact["uri"]
        # A copy: the only folder that the connection reaches is this one, and its name is plain.
        copy = self._folder / "predictions.parquet"
        try:
            source = open_plain(path)
        except OSError:  # `verify` names what is missing
            return False
        with source, copy.open("wb+") as target:
            shutil.copyfileobj(source, target)
            target.seek(0)
            digest = hashlib.file_digest(target, "sha256").hexdigest()
        if digest != artifact["sha256"]:
            return False
        try:
            self._con.execute(_PREDICTIONS, [artifact["run_id"], as_one_file(str(copy))])
        except (duckdb.DataError, duckdb.ProgrammingError, duckdb.IntegrityError) as error:
            self._problem(path, error)
            return False
        except (duckdb.IOException, duckdb.InternalException) as error:
            # What DuckDB says of a torn file; a full disk is another matter.
            if "space" in str(error):
                raise
            self._problem(path, error)
            return False
        return True

    def _problem(self, path: Path, error: Exception) -> None:
        self.problems.append(
            f"the predictions in {path} are left out: {str(error).splitlines()[0]}"
        )


def _stage_predictions(con: DuckDBPyConnection) -> None:
    """Make the table that files of predictions are read into, as strict as the one they go to."""
    columns = con.execute(
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE table_name = 'predictions' AND schema_name = 'main' "
        "AND database_name = current_database() ORDER BY column_index"
    ).fetchall()
    declared = ", ".join(
        f"{identifier(name)} {type_}{'' if nullable else ' NOT NULL'}"
        for name, type_, nullable in columns
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE staged_prediction ({declared})")


def _remove_replaced(con: DuckDBPyConnection) -> None:
    """Delete the rows of runs that had been given up and went on after all, by longer journals."""
    columns = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' "
        "AND database_name = current_database() AND column_name IN ('run_id', 'judgement_id')"
    ).fetchall()
    for table in table_names():
        if table in OUTLIVE or (table, "run_id") not in columns:
            continue
        # A judgement has a journal of its own.
        of_run = " AND judgement_id IS NULL" if (table, "judgement_id") in columns else ""
        con.execute(
            f"DELETE FROM {identifier(table)} "
            f"WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces){of_run}"
        )


_PREDICTIONS = """
INSERT INTO staged_prediction BY NAME
SELECT $1 AS run_id, * FROM read_parquet($2, hive_partitioning = false)
"""
