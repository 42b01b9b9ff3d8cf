"""The lines of one batch of journals as temporary tables, one for each kind of record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from runner.journal.records import Id, Status
from runner.system.databases import as_one_file, identifier, literal
from warehouse.journals.fields import fields_of
from warehouse.journals.lines import FIELDS, Fields, dump

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BIGGEST = 67_108_864
"""Bytes of a line that DuckDB takes: the longest that passes the check grows by its numbers."""


@dataclass(frozen=True)
class JournalRow:
    """A run's journal as a whole, staged like a record."""

    record: ClassVar[str] = "journal"
    run_id: Id
    bytes: int
    sha256: str
    status: Status
    replaces: bool


_FIELDS = {JournalRow.record: fields_of(JournalRow), **FIELDS}
_COLUMNS = {
    # Of a line in a judgement's journal, the judgement; it is no field of the records.
    kind: {field.name: field.form.sql for field in fields} | {"judgement_id": "VARCHAR"}
    for kind, fields in _FIELDS.items()
}
_AS_TEXT = {
    kind: [field.name for field in fields if field.form.is_anything]
    for kind, fields in _FIELDS.items()
}


class Staging:
    """Lines on their way into the tables `staged_<kind>`, by way of files in a folder."""

    def __init__(self, folder: Path) -> None:
        """The folder is empty, and the connection may read from it."""
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def add(self, kind: str, fields: Fields) -> None:
        """Put a checked record, or a JournalRow as a dictionary, to the others of its kind."""
        if (file := self._files.get(kind)) is None:
            file = self._files[kind] = self._path(kind).open("wb")
        texts = {name: _json(fields[name]) for name in _AS_TEXT[kind]}
        file.write(dump(fields | texts))

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()

    def abandon(self) -> None:
        """Let go of the files, also of those whose last bytes find no space."""
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def load(self, con: DuckDBPyConnection) -> None:
        """Make the tables, of every kind, and fill them."""
        self.close()
        con.execute("".join(tables()))
        for kind in self._files:
            columns = ", ".join(
                f"{identifier(name)}: {literal(sql)}" for name, sql in _COLUMNS[kind].items()
            )
            con.execute(
                f"INSERT INTO {_table(kind)} FROM read_json(?, format = 'newline_delimited', "
                "hive_partitioning = false, "
                f"maximum_object_size = {BIGGEST}, columns = {{{columns}}})",
                [as_one_file(str(self._path(kind)))],
            )

    def _path(self, kind: str) -> Path:
        return self._folder / f"{kind}.jsonl"


def tables() -> Iterator[str]:
    """The statements that make the tables, empty."""
    for kind, types in _COLUMNS.items():
        columns = ", ".join(f"{identifier(name)} {sql}" for name, sql in types.items())
        yield f"CREATE OR REPLACE TEMP TABLE {_table(kind)} ({columns});\n"


def _table(kind: str) -> str:
    return f"staged_{kind}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
