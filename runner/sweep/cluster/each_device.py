"""`device=gpus`: the runs of a sweep on all devices of this machine, a process for each device.

A process of its own has TensorFlow to itself: its memory, its threads, its errors. All write their
journals into the one results folder, so that nothing needs to be carried; this process hands out
packs, trains nothing itself and does not load TensorFlow.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.backend.devices import GPUS, usable_number
from runner.errors import RunnerError
from runner.sweep.batch import PruningOf, no_pruning, train_all
from runner.sweep.cluster.cut import cut
from runner.sweep.cluster.parcel import Parcel, Slip, left_of, pack_up, train_parcel
from runner.sweep.failures import OnResult, Results, RunResult
from runner.sweep.limits import Limits
from runner.sweep.plan import Run
from runner.sweep.watch import Watch
from runner.system import stops
from runner.system.terminal import complain, say

TRIES = 2
"""How often a run whose process dies is trained; it may be what kills it."""
LOOK_SECONDS = 0.5


def train_on_each(
    runs: Sequence[Run],
    on_result: OnResult | None = None,
    *,
    pruning: PruningOf = no_pruning,
    limits: Limits | None = None,
    more: bool = False,
) -> dict[str, RunResult]:
    """Train runs as `train_all` does; those with `device=gpus` by a process for each device."""
    spread: list[Run] = []
    others: list[Run] = []
    for run in runs:
        (spread if run.config.settings.device.lower() == GPUS else others).append(run)
    if len(spread) < 2:
        return train_all(runs, on_result, pruning=pruning, limits=limits, more=more)
    limits = limits or Limits()
    results = Results(on_result, limits)
    _Devices(spread, results, limits).train()
    others = results.missing(others)  # none after the user's stop
    if others and not limits.reached:
        return results.by_id | train_all(
            others, on_result, pruning=pruning, limits=limits, more=more
        )
    return results.by_id


@dataclass(eq=False)
class _Hand:
    """A process that trains, and what it has in hand."""

    process: Any
    pipe: Connection
    parcel: Parcel | None = None
    done: set[str] = field(default_factory=set)
    """The keys of its parcel's jobs that have come to their end."""


