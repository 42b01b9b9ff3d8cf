"""The runs of a sweep in processes of this machine, which stay for the later batches of a search.

With `device=gpus` a process for each device. Without GPUs, in a long search, a process for each
processor: to trace a program and to prove it is work of one thread, and each structure has one of
its own. This process then hands out packs, trains nothing itself and does not load TensorFlow.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backend.devices import AUTO, GPUS, may_have_gpus, usable_processors
from runner.config.settings import Settings
from runner.errors import ConfigError, RunnerError
from runner.record.display import progress_for_output
from runner.record.sinks import Display
from runner.sweep.batch import PruningOf, no_pruning, train_all
from runner.sweep.cluster.cut import cut, structure_key
from runner.sweep.cluster.hands import Came, Hand, Over, Said, Shown, begin, heard, let_go
from runner.sweep.cluster.parcel import Parcel, Slip, left_of, pack_up
from runner.sweep.failures import OnResult, Results, RunResult
from runner.sweep.limits import Limits
from runner.sweep.plan import Run
from runner.sweep.watch import Watch
from runner.system.terminal import complain, say

if TYPE_CHECKING:
    from runner.sweep.cluster.hands import Answer

TRIES = 2
"""How often a run whose process dies is trained; it may be what kills it."""
LOOK_SECONDS = 0.5
MOST = 8
"""Processes of a search, that auto means at most."""
BYTES_EACH = 2_000_000_000
"""Of free memory, that there must be for each of them."""
WORTH = 32
"""Trials of a search, from which on further processes pay, which take seconds to begin."""
SLOW_SECONDS = 20.0
"""A structure whose pack takes longer may as well be traced by a second process."""


class Machine:
    """What trains runs as `train_all` does, in this process or by others, which stay till `close`.

    processes: how many train packs side by side where there is no GPU; 1: this one alone; auto: as
        many as there are processors, in a search of many trials and several structures.
    """

    def __init__(self, processes: int | str = AUTO) -> None:
        self._processes = processes
        self.hands: list[Hand] = []
        self.taught: dict[Hashable, Hand] = {}
        """The process that has traced a structure last."""
        self.took: dict[Hashable, float] = {}
        """How many seconds the last pack of a structure took."""

    def train(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None = None,
        *,
        pruning: PruningOf = no_pruning,
        limits: Limits | None = None,
        more: bool = False,
    ) -> dict[str, RunResult]:
        """Train the runs, some of them by other processes, the rest in this one."""
        results, limits = Results(on_result, limits), limits or Limits()
        by_device = [run for run in runs if run.config.settings.device.lower() == GPUS]
        if self._is_side_by_side(runs, pruning):
            spread, by_device = list(runs), []
        else:
            spread = by_device if len(by_device) > 1 else []
        if not spread:
            return train_all(runs, on_result, pruning=pruning, limits=limits, more=more)
        # Those that may look at one results folder; there is one as a rule.
        for together in results.groups(spread, lambda run: run.results):
            try:
                _Together(self, together, results, limits, bool(by_device), more).train()
            except BaseException:
                self.close()
                raise
            if not more:
                self.close()
        others = results.missing(runs)  # none after the user's stop
        if others and not limits.reached:
            return results.by_id | train_all(
                others, on_result, pruning=pruning, limits=limits, more=more
            )
        return results.by_id

    def expect(self, settings: Settings, trials: int, structures: int) -> None:
        """Have processes load TensorFlow while a search has its first batch planned, if it pays.

        settings: of its runs. structures: how many its space has.
        """
        packed = settings.engine in (AUTO, "packed")
        asked = self._processes != AUTO or (packed and trials >= WORTH and structures > 1)
        if asked and self._suits(settings):
            self.have(min(self.most, structures))

    def have(self, number: int) -> None:
        """Have at least so many processes."""
        while len(self.hands) < number:
            self.hands.append(begin())

    def _is_side_by_side(self, runs: Sequence[Run], pruning: PruningOf) -> bool:
        """Whether other processes train all of the runs, though they have no devices of their own.

        Not where they are compared while they train: a process sees its own alone.
        """
        if any(pruning(run) for run in runs) or not (self.hands or self._processes != AUTO):
            return False
        return all(self._suits(run.config.settings) for run in runs)

    def _suits(self, settings: Settings) -> bool:
        """Whether there may be several processes for a run of such settings."""
        device = settings.device.lower()
        on_processor = device == "cpu" or (device == AUTO and not may_have_gpus())
        return on_processor and self.most > 1

    @property
    def most(self) -> int:
        """How many processes there may be, where there is no GPU."""
        if isinstance(self._processes, int):
            return self._processes
        import psutil

        room = int(psutil.virtual_memory().available) // BYTES_EACH
        return max(1, min(usable_processors(), MOST, room))

    def dismiss(self, hand: Hand) -> None:
        """Do without a process that has died."""
        self.hands.remove(hand)
        self.taught = {key: one for key, one in self.taught.items() if one is not hand}

    def close(self) -> None:
        """Let all processes go."""
        let_go(self.hands)
        self.hands.clear()
        self.taught.clear()


def check_processes(processes: int | str) -> None:
    """Raise ConfigError where `launcher.processes` is neither auto nor a number of processes."""
    if processes != AUTO and (type(processes) is not int or processes < 1):
        raise ConfigError(
            f"hydra.launcher.processes={processes} is not valid: give auto, or how many processes "
            "of this machine train, from 1 on"
        )


@dataclass(frozen=True)
class _Task:
    """A parcel that waits, and of which structure its runs are."""

    parcel: Parcel
    structure: Hashable


class _Together:
    """Runs of one results folder that processes train."""

    def __init__(
        self,
        machine: Machine,
        runs: Sequence[Run],
        results: Results,
        limits: Limits,
        by_device: bool,
        more: bool,
    ) -> None:
        self._machine, self._results, self._limits = machine, results, limits
        self._runs = {run.run_id: run for run in runs}
        self._folder: Path = runs[0].results
        self._by_device, self._more = by_device, more
        self._waiting: deque[_Task] = deque()
        self._busy: dict[Hand, tuple[_Task, float]] = {}
        """What a process has in hand, and since when."""
        self._tries: dict[str, int] = {}
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
        packs = cut(runs, number if self._by_device or not self._more else 1)
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

        Of one that another has traced only where tracing it again is little beside the training.
        """
        taught, took = self._machine.taught, self._machine.took

        def fits(task: _Task) -> int | None:
            owner = taught.get(task.structure)
            if owner is hand:
                return 0
            if owner is None:
                return 1
            is_slow = took.get(task.structure, 0.0) > SLOW_SECONDS
            return 2 if is_slow or self._by_device or not self._more else None

        ranked = [(fit, task) for task in self._waiting if (fit := fits(task)) is not None]
        return min(ranked, key=lambda one: one[0])[1] if ranked else None

    def _give(self, hand: Hand, task: _Task) -> None:
        self._waiting.remove(task)
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
                self._display(record)
            case Said(line):
                if line not in self._said:  # what several say of the same data is said once
                    self._said.add(line)
                    say(line)
            case Over(trouble):
                if trouble is not None:  # a bug of ours: it ends the command as one
                    raise RuntimeError(f"in a process that trains: {trouble}")
                task, since = self._busy.pop(hand)
                self._machine.took[task.structure] = time.monotonic() - since
                hand.parcel = None
            case ready:
                if ready.error is not None:
                    raise ready.error
                hand.ready = ready

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
            self._machine.hands.append(begin())

    def _try_again(self, task: _Task, slips: Sequence[Slip], why: str) -> None:
        """Put what a dead process left over back among what waits, or refuse it."""
        complain(f"warning: a process that trains has ended ({why}); {len(slips)} runs left")
        for slip in slips:
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
