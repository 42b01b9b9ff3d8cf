"""A parcel: what a worker is given of a pack, without anything of the process that planned it.

It is small and can be pickled: overrides, configs in plain words, and what the head found their
fingerprints and components to be. The worker plans the runs anew by its own plugins and data, and
trains them only where it comes to the same fingerprints: a run is what the head skipped others
for, wherever it trains.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import warehouse
from runner.components.component import BUILT_IN, BY_CONTENT
from runner.components.loose import bring_back
from runner.components.registry import load
from runner.config.config import config_of
from runner.config.fingerprint import source_hash
from runner.errors import DataError, RunnerError
from runner.journal.ids import new_run_id
from runner.journal.records import UsedComponent
from runner.model.checkpoint import Checkpoint
from runner.record.display import Progress
from runner.sweep.batch import Terms, train_all
from runner.sweep.cluster.parents import Taken, taken_along, with_taken
from runner.sweep.earlier import earlier_run
from runner.sweep.failures import RunResult
from runner.sweep.limits import Limits
from runner.sweep.plan import Planner, Run
from runner.sweep.provenance import components_of
from runner.sweep.pruning import Prunings
from runner.system.terminal import say

INTERRUPTED = ("lost", "running")
"""What becomes of runs whose worker is gone; nobody else trains the runs of its parcel."""


@dataclass(frozen=True)
class Slip:
    """One job of a parcel."""

    key: str
    """The run's id where it was planned; of all its tries the same."""
    run_id: str
    """The id of this try: the same for the first, a new one for each later."""
    overrides: Sequence[str]
    experiment: str
    body: Mapping[str, Any]
    """The config in plain words."""
    fingerprint: str
    resumed_from: str | None = None
    resume: Checkpoint | None = None
    """Where to go on, rather than begin."""

    def again(self, resumed_from: str | None, resume: Checkpoint | None) -> Slip:
        """The next try of the same run, from a checkpoint if there is one."""
        return replace(self, run_id=new_run_id(), resumed_from=resumed_from, resume=resume)


@dataclass(frozen=True)
class Parcel:
    """The jobs of a pack, and what they have in common."""

    slips: Sequence[Slip]
    components: Sequence[UsedComponent]
    """What the jobs are made of, as the head has it."""
    sweep_id: str | None
    sweep_jobs: int | None
    base: str
    """Where the user stands."""
    began: float
    """When the sweep began, in seconds since 1970."""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    """Earlier runs whose weights params name, where these are taken along."""
    more: float | None = None
    """How many jobs of a search, much like these, will follow, for each so far; None: of none."""


class NodeError(RunnerError):
    """This machine lacks what a run needs; another may have it."""


OnSlip = Callable[[Slip, RunResult], None]


def pack_up(runs: Sequence[Run], began: float, take_along: bool = False) -> Parcel:
    """The parcel of runs of one sweep, which began then, in seconds since 1970.

    take_along: also the weights that params name, for workers that share no disk with the head.
    """
    used: dict[tuple[str, str], UsedComponent] = {}
    for run in runs:
        used |= {(one["kind"], one["name"]): one for one in components_of(run.config)}
    slips = [
        Slip(
            run.run_id,
            run.run_id,
            tuple(run.overrides),
            run.experiment,
            run.config.plain(),
            run.fingerprint,
            run.resumed_from,
            run.resume,
        )
        for run in runs
    ]
    first = runs[0]
    base = str(first.base.absolute())
    parts = first.sweep_id, first.sweep_jobs
    taken = taken_along(runs) if take_along else {}
    return Parcel(tuple(slips), tuple(used.values()), *parts, base, began, taken)


def train_parcel(
    parcel: Parcel,
    results: Path,
    on_result: OnSlip | None = None,
    limits: Limits | None = None,
    node: str = "",
    progress: Progress | None = None,
) -> dict[str, RunResult]:
    """Plan a parcel's jobs by this machine's plugins and data, and train them.

    results: the folder that takes what comes of them: one of this worker alone, or shared. What
        the config names stays in the record as it is.
    on_result: is called for each job as soon as it has come to its end or is refused.
    limits: what ends it; by default the limits of the sweep.
    node: what this machine is called in sentences. progress: the display, if another than usual.

    Gives the results by the slips' keys; those that a stop or a limit kept from beginning are
    missing. A job that cannot be here what the head planned is refused with a NodeError.
    """
    told = on_result or (lambda slip, result: None)
    node = node or socket.gethostname()
    slips: dict[str, Slip] = {}
    refused: dict[str, RunResult] = {}
    runs: list[Run] = []
    planner, reason = Planner(), unfit(parcel.components, node)
    for slip in parcel.slips:
        try:
            if reason:
                raise NodeError(reason)
            runs.append(unpacked(parcel, slip, results, planner, node))
            slips[slip.run_id] = slip
        except RunnerError as error:
            refused[slip.key] = error.with_traceback(None)
            told(slip, error)
    if not runs:
        return refused
    if limits is None:
        limits = Limits(parcel.began)
        limits.follow(runs[0].config.settings.sweep)
    prunings = Prunings(parcel.sweep_id or "")
    trained = train_all(
        runs,
        lambda run, result: told(slips[run.run_id], result),
        Terms(prunings.of, limits, parcel.more),
        progress=progress,
    )
    return refused | {slips[run_id].key: result for run_id, result in trained.items()}


