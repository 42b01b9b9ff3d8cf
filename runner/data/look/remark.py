"""A thing worth knowing about a table, and all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from runner.components.types import Task
from runner.data.labels import AskedTask

LEFT_OUT = ": left out below"


@dataclass(frozen=True)
class Remark:
    """One thing about the table or a column."""

    kind: str
    """Such as constant, leak or outliers."""
    text: str
    column: str | None = None


@dataclass
class Remarks:
    """All that was seen, and what the command line makes of it."""

    task: Task | None = None
    """What the label is for; None where it cannot be learnt."""
    asked: AskedTask = "auto"
    listed: list[Remark] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Column -> of what kind the remark is, for which it is not learnt from."""
    classes: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    by_content: bool = False
    """Whether rows should be divided by their content."""

    def add(self, kind: str, text: str, column: str | None = None) -> None:
        """Note a thing."""
        self.listed.append(Remark(kind, text, column))

    def leave_out(self, kind: str, column: str, why: str, unless: str = "") -> None:
        """Note a column that is not learnt from."""
        self.add(kind, f"'{column}' {why}{LEFT_OUT}{unless}", column)
        self.left_out[column] = kind

    def keep(self, kinds: Collection[str]) -> None:
        """Take columns that were left out back, for there are no others."""
        for number, one in enumerate(self.listed):
            if one.kind in kinds and one.column in self.left_out:
                text = one.text.partition(LEFT_OUT)[0] + ", and there is no other column"
                self.listed[number] = Remark(one.kind, text, one.column)
                del self.left_out[one.column]


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
