"""The outcome of an ingest."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SyncResult:
    """The runs that an ingest took in, and all that it did not."""

    ingested: list[str] = field(default_factory=list)
    """The runs whose rows are new or were replaced."""
    lost: list[str] = field(default_factory=list)
    """Those of them whose process is gone."""
    waiting: int = 0
    """The ended journals that are still to go in."""
    reason: str | None = None
    """Why they wait."""
    problems: list[str] = field(default_factory=list)
    """Lines and journals that could not go in, each by its name."""

    def add(self, more: SyncResult) -> None:
        """Put what another ingest did to it."""
        self.ingested += more.ingested
        self.lost += more.lost
        self.problems += more.problems

    def sentence(self) -> str:
        """The outcome in one line."""
        parts = [_count(len(self.ingested), "run") + " taken in"]
        if self.lost:
            parts[0] += f", {len(self.lost)} of them lost"
        if self.problems:
            parts.append(_count(len(self.problems), "problem"))
        if self.reason and self.waiting:
            verb = "waits" if self.waiting == 1 else "wait"
            parts.append(f"{_count(self.waiting, 'journal')} {verb}: {self.reason}")
        elif self.reason:
            parts.append(self.reason)
        return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
