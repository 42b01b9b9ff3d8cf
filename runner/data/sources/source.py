"""Where rows come from: a file, a pattern of files, or a database, by the name given for it."""

from __future__ import annotations

import codecs
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.components.part_names import part_named
from runner.components.row_hash import TRAIN
from runner.data.sources.files import files_named, near_names, one_file, with_plain_names
from runner.errors import DataError

SourceKind = Literal["parquet", "csv", "json", "duckdb", "sqlite", "postgres", "mysql"]
FILES: tuple[SourceKind, ...] = ("parquet", "csv", "json")
SUFFIXES: dict[str, SourceKind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".duckdb": "duckdb",
    ".ddb": "duckdb",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}
WORD_ENDS = re.compile(r"[-_.\d]")
COMPRESSED = (".gz", ".zst")
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How workbooks begin, the new ones and the old, whatever they are called."""
SCHEMES: dict[str, SourceKind] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
WHAT = (
    ".parquet, .csv, .json, .duckdb or .sqlite file, a pattern of files, or a URI such as "
    "postgres://user@host/database"
)


@dataclass(frozen=True)
class Wording:
    """How sentences name what the user gave: by the keys of a dataset, or a command's options."""

    source: str = "dataset.source="
    query: str = "dataset.query="
    secret: str | None = "dataset.secret=<name>"
    """What names a DuckDB secret; None where nothing does."""
    also: str = ""
    """What else a source may be, before the endings of WHAT."""

    @property
    def the_query(self) -> str:
        """The query's key or option alone."""
        return self.query.rstrip("= ")

    @property
    def kinds(self) -> str:
        """All that a source may be."""
        return f"a {self.also}{WHAT}"


DATASET = Wording()


@dataclass(frozen=True)
class RowSource:
    """Files or a database that hold rows."""

    text: str
    """As the user gave it."""
    kind: SourceKind
    files: tuple[Path, ...] = ()
    """The files, sorted; of a database in a file that one, of a server none."""
    delimiter: str | None = None
    """Of CSV files; None: DuckDB finds out."""
    secret: str | None = None
    """The DuckDB secret that holds the password."""
    wording: Wording = DATASET

    @property
    def is_files(self) -> bool:
        """Whether the rows are the content of plain files, the table `source` in a query."""
        return self.kind in FILES

    @property
    def where(self) -> str:
        """The source with its key or option, for a sentence."""
        return f"{self.wording.source}{self.text}"


def find_source(
    text: str,
    delimiter: str | None = None,
    secret: str | None = None,
    wording: Wording = DATASET,
    otherwise: SourceKind | None = None,
) -> RowSource:
    """The source that a text names; nothing of a server is opened.

    delimiter: of CSV files; None: found out. secret: a DuckDB secret with the password.
    otherwise: the kind of files that neither ending nor head tells.

    Raises DataError where there is none such, or of several kinds.
    """
    where = f"{wording.source}{text}"
    scheme, is_uri, _ = text.partition("://")
    if is_uri:
        if scheme.lower() not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise DataError(f"{where} is of no kind known here: give {known} or {wording.kinds}")
        return RowSource(text, SCHEMES[scheme.lower()], secret=secret, wording=wording)
    files = tuple(files_named(text))
    if not files and any(mark in text for mark in "*?["):
        raise DataError(f"{where} matches no file{near_names(Path(text))}")
    if len(files) < 2:
        files = (one_file(files[0] if files else Path(text), wording.kinds, wording.source),)
    with_plain_names(files)
    kinds = {_kind_of(file, wording, otherwise) for file in files}
    if len(kinds) > 1 or not kinds <= {*FILES, *(["duckdb", "sqlite"] if len(files) == 1 else [])}:
        raise DataError(
            f"{where} matches {len(files)} files of the kinds {', '.join(sorted(kinds))}: a "
            "pattern is for Parquet, CSV or JSON files of one kind"
        )
    if wording.source.startswith("dataset."):
        _tell_of_parts(where, files)
    return RowSource(text, kinds.pop(), files, delimiter, wording=wording)


def _tell_of_parts(where: str, files: Sequence[Path]) -> None:
    """Say where a pattern matches files of train and of another part, which become one table."""
    root = os.path.commonpath([file.parent for file in files])
    parts = set()
    for file in files:
        folders = file.parent.relative_to(root).parts
        # Such as train-00000-of-00002.parquet.
        words = [*folders, WORD_ENDS.split(file.name)[0]]
        parts.add(next((part for part in map(part_named, words) if part is not None), None))
    if None not in parts and TRAIN in parts and len(parts) > 1:
        warnings.warn(
            f"{where} matches files of train and of other parts: they are read as one table and "
            "divided anew; name those of train alone, and dataset.test=",
            # Of one place, so that Python says it once.
            stacklevel=1,
        )


def _is_text(head: bytes) -> bool:
    """Whether a file that begins so may be text; UTF-16 says so itself, and has NUL between."""
    return b"\0" not in head or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _kind_of(file: Path, wording: Wording, otherwise: SourceKind | None) -> SourceKind:
    """By suffix; of databases, and of what has another suffix, by the first bytes."""
    name = file.name.lower()
    for tail in COMPRESSED:
        name = name.removesuffix(tail)
    by_suffix = SUFFIXES.get(Path(name).suffix)
    if by_suffix in FILES and by_suffix != "csv":
        return by_suffix
    where = f"{wording.source}{file}"
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from None
    if head.startswith(WORKBOOKS):
        raise DataError(
            f"{where} is a workbook or an archive: save the sheet as CSV, and give that"
        )
    if by_suffix == "csv":
        return by_suffix
    if head.startswith(b"SQLite format 3"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    if by_suffix is not None:
        return by_suffix
    if head.startswith(b"PAR1"):
        return "parquet"
    if otherwise is not None and (_is_text(head) or file.name.endswith(COMPRESSED)):
        return otherwise
    raise DataError(f"{where} is of no kind known here: give {wording.kinds}")
