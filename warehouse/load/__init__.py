"""One batch of checked journals into the tables, in one transaction."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import BinaryIO, Literal

from runner.system.databases import as_one_file
from warehouse.database import Writer, sql_of, transaction
from warehouse.journals import Found, Reading, open_plain
from warehouse.lines import Fields, dump

Verdict = Literal["new", "there", "twice", "other", "newer", "no run", "refused"]
"""`there`: this very journal is in already. `other`: its run id is, with other content. `twice`:
another journal of the run is in this batch; one at a time. `refused`: DuckDB cannot take it."""
_KINDS = (
    "journal",
    "run_start",
    "steps",
    "epoch_end",
    "weights",
    "tensors",
    "layers",
    "artifact",
    "dataset",
    "evaluation",
    "confusion",
    "curves",
    "replay",
    "run_end",
    "care",
    "judgement",
)
_AS_TEXT = {"run_start": ("config", "data"), "judgement": ("data",)}


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
        self._con, self._results = writer.con, results
        self._predictions: list[Fields] = []
        self._replaces = False
        self._staging = writer.staging / "batch"
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir()
        self._files: dict[str, BinaryIO] = {
            kind: (self._staging / f"{kind}.jsonl").open("wb") for kind in _KINDS
        }
        con = self._con
        known = con.execute(
            "SELECT run_id, status, journal_bytes, journal_sha256 FROM runs "
            "WHERE run_id IN (SELECT unnest(?::VARCHAR[]))",
            [run_ids],
        ).fetchall()
        self._known: dict[str, tuple[str, int, str]] = {
            run: (status, length, digest) for run, status, length, digest in known
        }

    def add(self, found: Found, reading: Reading) -> Verdict:
        """Judge one journal, and stage its records if they are to go in."""
        if reading.newer is not None:
            return "newer"
        if reading.is_care:
            for _, fields, _ in reading.rows:
                self._stage("care", fields)
            return "new"
        if (judgement := reading.judgement) is not None:
            entry = {"judgement_id": judgement["entry_id"]}
            for kind, fields, _ in reading.rows:
                self._stage(kind, fields if kind == "judgement" else fields | entry)
            return "new"
        if reading.start is None:
            return "no run"
        if reading.run_id in self._added:
            return "twice"
        running = found.state == "running"
        replaces = False
        if (there := self._known.get(reading.run_id)) is not None:
            status, length, digest = there
            if digest == reading.sha256 and not running:
                return "there"
            # Given up too early, or gone on with since: the longer journal is the truth.
            replaces = status in ("lost", "running") and (running or reading.bytes > length)
            if not replaces:
                return "other"
        status = "running" if running else "lost"
        self._added.add(reading.run_id)
        self._stage_run(reading, status, replaces)
        self.new.append(reading.run_id)
        if not running and not any(row.kind == "run_end" for row in reading.rows):
            self.lost.append(reading.run_id)
        return "new"

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for file in self._files.values():
            file.close()

    def load(self, *, keep: bool = True) -> None:
        """Load all that was staged, or nothing; only try it, if it is not to be kept."""
        self._close()
        con = self._con
        con.execute("SET VARIABLE staging = ?", [as_one_file(str(self._staging))])
        (_, stage), (_, replace), (_, insert) = sql_of("load")
        con.execute(stage)
        self._read_predictions()
        with transaction(con, keep=keep):
            if self._replaces:
                con.execute(replace)
            con.execute(insert)

    def _stage_run(self, reading: Reading, status: str, replaces: bool) -> None:
        self._replaces |= replaces
        self._stage(
            "journal",
            {
                "run_id": reading.run_id,
                "bytes": reading.bytes,
                "sha256": reading.sha256,
                "status": status,
                "replaces": replaces,
            },
        )
        for kind, fields, _ in reading.rows:
            self._stage(kind, fields)
            if kind == "artifact" and fields["kind"] == "predictions":
                self._predictions.append(fields)

    def _stage(self, kind: str, fields: Fields) -> None:
        texts = {name: _json(fields[name]) for name in _AS_TEXT.get(kind, ())}
        self._files[kind].write(dump(fields | texts))

    def _read_predictions(self) -> None:
        """Stage the rows of the files that are there and are what was written."""
        import duckdb

        # A copy: the only folder that the connection reaches is this one, and its name is plain.
        copy = self._staging / "predictions.parquet"
        for artifact in self._predictions:
            path = self._results / artifact["uri"]
            try:
                source = open_plain(path)
            except OSError:  # `verify` names what is missing
                continue
            with source, copy.open("wb+") as target:
                shutil.copyfileobj(source, target)
                target.seek(0)
                digest = hashlib.file_digest(target, "sha256").hexdigest()
            if digest != artifact["sha256"]:
                continue
            try:
                self._con.execute(_PREDICTIONS, [artifact["run_id"], as_one_file(str(copy))])
            except (duckdb.DataError, duckdb.ProgrammingError, duckdb.IntegrityError) as error:
                self._problem(path, error)
            except (duckdb.IOException, duckdb.InternalException) as error:
                # What DuckDB says of a torn file; a full disk is another matter.
                if "space" in str(error):
                    raise
                self._problem(path, error)

    def _problem(self, path: Path, error: Exception) -> None:
        self.problems.append(
            f"the predictions in {path} are left out: {str(error).splitlines()[0]}"
        )


_PREDICTIONS = """
INSERT INTO staged_prediction BY NAME
SELECT $1 AS run_id, * FROM read_parquet($2, hive_partitioning = false)
"""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