def unpacked(parcel: Parcel, slip: Slip, results: Path, planner: Planner, node: str) -> Run:
    """The run of a slip, as this machine plans it; NodeError where it is not the head's."""
    base = Path(parcel.base)
    try:
        body = config_of(slip.body, load(), base)
        config = with_taken(body, base, parcel.taken, results)
        run = planner.plan(
            config,
            slip.experiment,
            slip.overrides,
            base=base,
            sweep_id=parcel.sweep_id,
            sweep_jobs=parcel.sweep_jobs,
            resumed_from=slip.resumed_from,
            resume=slip.resume,
            into=results,
        )
    except DataError as error:
        raise NodeError(
            f"on node {node} {error}: put it there under this name, or on a disk that all nodes "
            "share"
        ) from None
    except RunnerError as error:
        raise type(error)(f"on node {node}: {error}") from None
    # What a component raised here is recorded as its failure, with all that it says.
    if run.fingerprint != slip.fingerprint and run.trouble is None:
        raise NodeError(
            f"on node {node} the data of dataset '{config.one('dataset').component.name}', or a "
            "file that a param names, are not the head's: a run is trained on the data that it "
            "was planned with; copy them there, or name a disk that all nodes share"
        )
    return replace(run, run_id=slip.run_id)


def unfit(components: Sequence[UsedComponent], node: str) -> str:
    """One sentence on a component that this machine lacks or has otherwise; empty if none."""
    try:
        registry = load()
        bring_back(registry, components)
    except RunnerError as error:
        return f"on node {node} {error}"
    have = {(one.kind.name, one.name): one for one in registry.components.values()}
    for one in components:
        what = f"{one['kind']} '{one['name']}'"
        where, version = one["distribution"] or "", one["version"] or ""
        loose = version.startswith(BY_CONTENT)
        package = "this program" if where == BUILT_IN else f"the package {where}"
        head = f"the head has {version} of {package}"
        mend = f"install {where}=={version} there"
        here = have.get((one["kind"], one["name"]))
        if here is None:
            return f"node {node} has no {what}: it comes with {package} {version}; {mend}"
        if not loose and (here.distribution, here.version) != (where, version):
            mine = f"{here.version} of {here.distribution}"
            return f"node {node} has the {what} of {mine}, and {head}: {mend}"
        if source_hash(here.function) != one["source"]:
            if loose:
                return (
                    f"the file of {what}, {where}, is another on node {node} than at the head: "
                    "copy it there"
                )
            return (
                f"node {node} has the {what} of {where} {version} with another source than the "
                "head: install the same there, or an own version of each"
            )
    return ""


def left_of(parcel: Parcel, results: Path, again: Collection[str] = INTERRUPTED) -> Parcel | None:
    """What is still to be trained of a parcel whose worker is gone; None where nothing is.

    results: the folder that has what came of it. again: statuses that do not count as an end.

    A job whose newest try ended is left out; one that was interrupted is to be tried again, as a
    new run, from the last checkpoint that a try has kept; one that never began stays as it is.
    """
    warehouse.sync(results, wait=10.0)
    with warehouse.connect(results) as connection:
        rows = connection.execute(
            # Of stopped ones only those of the user's, or of the cluster's, are to go on.
            "SELECT fingerprint, run_id, CASE WHEN status = 'stopped' AND reason <> 'user' "
            "THEN reason ELSE status END FROM runs WHERE sweep_id IS NOT DISTINCT FROM $1 "
            "AND fingerprint IN (SELECT unnest($2::VARCHAR[])) ORDER BY run_id DESC",
            [parcel.sweep_id, [slip.fingerprint for slip in parcel.slips]],
        ).fetchall()
    tries: dict[str, list[tuple[str, str]]] = {}
    for fingerprint, run_id, status in rows:
        tries.setdefault(fingerprint, []).append((run_id, status))
    left = []
    for slip in parcel.slips:
        tried = tries.get(slip.fingerprint, [])
        if not tried:
            left.append(slip)
        elif tried[0][1] in again:
            left.append(_next(slip, [run_id for run_id, _ in tried], results))
    return replace(parcel, slips=tuple(left)) if left else None


def _next(slip: Slip, tried: Sequence[str], results: Path) -> Slip:
    """The next try of a job; tried: the ids of those before, the newest first."""
    for run_id in tried:
        checkpoint = earlier_run(run_id, results).checkpoint()
        if checkpoint is not None:
            say(f"resuming {run_id} after epoch {len(checkpoint.epochs)}")
            return slip.again(run_id, checkpoint)
    return slip.again(slip.resumed_from, slip.resume)
