"""What a look holds of a table and of each of its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.data.sources.column import Column
from runner.data.sources.reading import Dialect
from runner.data.sources.source import RowSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOKED_AT = "sweephouse_looked"


@dataclass
class ColumnLook:
    """What one column holds."""

    name: str
    column: Column
    """As it is called in the table that is looked at."""
    missing: int = 0
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    quartiles: tuple[float, float] | None = None
    infinite: int = 0
    words: float = 0.0
    """Of text: blanks in a value, on average."""
    common: list[tuple[str, int]] = field(default_factory=list)
    """The most frequent values, where there are few."""

    @property
    def family(self) -> str:
        """What kind of values it holds."""
        return self.column.family


@dataclass
class TableLook:
    """A table, as it is read with these options."""

    source: RowSource
    query: str | None
    params: dict[str, Any]
    """The options of the dataset that read it, those that were given among them."""
    label: str
    guessed: bool
    """Whether nobody has named the label."""
    notes: list[str]
    """What was found out about how it is written."""
    con: DuckDBPyConnection
    """Holds the rows, as the table LOOKED_AT."""
    dialect: Dialect | None
    """Of CSV files."""
    rows: int = 0
    """How many were looked at."""
    more: bool = False
    """Whether there are more than these."""
    columns: list[ColumnLook] = field(default_factory=list)
    first: list[tuple[str | None, ...]] = field(default_factory=list)
    """The first rows, as text."""

    def column(self, name: str) -> ColumnLook:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows that the SQL gives."""
        return self.con.execute(sql).fetchall()
