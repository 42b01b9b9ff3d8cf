"""The worked questions: our own, and those that installed packages bring."""

from __future__ import annotations

from dataclasses import dataclass

from runner.system.extensions import QUERIES, extensions
from warehouse.database import sql_of


@dataclass(frozen=True)
class Question:
    """A query that answers something that people ask."""

    sql: str
    """It begins with what it asks, as a comment."""
    package: str

    @property
    def sentence(self) -> str:
        """What it asks, by its first comment."""
        lines = []
        for line in self.sql.splitlines():
            if not line.startswith("-- "):
                break
            lines.append(line[3:])
        return " ".join(lines)


def questions() -> dict[str, Question]:
    """All of them by name; a package's by `package/name` where another one is called so."""
    ours = {
        name.removesuffix(".sql"): Question(text, "sweephouse") for name, text in sql_of("queries")
    }
    found = [
        (name, Question(text, f"{one.distribution} {one.version}"), one.distribution)
        for one in extensions(QUERIES).values()
        for name, text in one.texts().items()
    ]
    names = [*ours, *(name for name, *_ in found)]
    return ours | {
        f"{package}/{name}" if names.count(name) > 1 else name: question
        for name, question, package in found
    }