class _Devices:
    """The devices of this machine, each with a process, and the runs that wait for one."""

    def __init__(self, runs: Sequence[Run], results: Results, limits: Limits) -> None:
        self._runs = {run.run_id: run for run in runs}
        self._results, self._limits = results, limits
        self._waiting: deque[Parcel] = deque()
        self._hands: list[_Hand] = []
        self._tries: dict[str, int] = {}
        self._told = False

    def train(self) -> None:
        """Train all; what the user's stop or a limit kept from beginning has no result."""
        # Those that may look at one results folder; there is one as a rule.
        for runs in self._results.groups(self._runs.values(), lambda run: run.results):
            watch = Watch(_nothing, lambda: self._tell(signal.SIGINT), self._limits.time_is_up)
            try:
                with watch:
                    self._train_into_one(runs, watch)
            finally:
                self._end()
            if watch.requested_by_user():
                self._results.stop(runs)

    def _train_into_one(self, runs: Sequence[Run], watch: Watch) -> None:
        first = self._begin(looks=True)
        devices = self._number(first, watch)
        packs = cut(runs, devices)
        began = self._limits.since
        self._waiting.extend(pack_up(pack, began) for pack in packs)
        used = min(devices, len(packs))
        for _ in range(used - 1):
            self._begin()
        if devices > 1:
            say(f"{len(runs)} runs train on {used} of {devices} devices")
        while True:
            if watch.requested_by_user() and not self._told:
                self._told = True
                self._tell(signal.SIGINT)
            stopping = watch.requested() or bool(self._limits.reached)
            for hand in self._hands:
                if hand.parcel is None and self._waiting and not stopping:
                    self._give(hand, self._waiting.popleft())
            busy = [hand for hand in self._hands if hand.parcel is not None]
            if not busy:
                return
            ready = wait([hand.pipe for hand in busy], timeout=LOOK_SECONDS)
            for hand in [hand for hand in busy if hand.pipe in ready]:
                self._hear(hand)

    def _number(self, hand: _Hand, watch: Watch) -> int:
        """How many devices there are, as a process says that has loaded TensorFlow."""
        while hand.pipe not in wait([hand.pipe], timeout=LOOK_SECONDS):
            if watch.requested():
                return 1
        try:
            answer = hand.pipe.recv()
        except EOFError:
            raise RunnerError(f"no process for a device can begin: {_ended(hand)}") from None
        if isinstance(answer, RunnerError):
            raise answer
        return int(answer)

    def _begin(self, looks: bool = False) -> _Hand:
        """Begin a process; looks: it says first how many devices there are."""
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=_work, args=(its, looks), daemon=True)
        process.start()
        its.close()
        hand = _Hand(process, mine)
        self._hands.append(hand)
        return hand

    def _give(self, hand: _Hand, parcel: Parcel) -> None:
        hand.parcel, hand.done = parcel, set()
        try:
            hand.pipe.send((parcel, self._runs[parcel.slips[0].key].results))
        except OSError:  # it has died meanwhile, which is heard next
            return

    def _hear(self, hand: _Hand) -> None:
        """Take what a process says of its parcel."""
        try:
            key, result = hand.pipe.recv()
        except (EOFError, OSError):
            return self._take_back(hand)
        if key is None:
            if isinstance(result, str):  # a bug of ours: it ends the command as one
                raise RuntimeError(f"in the process of a device: {result}")
            hand.parcel = None
            return
        hand.done.add(key)
        self._results.settle(self._runs[key], result)

    def _take_back(self, hand: _Hand) -> None:
        """Have what a dead process had in hand trained by another one, or say that it died."""
        self._hands.remove(hand)
        parcel, why = hand.parcel, _ended(hand)
        if parcel is None or self._told:
            return
        left = left_of(parcel, self._runs[parcel.slips[0].key].results)
        slips = [slip for slip in (left.slips if left else ()) if slip.key not in hand.done]
        if slips:
            self._try_again(parcel, slips, why)
        if self._waiting and all(hand.parcel is not None for hand in self._hands):
            self._begin()

    def _try_again(self, parcel: Parcel, slips: Sequence[Slip], why: str) -> None:
        """Put what a dead process left over back among what waits, or refuse it."""
        complain(f"warning: the process of a device has ended ({why}); {len(slips)} runs left")
        for slip in slips:
            self._tries[slip.key] = self._tries.get(slip.key, 1) + 1
            if self._tries[slip.key] > TRIES:
                error = RunnerError(f"the process that trained it has ended {TRIES} times ({why})")
                self._results.settle(self._runs[slip.key], error)
        again = [slip for slip in slips if slip.key not in self._results.by_id]
        if again:
            self._waiting.append(replace(parcel, slips=tuple(again)))

    def _tell(self, number: int) -> None:
        """Send all processes a signal: they are not in the terminal's group."""
        for hand in self._hands:
            if hand.process.is_alive():
                os.kill(hand.process.pid, number)

    def _end(self) -> None:
        """Let all processes go; one that does not is ended."""
        for hand in self._hands:
            hand.pipe.close()
        for hand in self._hands:
            hand.process.join(10.0)
            if hand.process.is_alive():
                hand.process.kill()
        self._hands.clear()


def _nothing() -> None:
    """Do nothing: who trains has a heartbeat of its own."""


def _ended(hand: _Hand) -> str:
    hand.process.join(10.0)
    code = hand.process.exitcode
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _work(pipe: Connection, looks: bool) -> None:
    """Train one parcel after the other, in a process of its own, until nobody sends any more.

    looks: whether to say first how many devices there are.
    """
    os.setpgrp()  # a Ctrl-C in the terminal is for the parent, which passes it on
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # the parent says what happens
    stops.listen(silent=True)
    parcels: SimpleQueue[tuple[Parcel, Path]] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, parcels), daemon=True).start()
    try:
        if looks:
            pipe.send(_looked())
        while True:
            parcel, results = parcels.get()
            _train(pipe, parcel, results)
    except (EOFError, OSError, KeyboardInterrupt):
        os._exit(0)  # what is recorded is written; TensorFlow takes its time to end


def _receive(pipe: Connection, parcels: SimpleQueue[tuple[Parcel, Path]]) -> None:
    """Take what the parent sends; once it is gone, however that came, end the process at once."""
    try:
        while True:
            parcels.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)  # what is recorded is written


def _looked() -> int | RunnerError:
    try:
        return usable_number()
    except RunnerError as error:
        return error


def _train(pipe: Connection, parcel: Parcel, results: Path) -> None:
    trouble: str | None = None
    try:
        train_parcel(parcel, results, lambda slip, result: pipe.send((slip.key, result)))
    except (OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        import traceback

        trouble = "".join(traceback.format_exception(error))
    pipe.send((None, trouble))
