"""Runs of one shape, and the packs of them that train side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.engines.contract import Job
from runner.engines.packed.start import Start
from runner.engines.packed.template import Template

if TYPE_CHECKING:
    from runner.engines.packed.pack import Pack


@dataclass(eq=False)
class Group:
    """Runs of one shape, and the packs that train them side by side."""

    template: Template
    queue: deque[Job]
    starts: Callable[[Job], Start | None]
    """Gives a job's start, or None where it has none; called when a row is free for it."""
    left: list[Job]
    """Where jobs go that the template does not admit."""
    name: str
    """The engine's."""
    reason: str
    """Which runs these are, for the record."""
    runs: int
    prepared: float
    """Seconds that it took until they could begin."""
    packs: list[Pack] = field(default_factory=list)

    def share(self) -> float:
        """The part of the present time that is one run's, from 0 to 1."""
        return 1 / max(1, sum(len(pack.seated()) for pack in self.packs))


def train_together(packs: Sequence[Pack]) -> None:
    """Train packs side by side: each computes on a thread, all else happens in this one."""
    import tensorflow as tf

    place = tf.zeros([]).device  # a thread begins without the device that was chosen here

    def compute(turn: Callable[[], None]) -> None:
        with tf.device(place):
            turn()

    with ThreadPoolExecutor(len(packs), thread_name_prefix="pack") as pool:
        running = {}
        for pack in packs:
            turns = pack.turns()
            if (turn := next(turns, None)) is not None:
                running[pool.submit(compute, turn)] = turns
        while running:
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                turns = running.pop(done)
                error = done.exception()
                try:
                    turn = next(turns) if error is None else turns.throw(error)
                except StopIteration:
                    continue
                running[pool.submit(compute, turn)] = turns
