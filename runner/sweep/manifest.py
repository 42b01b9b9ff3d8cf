"""The manifest of a sweep: who drives it, what it is to train, what came in the way, how it ended.

It is for `wait`, in another shell or on another machine: journals tell of runs that have begun, a
manifest of those that have not. A file of the same kind as a journal (`runner.journal.file`), in
`sweeps/` of the results folder: locked and touched for as long as its process lives. The command
of a sweep writes one, and each of a cluster's workers that trains a part of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from runner.errors import JournalError
from runner.journal.file import DONE, RUNNING, Journal, is_abandoned, run_id_of
from runner.journal.records import Record
from runner.sweep.watch import BEAT_SECONDS
from warehouse.journals.read import SILENCE
from warehouse.place import Place

FOLDER = "sweeps"
"""The folder of manifests below the results folder."""
PART = "-part-"
"""Between a sweep's id and the rest of the name of a worker's manifest."""


@dataclass(frozen=True)
class Took(Record):
    """The first line: the process."""

    record: ClassVar[str] = "took"
    host: str
    pid: int


@dataclass(frozen=True)
class Planned(Record):
    """Runs that are to be trained; the lists have one item for each."""

    record: ClassVar[str] = "planned"
    run_id: Sequence[str]
    job: Sequence[str]


@dataclass(frozen=True)
class RefusedJob(Record):
    """A job that never began, and why."""

    record: ClassVar[str] = "refused"
    sentence: str
    run_id: str | None = None


@dataclass(frozen=True)
class Submitted(Record):
    """What the sweep was handed over to; its process need not wait."""

    record: ClassVar[str] = "submitted"
    cluster: str
    jobs: Sequence[str]
    """The cluster's ids."""
    folder: str
    """Where the jobs' own output lies."""


@dataclass(frozen=True)
class Closed(Record):
    """How the process came out of it."""

    record: ClassVar[str] = "closed"
    code: int | None
    """Its exit code; None where others go on."""
    limit: str = ""
    not_begun: Sequence[str] = ()


class Manifest:
    """The manifest that this process writes; where it cannot, the sweep goes on without."""

    def __init__(self, results: Path, name: str) -> None:
        """name: the sweep's id, with that of a part."""
        self._over = threading.Event()
        self._journal: Journal | None = None
        with contextlib.suppress(JournalError):
            self._journal = Journal(results / FOLDER, name)
            self.note(Took(*_this_process()))
            threading.Thread(target=self._beat, name="manifest", daemon=True).start()

    def note(self, record: Record) -> None:
        """Write a line."""
        if self._journal is not None:
            with contextlib.suppress(JournalError):
                self._journal.append(record)

    def close(self, code: int | None, limit: str = "", not_begun: Sequence[str] = ()) -> None:
        """Write the last line, and let go of the file."""
        self.note(Closed(code, limit, not_begun))
        self._over.set()
        if self._journal is not None:
            with contextlib.suppress(JournalError):
                self._journal.finish()
            self._journal = None

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            if (journal := self._journal) is not None:
                journal.beat()


@dataclass
class Standing:
    """What the manifests of a sweep say, all taken together."""

    driven: bool = False
    """Whether one of their processes is alive."""
    jobs: dict[str, str] = field(default_factory=dict)
    """Run id -> the overrides, of the runs that were to be trained."""
    refused: list[str] = field(default_factory=list)
    refused_runs: set[str] = field(default_factory=set)
    submitted: list[Submitted] = field(default_factory=list)
    code: int | None = None
    """The exit code of the sweep's command, if it saw the sweep through."""
    limit: str = ""
    not_begun: list[str] = field(default_factory=list)


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def sweeps_of(results: Path) -> set[str]:
    """The ids of the sweeps that have a manifest."""
    return {run_id_of(path).partition(PART)[0] for path in _manifests(results, "*")}


def standing(results: Path, sweep_id: str) -> Standing:
    """What the manifests of a sweep say now; nothing where it has none."""
    found, place = Standing(), Place(results)
    for path in _manifests(results, f"{sweep_id}.*", f"{sweep_id}{PART}*"):
        with contextlib.suppress(OSError):  # it has just been given its final name
            entries = list(_entries(path))
            found.driven |= _is_alive(path, entries, place)
            for entry in entries:
                _add(found, entry)
    return found


def _manifests(results: Path, *patterns: str) -> list[Path]:
    """The files, each once: one that is given its final name meanwhile has both."""
    folder = results / FOLDER
    paths = [path for pattern in patterns for path in folder.glob(f"{pattern}jsonl")]
    paths = [path for path in paths if path.name.endswith(RUNNING)]
    return list({run_id_of(path): path for path in sorted(paths, reverse=True)}.values())[::-1]


def _entries(path: Path) -> Iterable[dict[str, Any]]:
    """The lines that are whole."""
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry


def _is_alive(path: Path, entries: Sequence[dict[str, Any]], place: Place) -> bool:
    """Whether its process lives: by the lock on this machine, by its beat on another."""
    if path.name.endswith(DONE):
        return False
    if entries and (entries[0].get("host"), entries[0].get("pid")) == _this_process():
        return False  # it asks about the others
    if entries and entries[0].get("host") == socket.gethostname():
        with contextlib.suppress(OSError):  # no locks on this filesystem
            return not is_abandoned(path)
    return place.now() - path.stat().st_mtime < SILENCE


def _add(found: Standing, entry: dict[str, Any]) -> None:
    match entry.get("record"):
        case Planned.record:
            found.jobs |= dict(zip(entry["run_id"], entry["job"], strict=False))
        case RefusedJob.record:
            # The command that waits for a worker says it, too.
            found.refused += [entry["sentence"]] * (entry["sentence"] not in found.refused)
            found.refused_runs |= {entry["run_id"]} - {None}
        case Submitted.record:
            submitted = entry["cluster"], tuple(entry["jobs"]), entry["folder"]
            found.submitted.append(Submitted(*submitted))
        case Closed.record:
            found.code = entry["code"] if found.code is None else found.code
            found.limit = found.limit or entry["limit"]
            found.not_begun += entry["not_begun"]
