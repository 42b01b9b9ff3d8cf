"""Packs handed out to the processes of this machine, and what comes of them."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunnerError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.display import progress_for_output
from runner.record.sinks import Display
from runner.sweep.cluster.cut import cut, structure_key
from runner.sweep.cluster.hands import Came, Hand, Over, Said, Shown, heard
from runner.sweep.cluster.parcel import Parcel, Slip, left_of, pack_up
from runner.sweep.failures import Results
from runner.sweep.limits import Limits
from runner.sweep.plan import Run
from runner.sweep.watch import Watch
from runner.system.terminal import complain, say

if TYPE_CHECKING:
    from runner.sweep.cluster.hands import Answer
    from runner.sweep.cluster.on_machine import Machine

TRIES = 2
"""How often a run whose process dies is trained; it may be what kills it."""
LOOK_SECONDS = 0.5
SLOW_SECONDS = 20.0
"""A structure whose pack takes longer may as well be traced by a second process."""


@dataclass(frozen=True)
class _Task:
    """A parcel that waits, and of which structure its runs are."""

    parcel: Parcel
    structure: Hashable

    @property
    def is_single(self) -> bool:
        """Whether it is one run, for which as a rule nothing is traced that lasts."""
        return len(self.parcel.slips) == 1


class Together:
    """Runs of one results folder that processes train."""

    def __init__(
        self,
        machine: Machine,
        runs: Sequence[Run],
        results: Results,
        limits: Limits,
        by_device: bool,
        more: float | None,
    ) -> None:
        self._machine, self._results, self._limits = machine, results, limits
        self._runs = {run.run_id: run for run in runs}
        self._folder: Path = runs[0].results
        self._by_device, self._more = by_device, more
        self._waiting: deque[_Task] = deque()
        self._busy: dict[Hand, tuple[_Task, float]] = {}
        """What a process has in hand, and since when."""
        self._tries: dict[str, int] = {}
        self._open: set[str] = set()
        """The ids of the runs that are shown as in training."""
        self._told = self._limited = False
        self._said: set[str] = set()

    def train(self) -> None:
        """Train all; what the user's stop or a limit kept from beginning has no result."""
        self._progress = progress_for_output(len(self._runs))
        self._display = Display(self._progress)
        watch = Watch(_nothing, lambda: self._signal(signal.SIGINT), self._limits.time_is_up)
        try:
            with watch:
                self._begin(watch)
                while self._go_on(watch):
                    pass
        finally:
            self._progress.close()
        if watch.requested_by_user():
            self._results.stop(self._runs.values())

    def _begin(self, watch: Watch) -> None:
        """Have as many processes as there is use for, and cut the runs into parcels for them."""
        runs, machine = list(self._runs.values()), self._machine
        number = self._devices(watch) if self._by_device else machine.most
        # A structure's program is traced by one process, where that is what takes the time.
        packs = cut(runs, number if self._by_device or self._more is None else 1)
        for pack in packs:
            parcel = replace(pack_up(pack, self._limits.since), more=self._more)
            self._waiting.append(_Task(parcel, structure_key(pack[0])))
        used = min(number, len(packs))
        machine.have(used)
        if self._by_device and number > 1:
            say(f"{len(runs)} runs train on {used} of {number} devices")

    def _devices(self, watch: Watch) -> int:
        """How many devices there are, as a process says that has loaded TensorFlow."""
        self._machine.have(1)
        hand = self._machine.hands[0]
        while hand.ready is None:
            if watch.requested():
                return 1
            for one in heard([hand], LOOK_SECONDS):
                self._hear(one)
            if hand not in self._machine.hands:
                raise RunnerError(f"no process for a device can begin: {hand.why()}")
        return hand.ready.devices

    def _go_on(self, watch: Watch) -> bool:
        """Hand out what there is, and hear what comes of it; whether there is more to be done."""
        if watch.requested_by_user() and not self._told:
            self._told = True
            self._signal(signal.SIGINT)
        limit = self._limits.reached
        if limit and not self._limited:
            self._limited = True
            for hand in self._machine.hands:
                hand.end(limit, self._limits.time_is_up())
        if not (watch.requested() or limit):
            for hand in self._machine.hands:
                if hand.parcel is None and (task := self._next_for(hand)) is not None:
                    self._give(hand, task)
        busy = [hand for hand in self._machine.hands if hand.parcel is not None]
        for hand in heard(busy, LOOK_SECONDS) if busy else []:
            self._hear(hand)
        return bool(busy)

    def _next_for(self, hand: Hand) -> _Task | None:
        """The parcel for a process: of a structure that it has traced, else of a new one.

        Of one that another has traced only where tracing it again is little beside the training,
        or where it is a single run.
        """
        taught, took = self._machine.taught, self._machine.took

        def fits(task: _Task) -> int | None:
            owner = taught.get(task.structure)
            if owner is hand:
                return 0
            if owner is None:
                return 1
            may_be_here = task.is_single or took.get(task.structure, 0.0) > SLOW_SECONDS
            return 2 if may_be_here or self._by_device or self._more is None else None

        ranked = [(fit, task) for task in self._waiting if (fit := fits(task)) is not None]
        return min(ranked, key=lambda one: one[0])[1] if ranked else None

    def _give(self, hand: Hand, task: _Task) -> None:
        self._waiting.remove(task)
        if not task.is_single:
            self._machine.taught[task.structure] = hand
        self._busy[hand] = task, time.monotonic()
        hand.give(task.parcel, self._folder)

    def _hear(self, hand: Hand) -> None:
        """Take what a process says; where it has died, see to what it had in hand."""
        try:
            answer: Answer = hand.pipe.recv()
        except (EOFError, OSError):
            return self._take_back(hand)
        match answer:
            case Came(key, result):
                hand.done.add(key)
                self._results.settle(self._runs[key], result)
            case Shown(record):
                self._show(record)
            case Said(line):
                if line not in self._said:  # what several say of the same data is said once
                    self._said.add(line)
                    say(line)
            case Over(trouble):
                if trouble is not None:  # a bug of ours: it ends the command as one
                    raise RuntimeError(f"in a process that trains: {trouble}")
                task, since = self._busy.pop(hand)
                if not task.is_single:
                    self._machine.took[task.structure] = time.monotonic() - since
                hand.parcel = None
            case ready:
                if ready.error is not None:
                    raise ready.error
                hand.ready = ready

    def _show(self, record: RunStart | EpochEnd | RunEnd) -> None:
        if isinstance(record, RunStart):
            self._open.add(record.run_id)
        elif isinstance(record, RunEnd):
            self._open.discard(record.run_id)
        self._display(record)

    def _take_back(self, hand: Hand) -> None:
        """Have what a dead process had in hand trained by another one, or say that it died."""
        self._machine.dismiss(hand)
        why = hand.why()
        task, _ = self._busy.pop(hand, (None, 0.0))
        if task is not None and not self._told:
            left = left_of(task.parcel, self._folder)
            slips = [slip for slip in (left.slips if left else ()) if slip.key not in hand.done]
            if slips:
                self._try_again(task, slips, why)
        if self._waiting and all(one.parcel is not None for one in self._machine.hands):
            self._machine.have(len(self._machine.hands) + 1)

    def _try_again(self, task: _Task, slips: Sequence[Slip], why: str) -> None:
        """Put what a dead process left over back among what waits, or refuse it."""
        complain(f"warning: a process that trains has ended ({why}); {len(slips)} runs left")
        for slip in slips:
            if slip.run_id in self._open:
                self._show(replace(RunEnd.failed(slip.run_id, why), status="lost"))
            self._tries[slip.key] = self._tries.get(slip.key, 1) + 1
            if self._tries[slip.key] > TRIES:
                error = RunnerError(f"the process that trained it has ended {TRIES} times ({why})")
                self._results.settle(self._runs[slip.key], error)
        again = [slip for slip in slips if slip.key not in self._results.by_id]
        if again:
            parcel = replace(task.parcel, slips=tuple(again))
            self._waiting.append(_Task(parcel, task.structure))

    def _signal(self, number: int) -> None:
        """Send all processes a signal: they are not in the terminal's group."""
        for hand in self._machine.hands:
            hand.signal(number)


def _nothing() -> None:
    """Do nothing: who trains has a heartbeat of its own."""
