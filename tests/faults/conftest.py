"""Runners as real processes, what they were promised, and what the warehouse has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import warehouse
from tests.faults.engine import PAUSE, SIDE, loss_of
from tests.faults.nursery import STEADY, Nursery, environment

PATIENCE = 60.0
"""Seconds after which a test gives up waiting for a process."""


@dataclass
class Promised:
    """The part of a run that was acknowledged as recorded."""

    losses: list[float] = field(default_factory=list)
    status: str | None = None


@dataclass
class Child:
    """A runner process."""

    nursery: Nursery
    pid: int
    printed: Path
    _code: int | None = None

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self.printed.read_text(encoding="utf-8") if self.printed.exists() else ""

    def ended(self) -> bool:
        """Whether it is gone, though nobody has waited for it yet."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal; until it is waited for, its pid is its own."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if self._code is None:
            self._code = self.nursery.wait(self.pid)
        return self._code

    def until(self, words: str) -> None:
        """Wait until it has printed the words."""
        until(lambda: words in self.said, f"it never said {words!r}, but:", lambda: self.said)


@dataclass
class Process:
    """A runner process with imports of its own."""

    process: subprocess.Popen[bytes]
    printed: Path

    @property
    def said(self) -> str:
        """All that it printed so far."""
        return self.printed.read_text(encoding="utf-8")

    def ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return self.process.wait(PATIENCE)


@dataclass
class House:
    """A results folder, and the processes at work on it."""

    folder: Path
    nursery: Nursery
    results: Path = field(init=False)
    children: list[Child] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.results = self.folder / "results"

    @property
    def side(self) -> Path:
        return self.folder / "side.txt"

    def environment(self, pause: float = 0.0, **more: str) -> dict[str, str]:
        return {
            SIDE: str(self.side),
            PAUSE: str(pause),
            "SWEEPHOUSE_RESULTS": str(self.results),
        } | more

    def start(
        self, *words: str, pause: float = 0.0, env: dict[str, str] | None = None, **asked: Any
    ) -> Child:
        """A runner forked from the warm process; trained by the steady engine unless named."""
        printed = self.folder / f"said-{len(self.children)}.txt"
        pid = self.nursery.start(
            [*words, *([] if asked.get("composed") else self.defaults(words))],
            folder=str(self.folder),
            printed=str(printed),
            env=self.environment(pause) | (env or {}),
            **asked,
        )
        self.children.append(Child(self.nursery, pid, printed))
        return self.children[-1]

    def defaults(self, words: tuple[str, ...]) -> list[str]:
        named = any(word.startswith("engine=") for word in words)
        return [] if named or words[0] in ("resume", "extend", "replay", "search") else STEADY

    def run(self, *words: str, **asked: Any) -> Child:
        """The same, waited for."""
        child = self.start(*words, **asked)
        child.wait()
        return child

    def process(self, *words: str, pause: float = 0.0, **more: str) -> Process:
        """`python -m runner`, as a user types it, in a process group of its own."""
        printed = self.folder / f"said-{len(self.children)}-{len(self.processes)}.txt"
        with printed.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner", *words, *self.defaults(words)],
                cwd=self.folder,
                env=environment() | self.environment(pause, **more),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(Process(process, printed))
        return self.processes[-1]

    def promised(self) -> dict[str, Promised]:
        """The acknowledgements on the side channel, by run."""
        runs: dict[str, Promised] = {}
        text = self.side.read_text() if self.side.exists() else ""
        for line in text.splitlines():
            run_id, what, *value = line.split()
            run = runs.setdefault(run_id, Promised())
            if what == "epoch":
                run.losses.append(float(value[1]))
                assert len(run.losses) == int(value[0])
            elif what == "end":
                run.status = value[0]
        return runs

    def epochs(self, epoch: int) -> int:
        """How many runs had this epoch acknowledged as recorded."""
        return sum(len(run.losses) >= epoch for run in self.promised().values())

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the newest snapshot."""
        with warehouse.connect(self.results) as con:
            return con.execute(query, list(values)).fetchall()

    def sync(self) -> warehouse.SyncResult:
        """Ingest, and check that nothing is left out."""
        result = warehouse.sync(self.results, wait=PATIENCE)
        assert (result.problems, result.waiting, result.reason) == ([], 0, None)
        return result

    def check(self) -> dict[str, str]:
        """Compare the warehouse with what was promised; the status of each run."""
        self.sync()
        promised, statuses = self.promised(), {}
        there: dict[str, list[tuple[int, float]]] = {}
        for run_id, epoch, loss in self.rows(
            "SELECT run_id, epoch, loss FROM epochs ORDER BY run_id, epoch"
        ):
            there.setdefault(run_id, []).append((int(epoch), loss))
        for run_id, status, count, seed, engine in self.rows(
            "SELECT run_id, status, epochs, seed, engine FROM runs"
        ):
            assert run_id not in statuses
            statuses[run_id] = status
            epochs, want = there.pop(run_id, []), promised.pop(run_id, Promised())
            # Each once, none torn; at most one was written and not acknowledged any more.
            assert [epoch for epoch, _ in epochs] == list(range(1, len(epochs) + 1))
            # As text, in which NaN is equal to itself.
            assert repr([loss for _, loss in epochs][: len(want.losses)]) == repr(want.losses)
            assert len(epochs) <= len(want.losses) + 1
            assert count == len(epochs)
            if engine == "steady":
                assert [loss for _, loss in epochs] == [loss_of(seed, e) for e, _ in epochs]
            if want.status is not None:
                assert status == want.status
            else:
                assert status in ("lost", "finished", "failed", "stopped")
        assert not there and not promised
        return statuses


def until(true: Callable[[], bool], what: str, more: Callable[[], str] = str) -> None:
    """Wait for something; fail with a sentence if it does not come."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} {more()}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def light() -> Iterator[Nursery]:
    """A warm process without TensorFlow."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def heavy() -> Iterator[Nursery]:
    """A warm process with TensorFlow imported and never used."""
    nursery = Nursery("tensorflow")
    yield nursery
    nursery.close()


@pytest.fixture
def house(tmp_path: Path, light: Nursery) -> Iterator[House]:
    """A fresh results folder whose runners need no TensorFlow."""
    yield from _house(House(tmp_path, light))


@pytest.fixture
def real(tmp_path: Path, heavy: Nursery) -> Iterator[House]:
    """A fresh results folder whose runners have TensorFlow."""
    yield from _house(House(tmp_path, heavy))


def _house(house: House) -> Iterator[House]:
    yield house
    for child in house.children:
        if child._code is None:
            child.kill()
            child.wait()
    for process in house.processes:
        process.kill()
        process.wait()
