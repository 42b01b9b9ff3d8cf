"""A run of another tracker, as all readers give it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from runner.journal.ids import run_id_from

Mode = Literal["min", "max"]
Status = Literal["finished", "stopped", "failed", "lost"]


class Point(NamedTuple):
    """A value of a metric at a step, and the second since 1970 in which it was logged."""

    step: int
    name: str
    value: float
    time: float | None = None


class History(NamedTuple):
    """What is known of a metric's history before it is read."""

    points: int
    first: int
    """Its least step."""
    last: int


class ElsewhereFile(NamedTuple):
    """A file of the run, where it lies."""

    path: str
    address: str
    bytes: int | None = None


class Dataset(NamedTuple):
    """What the run learnt from, as its tracker says."""

    name: str
    digest: str


@dataclass(frozen=True)
class Run:
    """A run as its tracker keeps it; moments are seconds since 1970."""

    tracker: str
    identity: Sequence[str]
    """What tells it from all other runs of such trackers, wherever it lies and is read from."""
    address: str
    experiment: str
    name: str | None
    status: Status
    started: float
    ended: float | None
    histories: Mapping[str, History]
    points: Callable[[], Iterator[Point]]
    """Gives what `histories` sums up, by step, and of one step the newest last."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Numbers may be text, where the tracker keeps them so."""
    tags: Sequence[str] = ()
    note: str | None = None
    modes: Mapping[str, Mode] = field(default_factory=dict)
    """Metric -> which end is better, of those of which the tracker says it."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of it, and has no place of its own."""
    files: Sequence[ElsewhereFile] = ()
    error: str | None = None
    host: str = "not known"
    git_commit: str | None = None
    dataset: Dataset | None = None
    """None: what others of its experiment learnt from."""
    group: Sequence[str] = ()
    """The identity of what it is one run of: a sweep, or the run that started it."""
    digest: str = ""
    """What changes when a value of the points does."""
    exported_from: str | None = None
    """Our own run that it is a copy of."""
    warnings: Sequence[str] = ()
    """What of it could not be taken, a sentence each."""

    @property
    def run_id(self) -> str:
        """Its id here, which follows from its identity and sorts by when it started."""
        return id_of(self.tracker, self.identity, self.started)

    @property
    def group_id(self) -> str | None:
        """The id of the sweep that it is of, here."""
        return id_of(self.tracker, self.group, 0) if self.group else None

    def fingerprint(self) -> str:
        """A hash of all that an import would write, the values of the points left to `digest`."""
        said = [
            *(self.tracker, self.identity, self.experiment, self.name, self.status),
            *(self.started, self.ended, self.histories, self.params, self.tags, self.note),
            *(self.config, self.files, self.error, self.digest),
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def id_of(tracker: str, identity: Sequence[str], moment: float) -> str:
    """The id that follows from an identity."""
    content = json.dumps([tracker, *identity]).encode("utf-8", "backslashreplace")
    return run_id_from(content, int(moment * 1000))


def histories_of(points: Iterable[Point]) -> dict[str, History]:
    """The histories of points that are all there."""
    found: dict[str, History] = {}
    for step, name, *_ in points:
        if (known := found.get(name)) is None:
            found[name] = History(1, step, step)
        else:
            found[name] = History(known.points + 1, min(known.first, step), max(known.last, step))
    return found


def digest_of(points: Iterable[Point]) -> str:
    """What changes when a point does."""
    digest = hashlib.sha256()
    for point in points:
        digest.update(repr(tuple(point)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def in_order(points: Iterable[Point]) -> list[Point]:
    """The points by step, and of one step as they were logged."""
    return sorted(points, key=lambda point: (point.step, point.time or 0.0))
