"""kill -9 at random points: what had been acknowledged is there, once, with a true status.

`SWEEPHOUSE_KILLS=1000 python -m pytest tests/faults/test_kills.py` kills more often.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.conftest import Child, House, Process
from warehouse.place import Place
from warehouse.verify import verify

KILLS = int(os.environ.get("SWEEPHOUSE_KILLS", "100"))
REAL_KILLS = max(12, KILLS // 9)
AT_ONCE = 3


@dataclass
class Doomed:
    """A process, and how long it lives: from its start, or from when a run of it began."""

    child: Child | Process
    life: float
    from_run: bool
    since: float

    def is_due(self) -> bool:
        """Whether its time has come."""
        if self.from_run:
            if not self._has_begun() and time.monotonic() - self.since < 10:
                return False
            self.from_run, self.since = False, time.monotonic()
        return time.monotonic() - self.since >= self.life

    def _has_begun(self) -> bool:
        printed = self.child.said
        return "\nepoch 1/" in printed or printed.startswith("training ")


def doom(house: House, chance: random.Random, number: int) -> Doomed:
    """Start a process that trains, and choose the moment of its death."""
    pause, begun = chance.choice([0.0, 0.01, 0.03]), time.monotonic()
    seeds = [str(chance.randrange(10**6)) for _ in range(6)]
    if number % 10:
        # Most are forked with their config composed: there is nothing to lose before.
        if number % 4 == 0:
            # At an exact step: a file opened, renamed, locked, removed, a process started.
            step = ("event", chance.randint(1, 400))
            child = house.start(*seeds, pause=pause, composed=True, die=step)
            return Doomed(child, 10.0, False, begun)
        child = house.start(*seeds, pause=pause, composed=True)
        return Doomed(child, chance.uniform(0.0, 1.0), number % 4 == 1, begun)
    epochs = [f"epochs={chance.randint(5, 60)}", f"checkpoint={chance.randint(5, 20)}"]
    if number % 30:
        several = chance.random() < 0.6
        words = ["-m", f"seed={','.join(seeds)}"] if several else [f"seed={seeds[0]}"]
        child = house.start(*words, *epochs, pause=pause)
        return Doomed(child, chance.uniform(0.0, 0.8 if several else 0.3), True, begun)
    # As a user starts it, imports and all.
    child = house.process(f"seed={seeds[0]}", *epochs, pause=pause)
    return Doomed(child, chance.uniform(0.0, 1.0), True, begun)


@pytest.mark.slow
def test_kills_at_random_points_lose_double_and_tear_nothing(house: House) -> None:
    kill(house, KILLS, AT_ONCE, doom)


@pytest.mark.slow
def test_kills_of_real_training_lose_double_and_tear_nothing(real: House) -> None:
    def doom(house: House, chance: random.Random, number: int) -> Doomed:
        seeds = [str(chance.randrange(10**6)) for _ in range(3)]
        child = house.start(*seeds, composed=True, pause=0.01)
        # The first epoch includes the tracing.
        return Doomed(child, chance.uniform(0.0, 0.6), number % 4 != 0, time.monotonic())

    kill(real, REAL_KILLS, 2, doom)


def kill(house: House, kills: int, at_once: int, doom: Callable[..., Doomed]) -> None:
    """Start, kill, and compare."""
    chance = random.Random(20261121)
    alive: list[Doomed] = []
    killed = ended = started = 0
    while killed < kills:
        while len(alive) < at_once:
            started += 1
            alive.append(doom(house, chance, started))
        time.sleep(0.003)
        for one in [one for one in alive if one.is_due() or one.child.ended()]:
            alive.remove(one)
            one.child.kill()
            code = one.child.wait()
            # Some are faster than their death.
            assert code in (-signal.SIGKILL, 0), one.child.said
            killed += code != 0
            ended += code == 0
    for one in alive:
        one.child.kill()
        one.child.wait()
    statuses = Counter(house.check().values())
    print(f"{killed} killed, {ended} ended before, runs: {dict(statuses)}")
    assert set(statuses) <= {"lost", "finished"}
    # Else the kills came when there was nothing to lose.
    assert statuses["lost"] > kills / 3
    assert verify(Place.of(house.results)) == []
