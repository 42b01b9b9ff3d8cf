"""One batch of checked journals into the tables, in one transaction."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from warehouse.database import sql_of
from warehouse.journals import Found, Reading
from warehouse.lines import Fields, dump

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Verdict = Literal["new", "there", "twice", "other", "newer", "no run"]
"""`there`: this very journal is in already. `other`: its run id is, with other content. `twice`:
another journal of the run is in this batch; one at a time."""
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
    """A transaction being prepared: add readings, then commit."""

    def __init__(
        self, con: DuckDBPyConnection, results: Path, staging: Path, run_ids: list[str]
    ) -> None:
        """Look up which of the runs are there already; files for DuckDB go into `staging`.

        results: the folder against which the uris of artifacts count.
        """
        self.new: list[str] = []
        self.lost: list[str] = []
        self._added: set[str] = set()
        self._con, self._results = con, results
        self._predictions: list[Fields] = []
        self._replaces = False
        self._staging = staging
        self._files: dict[str, BinaryIO] = {
            kind: (staging / f"{kind}.jsonl").open("wb") for kind in _KINDS
        }
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
            for _, fields in reading.rows:
                self._stage("care", fields)
            return "new"
        if (judgement := reading.judgement) is not None:
            entry = {"judgement_id": judgement["entry_id"]}
            for kind, fields in reading.rows:
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
        if not running and not any(kind == "run_end" for kind, _ in reading.rows):
            self.lost.append(reading.run_id)
        return "new"

    def commit(self) -> None:
        """Load all that was staged, or nothing."""
        for file in self._files.values():
            file.close()
        con = self._con
        con.execute("SET VARIABLE staging = ?", [str(self._staging)])
        con.execute("BEGIN")
        try:
            for name, text in sql_of("load"):
                if self._replaces or not name.startswith("2_"):
                    con.execute(text)
                if name.startswith("1_"):
                    self._read_predictions()
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            raise

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
        for kind, fields in reading.rows:
            self._stage(kind, fields)
            if kind == "artifact" and fields["kind"] == "predictions":
                self._predictions.append(fields)

    def _stage(self, kind: str, fields: Fields) -> None:
        texts = {name: _json(fields[name]) for name in _AS_TEXT.get(kind, ())}
        self._files[kind].write(dump(fields | texts))

    def _read_predictions(self) -> None:
        """Stage the rows of the files that are there and are what was written."""
        for artifact in self._predictions:
            path = self._results / artifact["uri"]
            if not path.resolve().is_relative_to(self._results.resolve()):
                continue
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:  # `verify` names what is missing
                continue
            if found == artifact["sha256"]:
                self._con.execute(
                    "INSERT INTO staged_prediction BY NAME "
                    "SELECT ? AS run_id, * FROM read_parquet(?)",
                    [artifact["run_id"], str(path)],
                )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
