"""Packs on the nodes of a Ray cluster: workers are hired, given parcels, and listened to.

A worker is an actor that stays: it keeps TensorFlow, the data of its last parcel and what it has
traced. It gets the next parcel when it has none, and what it trains comes back as letters
(`carrier.py`). Where a worker is gone, what it had not finished is tried again by others.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.components.loose import PLUGINS
from runner.errors import ConfigError, JournalError, RunnerError
from runner.journal.records import Record, RunEnd, RunStart
from runner.record.display import progress_for_output
from runner.record.outcome import Outcome, Outcomes
from runner.record.sinks import Display
from runner.sweep.batch import Terms
from runner.sweep.cluster.carrier import Inbox
from runner.sweep.cluster.cut import cut
from runner.sweep.cluster.parcel import NodeError, Parcel, Slip, left_of, pack_up
from runner.sweep.cluster.worker import USER, News, Worker
from runner.sweep.failures import OnResult, Results, RunResult
from runner.sweep.limits import SWEEP, began
from runner.sweep.plan import Run
from runner.sweep.watch import Watch
from runner.system.extensions import DISABLE
from runner.system.terminal import complain

PASSED_ON = (PLUGINS, DISABLE, SWEEP)
"""Environment variables that workers are given."""
BEAT_SECONDS = 10.0
LOOK_SECONDS = 5.0
"""How often it looks which nodes there are."""
WAIT = 60.0
"""Seconds that it waits where there is no node."""
DEATHS = 3
"""Workers that may die over a run before it is given up, or on a node before it is avoided."""


@dataclass(frozen=True)
class Share:
    """What a worker has of its node, as asked for; None: as much as there is for one."""

    cpus: float | None = None
    gpus: float | None = None

    def of(self, resources: Mapping[str, float]) -> tuple[int, float, float]:
        """Of a node with these resources: how many workers, and CPUs and GPUs of each."""
        have_cpus, have_gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        gpus = self.gpus if self.gpus is not None else float(have_gpus >= 1)
        by_gpus = math.floor(have_gpus / gpus + 1e-9) if gpus else None
        if self.cpus is None:
            number = 1 if by_gpus is None else by_gpus
            return (number, have_cpus / number, gpus) if number and have_cpus else (0, 0, gpus)
        number = math.floor(have_cpus / self.cpus + 1e-9) if self.cpus else by_gpus or 1
        return min(number, number if by_gpus is None else by_gpus), self.cpus, gpus


@dataclass(eq=False)
class Hand:
    """A worker as the head knows it."""

    actor: Any
    node: str
    node_id: str
    call: Any
    """What it was asked last, and has not answered."""
    is_ready: bool = False
    parcel: Parcel | None = None
    stored: int = 0
    """The number of its last letter that is stored."""
    stopped: set[str] = field(default_factory=set)


class Crew:
    """The workers of a cluster; they stay for later batches, until `close`."""

    def __init__(self, share: Share, pack: int | str) -> None:
        self._share, self._pack = share, pack
        self._hands: list[Hand] = []
        self._looked = 0.0
        self._failed: Counter[str] = Counter()
        """By node, the workers that could not begin."""
        self._slots: list[tuple[str, str, float, float]] = []
        self._over = threading.Event()

    def train(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None,
        terms: Terms,
    ) -> dict[str, RunResult]:
        """Train runs as `train_all` does, by the workers.

        terms: pruning is each worker's own, among the runs that it trains.

        Raises ConfigError where no node has what a worker is to have.
        """
        base = runs[0].base
        slots = self.slots
        if not slots:
            raise ConfigError(self._too_much())
        if not self._over.is_set() and not self._hands:
            threading.Thread(target=self._keep_alive, name="beat", daemon=True).start()
        results = Results(on_result, terms.limits)
        for folder in dict.fromkeys(run.results for run in runs):
            here = [run for run in runs if run.results == folder]
            _Together(self, here, results, terms, base).train(folder)
        return results.by_id

    def packs(self, runs: Sequence[Run], more: float | None) -> list[Parcel]:
        """The parcels of runs, for the workers that there can be; more: as `Terms` has it."""
        slots = self.slots
        nodes = {node_id for _, node_id, _, _ in slots}
        memory = [
            node["Resources"].get("memory", 0.0) for node in _alive() if node["NodeID"] in nodes
        ]
        each = int(min(memory) / max(1, len(slots) / len(nodes))) if memory else None
        packs = cut(runs, len(slots), self._pack, each)
        parcels = [pack_up(pack, began(pack[0].sweep_id or ""), take_along=True) for pack in packs]
        return [replace(parcel, more=more) for parcel in parcels]

    def hire(self, number: int, base: Path) -> None:
        """Have up to so many workers, on nodes that have room for them."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote: Any = ray.remote
        taken = Counter(hand.node_id for hand in self._hands)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        for node, node_id, cpus, gpus in self.slots:
            if taken[node_id]:
                taken[node_id] -= 1
                continue
            if len(self._hands) >= number:
                return
            actor = (
                remote(Worker)
                .options(
                    num_cpus=cpus,
                    num_gpus=gpus,
                    max_restarts=0,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
                )
                .remote(node, environment, str(base.absolute()))
            )
            self._hands.append(Hand(actor, node, node_id, actor.beat.remote()))

    @property
    def hands(self) -> list[Hand]:
        """The workers, those too that are only about to be there."""
        return self._hands

    def dismiss(self, hand: Hand) -> None:
        """Do without a worker from now on."""
        import ray

        self._hands.remove(hand)
        self._looked = 0.0
        ray.kill(hand.actor)

    def avoid(self, node_id: str) -> None:
        """Count that no worker could begin on a node, which may be gone."""
        self._failed[node_id] += 1

    def close(self) -> None:
        """Let all workers go."""
        import ray

        self._over.set()
        if self._hands and ray.is_initialized():
            ray.wait([h.actor.close.remote() for h in self._hands], timeout=5.0)
            for hand in self._hands:
                ray.kill(hand.actor)
        self._hands.clear()

    @property
    def slots(self) -> list[tuple[str, str, float, float]]:
        """For each worker that there can be: its node, by name and id, its CPUs and GPUs."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return self._slots
        nodes = [node for node in _alive() if self._failed[node["NodeID"]] < DEATHS]
        names = Counter(_name_of(node) for node in nodes)
        self._slots = []
        for node in sorted(nodes, key=_name_of):
            name, node_id = _name_of(node), node["NodeID"]
            name = name if names[name] == 1 else f"{name}-{node_id[:4]}"
            number, cpus, gpus = self._share.of(node["Resources"])
            self._slots += [(name, node_id, cpus, gpus)] * number
        self._looked = time.monotonic()
        return self._slots

    def _too_much(self) -> str:
        """Why there can be no worker."""
        nodes = [
            f"{_name_of(node)} {node['Resources'].get('CPU', 0):g} and "
            f"{node['Resources'].get('GPU', 0):g}"
            for node in _alive()
        ]
        asked = [
            f"hydra.launcher.{name}={value:g}"
            for name, value in (("cpus", self._share.cpus), ("gpus", self._share.gpus))
            if value is not None
        ]
        return (
            f"no node of the cluster has as much as {' and '.join(asked) or 'one CPU'}: of CPUs "
            f"and GPUs {', '.join(nodes) or 'there are none'}; give less"
        )

    def _keep_alive(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            for hand in list(self._hands):
                hand.actor.beat.remote()


class _Together:
    """Runs of one results folder that the crew trains."""

    def __init__(
        self, crew: Crew, runs: Sequence[Run], results: Results, terms: Terms, base: Path
    ) -> None:
        self._crew, self._results, self._base = crew, results, base
        self._limits, self._more = terms.limits, terms.more
        self._runs = {run.run_id: run for run in runs}
        self._keys = {run.run_id: run.run_id for run in runs}
        """Of each try, the run that it is of."""
        self._queue: deque[Parcel] = deque()
        self._unfit: defaultdict[str, dict[str, RunnerError]] = defaultdict(dict)
        """Of a run, the nodes that have not what it needs, and what they lack."""
        self._waits: float | None = None
        """Since when there has been no node."""
        self._deaths: Counter[str] = Counter()
        self._said: set[str] = set()

    def train(self, folder: Path) -> None:
        """Train them, and listen to the workers, until all have a result or are stopped."""
        self._folder = folder
        self._outcomes = Outcomes(folder)
        self._progress = progress_for_output(len(self._runs), by_node=True)
        self._display = Display(self._progress)
        self._inbox = Inbox(folder, self._take)
        self._queue.extend(self._crew.packs(list(self._runs.values()), self._more))
        self._watch = Watch(self._inbox.beat, self._stop_at_once, self._limits.time_is_up)
        try:
            with self._watch:
                while self._queue or any(hand.parcel for hand in self._crew.hands):
                    self._stop_where_asked()
                    self._hand_out()
                    self._listen()
        finally:
            self._progress.close()
        if self._watch.requested_by_user():
            self._results.stop(self._runs.values())

    def _hand_out(self) -> None:
        """Hire as many workers as there is work for, and give those that have none a parcel."""
        self._drop_what_fits_nowhere()
        idle = (h for h in self._crew.hands if h.parcel is not None or not self._fits(h))
        self._crew.hire(sum(1 for _ in idle) + len(self._queue), self._base)
        for hand in self._crew.hands:
            if hand.is_ready and hand.parcel is None and (fits := self._fits(hand)) is not None:
                self._queue.remove(fits)
                hand.parcel = fits
                self._keys |= {slip.run_id: slip.key for slip in hand.parcel.slips}
                hand.stopped.clear()
                hand.call = hand.actor.begin.remote(hand.parcel)

    def _drop_what_fits_nowhere(self) -> None:
        """Settle the runs that every node has refused; RunnerError where no node is left."""
        nodes = {node_id for _, node_id, _, _ in self._crew.slots}
        if nodes:
            self._waits = None
        elif self._waits is None:
            self._waits = time.monotonic()
            complain(f"warning: no node of the cluster is left; waiting for one {WAIT:g} seconds")
        elif time.monotonic() - self._waits > WAIT:
            raise RunnerError("no node of the cluster is left; the same command goes on")
        for parcel in [
            p for p in self._queue if nodes and nodes <= {*self._unfit[p.slips[0].key]}
        ]:
            self._queue.remove(parcel)
            for slip in parcel.slips:
                error = next(iter(self._unfit[slip.key].values()))
                self._results.settle(self._runs[slip.key], error)

    def _fits(self, hand: Hand) -> Parcel | None:
        """The next parcel that the worker's node has not refused."""
        unfit = self._unfit
        parcels = (p for p in self._queue if hand.node_id not in unfit[p.slips[0].key])
        return next(parcels, None)

    def _listen(self) -> None:
        """Wait for an answer of any worker, and go by it."""
        import ray

        calls = {hand.call: hand for hand in self._crew.hands if hand.call is not None}
        if not calls:
            time.sleep(0.2)  # until a node comes
            return
        for call in ray.wait(list(calls), num_returns=1, timeout=1.0)[0]:
            hand = calls[call]
            hand.call = None
            try:
                answer = ray.get(call)
            except ray.exceptions.RayError as error:
                self._lose(hand, error)
                continue
            hand.is_ready = True
            if isinstance(answer, News):
                self._read(hand, answer)
            if hand.parcel is not None:
                hand.call = hand.actor.news.remote(hand.stored)

    def _read(self, hand: Hand, news: News) -> None:
        for line in news.said:
            if line not in self._said:  # what workers say of the same data is said once
                self._said.add(line)
                complain(f"node {hand.node}: {line}")
        if news.letter is not None:
            self._inbox.take(news.letter, hand.node)
            hand.stored = news.letter.number
            return
        if news.results is None or hand.parcel is None:
            return
        parcel, hand.parcel = hand.parcel, None
        if news.trouble is not None:
            complain(f"node {hand.node}: {news.trouble}")
        elsewhere = [
            slip
            for slip in parcel.slips
            if isinstance(error := news.results.get(slip.key), NodeError | JournalError)
            and self._may_go_elsewhere(slip, hand, error)
        ]
        if elsewhere:
            self._queue.append(replace(parcel, slips=tuple(elsewhere)))
        for slip in parcel.slips:
            if slip in elsewhere:
                continue
            run, result = self._runs[slip.key], news.results.get(slip.key)
            if slip.run_id in self._outcomes.epochs:  # its journal has no end: a full disk
                said = result.error if isinstance(result, Outcome) else None
                reason = said or "its training ended without a word"
                self._inbox.end(self._failed(slip.run_id, f"on node {hand.node}: {reason}"), "")
            elif isinstance(result, RunnerError):
                self._results.settle(run, result)
            elif news.trouble is not None:
                last = news.trouble.strip().rpartition("\n")[2]
                self._results.settle(run, RunnerError(f"on node {hand.node}: {last}"))

    def _may_go_elsewhere(self, slip: Slip, hand: Hand, error: RunnerError) -> bool:
        """Whether another node may have what a run needs; once a node, what it lacks is said."""
        self._unfit[slip.key][hand.node_id] = error
        others = {node_id for _, node_id, _, _ in self._crew.slots} - {*self._unfit[slip.key]}
        if others:
            self._warn(f"{error}; other nodes train its runs")
        return bool(others)

    def _warn(self, sentence: str) -> None:
        """Say a sentence once."""
        if sentence not in self._said:
            self._said.add(sentence)
            complain(f"warning: {sentence}")

    def _take(self, node: str, record: Record) -> None:
        """A record of a try, which is stored: outcomes, display, and at its end the result."""
        self._outcomes(record)  # type: ignore[arg-type]
        shown = replace(record, host=node) if isinstance(record, RunStart) else record
        self._display(shown)  # type: ignore[arg-type]
        if isinstance(record, RunEnd) and record.status != "lost":
            outcome = self._outcomes.by_id.pop(record.run_id)
            self._results.settle(self._runs[self._keys[record.run_id]], outcome)

    def _lose(self, hand: Hand, error: Exception) -> None:
        """Go on without a worker; what it had is for others."""
        import ray

        self._crew.dismiss(hand)
        parcel, hand.parcel = hand.parcel, None
        if parcel is None:
            if not hand.is_ready:
                self._crew.avoid(hand.node_id)
                self._warn(f"no worker can begin on node {hand.node}: {_cause(error)}")
            return
        why = "died"
        if isinstance(error, ray.exceptions.OutOfMemoryError) or "memory pressure" in str(error):
            why = "was out of memory"
        sentence = f"the worker on node {hand.node} {why}"
        begun = {slip.key for slip in parcel.slips if slip.run_id in self._outcomes.epochs}
        for slip in parcel.slips:
            if slip.run_id in self._outcomes.epochs:
                epochs = len(self._outcomes.epochs[slip.run_id])
                end = replace(self._failed(slip.run_id, sentence), status="lost", epochs=epochs)
                self._inbox.end(end, hand.node)
        complain(f"warning: {sentence}; what it had is tried again")
        left = left_of(parcel, self._folder)
        if left is not None and not self._watch.requested_by_user():
            self._again(left, begun, sentence)

    def _again(self, left: Parcel, begun: set[str], sentence: str) -> None:
        """Queue what a worker has left: in halves, then alone, and not without end."""
        # Where none had begun, whichever was about to: all of them are blamed.
        self._deaths.update(begun or {slip.key for slip in left.slips})
        given_up = [s for s in left.slips if self._deaths[s.key] >= DEATHS]
        for slip in given_up:
            reason = f"{sentence}, as did {DEATHS - 1} before: the run is not tried again"
            self._results.settle(self._runs[slip.key], RunnerError(reason))
        slips = [slip for slip in left.slips if slip not in given_up]
        alone = [slip for slip in slips if self._deaths[slip.key] >= DEATHS - 1]
        rest = [slip for slip in slips if slip not in alone]
        half = math.ceil(len(rest) / 2)
        parts = [[slip] for slip in alone] + [rest[:half], rest[half:]]
        self._queue.extendleft(replace(left, slips=tuple(part)) for part in parts if part)

    def _failed(self, run_id: str, sentence: str) -> RunEnd:
        seconds, epochs = self._outcomes.seconds(run_id), self._outcomes.epochs[run_id]
        return RunEnd.failed(run_id, sentence, seconds, len(epochs))

    def _stop_where_asked(self) -> None:
        """Pass on a stop, or a limit, to all that train; what has not begun stays so."""
        by, at_once = "", True
        if self._watch.requested_by_user():
            by = USER
        elif self._limits.reached:
            by, at_once = self._limits.reached, self._limits.time_is_up()
        if not by:
            return
        self._queue.clear()
        for hand in self._crew.hands:
            if hand.parcel is not None and by not in hand.stopped:
                hand.stopped.add(by)
                hand.actor.stop.remote(by, at_once)

    def _stop_at_once(self) -> None:
        """End the open runs; the process ends, and with it the workers."""

        def end(run_id: str) -> RunEnd:
            seconds, epochs = self._outcomes.seconds(run_id), self._outcomes.epochs[run_id]
            return RunEnd.stopped(run_id, "stopped twice", seconds, len(epochs))

        self._inbox.end_all(end)


def _alive() -> list[Any]:
    """The nodes that are up, as Ray has them."""
    import ray

    every: Any = ray.nodes  # without annotations
    return [node for node in every() if node["Alive"]]


def _name_of(node: Mapping[str, Any]) -> str:
    """A node's name for people: its own, else that of its machine."""
    own, address = str(node["NodeName"]), node["NodeManagerAddress"]
    return str(node["NodeManagerHostname"]) if own == address else own


def _cause(error: Exception) -> str:
    """The line that says most of why an actor could not begin."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line]
    return (named or lines or [type(error).__name__])[-1]
