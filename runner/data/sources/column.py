"""One column of a table: its type, and its values in the types that arrays have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from runner.system.databases import identifier

Family = Literal["boolean", "integer", "float", "text", "date", "other"]
FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"BOOLEAN", "boolean"),
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"FLOAT|DOUBLE|DECIMAL\(.*\)", "float"),
    (r"VARCHAR|UUID|ENUM\(.*\)", "text"),
    (r"DATE|TIME|TIMESTAMP(_S|_MS|_NS)?( WITH TIME ZONE)?", "date"),
)
DAY = "86400000000.0"
"""Microseconds."""


@dataclass(frozen=True)
class Column:
    """One column of the query's result."""

    name: str
    type: str
    """As DuckDB calls it."""

    @property
    def family(self) -> Family:
        """What kind of values it holds."""
        for pattern, family in FAMILIES:
            if re.fullmatch(pattern, self.type):
                return family
        return "other"

    @property
    def as_number(self) -> str:
        """In SQL: FLOAT with NaN for what is missing; dates as days since 1970."""
        return f"coalesce({self.value}::FLOAT, 'nan'::FLOAT)"

    @property
    def as_double(self) -> str:
        """In SQL: the same as DOUBLE, for values that a FLOAT would change."""
        return f"coalesce({self.value}::DOUBLE, 'nan'::DOUBLE)"

    @property
    def value(self) -> str:
        """In SQL: the number that it is, if it is one; of dates, the days since 1970."""
        value = identifier(self.name)
        if self.type == "TIME":
            return f"(extract('epoch' FROM {value}) / 86400)"
        if self.family == "date":
            return f"(epoch_us({self.as_moment}) / {DAY})"
        return value

    @property
    def is_missing(self) -> str:
        """In SQL: whether there is no value; NaN and empty text are none."""
        value = identifier(self.name)
        if self.family == "text":
            return f"({value} IS NULL OR trim({value}::VARCHAR) = '')"
        if self.family == "float" and not self.type.startswith("DECIMAL"):
            return f"({value} IS NULL OR isnan({value}))"
        return f"{value} IS NULL"

    @property
    def as_text(self) -> str:
        """In SQL: VARCHAR, empty for what is missing."""
        return f"coalesce({identifier(self.name)}::VARCHAR, '')"

    @property
    def as_moment(self) -> str:
        """In SQL: a date as a timestamp."""
        named = identifier(self.name)
        return named if self.type.endswith("TIME ZONE") else f"{named}::TIMESTAMP"
