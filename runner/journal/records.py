"""The events of a run on their way to the warehouse.

An engine emits records, the journal writes them (as `lines.py` says), the warehouse ingests them;
this file is all that those rooms share.

The annotations are the format: the warehouse derives from them how a line is checked and as what
types it is read (`warehouse.journals.fields`). A new record is a class here, a table in
`warehouse/schema/` and an INSERT in `warehouse/ingest/insert.sql`.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from runner.errors import in_one_line, trace_of
from runner.journal.ids import now

FORMAT_VERSION = 2
"""Written in every `run_start`; a reader refuses a journal of a newer version. 2 brought what is
said of outputs and of tensors: `confusion` to `artifact`, and `judgement`."""

Id = Annotated[str, "id"]
"""It may become a file's name: few signs, and none that leads elsewhere."""
Name = Annotated[str, "name"]
"""Never empty."""
Uri = Annotated[str, "uri"]
"""A place below the results folder."""
Moment = Annotated[str, "moment"]
"""ISO 8601; without an offset it is UTC."""
Status = Literal["running", "finished", "stopped", "failed", "lost"]
StopReason = Literal["user", "pruned", "max_seconds", "own_max_seconds"]
"""Who stopped a run: somebody's Ctrl-C, a pruner, the time that its sweep has, or its own."""


class ParamValue(TypedDict):
    """One value of the flattened config: its dotted name, and a number where it is one."""

    name: Name
    value: str | None
    number: float | None


class UsedComponent(TypedDict):
    """A component in use, and the distribution that gave it."""

    kind: Name
    name: Name
    distribution: str | None
    version: str | None
    source: str | None
    """Hash of the source that made it; None in older journals."""


class Parent(TypedDict):
    """Weights of an earlier run that a param names."""

    param: Name
    run_id: Id
    weights_id: str | None
    sha256: str | None


@dataclass(frozen=True)
class Record:
    """An event of a run as a line of its journal; each class below is a kind of it."""

    record: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ()
    """The fields that tell it from others of its kind in a journal; none where it comes once."""


@dataclass(frozen=True)
class RunStart(Record):
    """Everything known before training."""

    record: ClassVar[str] = "run_start"
    run_id: Id
    started_at: Moment
    experiment: str
    fingerprint: str
    seed: int
    engine: str
    """Its name alone: keras, fast or packed."""
    device: str
    host: str
    pid: int
    monitor: str
    mode: Literal["min", "max"]
    overrides: Sequence[str]
    config: Mapping[str, Any]
    params: Sequence[ParamValue]
    components: Sequence[UsedComponent]
    versions: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    """identity, task, outputs, names, raw_shape, input_shape; rows of train, val and test; of
    tables `reading`: how they were read."""
    sweep_id: str | None = None
    sweep_jobs: int | None = None
    """How many jobs the sweep has, those that an earlier command trained among them; None where
    each job is a process of its own, which does not know."""
    resumed_from: str | None = None
    """The run whose epochs this one begins with."""
    extended_from: str | None = None
    """The finished run that this one goes on from for more epochs; it begins with those."""
    extension: str | None = None
    """Of an extended run "exact", or why it may differ from one of so many epochs."""
    replay_of: str | None = None
    """The run that this one repeats, to see whether the losses are the same."""
    modes: Mapping[str, Literal["min", "max"]] = field(default_factory=dict)
    """Metric, without its split -> which end of it is better. Empty where no recipe was built and
    in older journals: the warehouse then goes by the names."""
    parents: Sequence[Parent] = field(default_factory=list)
    git_commit: str | None = None
    git_dirty: bool | None = None
    engine_reason: str | None = None
    """Why that engine and no other; of a packed run, its pack."""
    imported_from: str | None = None
    """The address at another tracker that it was imported from. Imported again when its source
    has changed, the newer journal replaces the one before, ended though it is."""
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class EpochEnd(Record):
    """One epoch, counted from 1; `metrics` maps a split ("train", "val") to name -> value."""

    record: ClassVar[str] = "epoch_end"
    key: ClassVar[tuple[str, ...]] = ("epoch",)
    run_id: Id
    epoch: int
    loss: float
    val_loss: float | None
    learning_rate: float
    seconds: float
    """In a pack, the run's share of the time."""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    wall_seconds: float | None = None
    """From its begin to its end, whatever was done for neighbours; None in older journals."""

    def value(self, metric: str) -> float | None:
        """The value of a metric, named as a monitor is: loss, val_loss, accuracy, val_accuracy."""
        if metric == "loss":
            return self.loss
        if metric == "val_loss":
            return self.val_loss
        split = "val" if metric.startswith("val_") else "train"
        return self.metrics.get(split, {}).get(metric.removeprefix("val_"))


def by_split(values: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """An epoch's values as `EpochEnd.metrics` has them: of names with `val_` the split is val.

    The losses, which have fields of their own, are left out.
    """
    metrics: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        if name not in ("loss", "val_loss"):
            split = "val" if name.startswith("val_") else "train"
            metrics.setdefault(split, {})[name.removeprefix("val_")] = value
    return metrics


@dataclass(frozen=True)
class Steps(Record):
    """The training loss inside of an epoch, written before its `epoch_end`; a place for each step.

    A step counts the batches of the epoch that are done, from 1; its loss is the mean of the
    batches since the step before.
    """

    record: ClassVar[str] = "steps"
    key: ClassVar[tuple[str, ...]] = ("epoch",)
    run_id: Id
    epoch: int
    step: Sequence[int]
    loss: Sequence[float]


@dataclass(frozen=True)
class SystemUsage(Record):
    """What the process and its machine used while the run trained; a place for each sample.

    It is the process's whatever trains in it: of runs that train together each has the same.
    """

    record: ClassVar[str] = "system"
    key: ClassVar[tuple[str, ...]] = ("sample",)
    run_id: Id
    sample: int
    """The number of its first sample in the run, from 1."""
    seconds: Sequence[float]
    """Since the run began."""
    runs_together: Sequence[int]
    cpu_cores: Sequence[float]
    """Seconds of processor a second since the sample before: 2.0 is two cores at work."""
    memory_bytes: Sequence[int]
    machine_cpu_share: Sequence[float | None]
    """None in the first sample."""
    machine_free_bytes: Sequence[int]
    gpu_share: Sequence[float | None]
    gpu_memory_bytes: Sequence[int | None]


@dataclass(frozen=True)
class Weights(Record):
    """A reference to saved weights; its file was fsynced before this record was written.

    `uri` is relative to the results folder. `role` is "best", "checkpoint" or "graph".
    """

    record: ClassVar[str] = "weights"
    key: ClassVar[tuple[str, ...]] = ("weights_id",)
    run_id: Id
    weights_id: str
    epoch: int
    role: str
    uri: Uri
    sha256: str
    bytes: int
    format: str


@dataclass(frozen=True)
class Evaluation(Record):
    """The kept weights evaluated on one split: metric name -> value, the loss among them."""

    record: ClassVar[str] = "evaluation"
    key: ClassVar[tuple[str, ...]] = ("split",)
    run_id: Id
    split: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Confusion(Record):
    """How often rows of one class were taken for another; pairs that never occur are left out.

    `actual` and `predicted` are places in `classes`. A task of several labels has the two
    classes "label" and "not label" for each.
    """

    record: ClassVar[str] = "confusion"
    key: ClassVar[tuple[str, ...]] = ("split",)
    run_id: Id
    split: str
    classes: Sequence[str]
    actual: Sequence[int]
    predicted: Sequence[int]
    rows: Sequence[int]


@dataclass(frozen=True)
class Curves(Record):
    """The points of curves, a place in every list for each curve of a class.

    `runner.evaluate.metrics.Curve` says what x and y are.
    """

    record: ClassVar[str] = "curves"
    key: ClassVar[tuple[str, ...]] = ("split",)
    run_id: Id
    split: str
    curve: Sequence[str]
    class_name: Sequence[str]
    x: Sequence[Sequence[float]]
    y: Sequence[Sequence[float]]
    threshold: Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class Tensors(Record):
    """Figures of the tensors of saved weights, a place in every list for each tensor."""

    record: ClassVar[str] = "tensors"
    key: ClassVar[tuple[str, ...]] = ("weights_id",)
    run_id: Id
    weights_id: str
    layer: Sequence[str]
    name: Sequence[str]
    shape: Sequence[Sequence[int]]
    dtype: Sequence[str]
    parameters: Sequence[int]
    mean: Sequence[float]
    std: Sequence[float]
    l2: Sequence[float]
    """The Euclidean norm."""
    zero_share: Sequence[float]
    """The share of parameters that are exactly zero."""
    dead_units: Sequence[int | None]
    """Places of the last axis where all parameters are zero; None for fewer than two axes."""


@dataclass(frozen=True)
class Layers(Record):
    """The layers of a run's model in their order, a place in every list for each layer.

    A layer inside of a nested model is named by the whole path, `inner/dense`.
    """

    record: ClassVar[str] = "layers"
    run_id: Id
    name: Sequence[str]
    class_name: Sequence[str]
    output_shape: Sequence[Sequence[int | None] | None]
    """Of one example, without the batch axis; None where Keras does not know."""
    parameters: Sequence[int]
    inputs: Sequence[Sequence[str]]
    """The layers that feed it, where the model is a graph."""
    config: Sequence[str]
    """As JSON."""


@dataclass(frozen=True)
class Artifact(Record):
    """A reference to a file that came of a run; it was fsynced before this was written.

    `kind` is "picture" (the model, SVG) or "predictions" (Parquet), or of what a script or a
    component leaves: "source", "figure", "table", "file". `uri` is relative to the results folder.
    """

    record: ClassVar[str] = "artifact"
    key: ClassVar[tuple[str, ...]] = ("kind", "uri", "name", "epoch")
    run_id: Id
    kind: str
    uri: Uri
    sha256: str
    bytes: int
    name: str | None = None
    """What its maker calls it."""
    epoch: int | None = None
    """After which epoch it was made, where that is known."""


@dataclass(frozen=True)
class EvaluatorCall(Record):
    """An evaluator has looked at a model; its figures, tables and files are artifacts before it.

    `metrics` maps a split to name -> value. Of one that failed, `error` is one sentence.
    """

    record: ClassVar[str] = "evaluator"
    key: ClassVar[tuple[str, ...]] = ("evaluator", "epoch", "training")
    run_id: Id
    evaluator: Name
    epoch: int
    """Of the weights that it was given."""
    training: bool
    """Whether the run was to go on; else it saw the kept weights."""
    seconds: float
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    artifacts: int = 0
    """How many it left behind."""
    error: str | None = None
    traceback: str | None = None

    def named_metrics(self) -> dict[str, dict[str, float]]:
        """The metrics as `evaluations` has them, called `evaluator.name`; by split."""
        return {
            split: {f"{self.evaluator}.{name}": value for name, value in metrics.items()}
            for split, metrics in self.metrics.items()
        }


@dataclass(frozen=True)
class FileElsewhere(Record):
    """A file of an imported run that stays where it is: it was not read, and may be gone."""

    record: ClassVar[str] = "file_elsewhere"
    key: ClassVar[tuple[str, ...]] = ("path",)
    run_id: Id
    path: str
    """Its name within the run."""
    address: str
    bytes: int | None = None


@dataclass(frozen=True)
class EvaluationAdded(Record):
    """Kept weights evaluated once more, on other data; it begins a journal of its own.

    `evaluation`, `confusion`, `curves`, and what evaluators leave, follow it there.
    """

    record: ClassVar[str] = "judgement"
    entry_id: Id
    run_id: Id
    entered_at: Moment
    host: str
    weights_id: str
    source: str
    """The overrides, as typed; "its own data" where there were none."""
    data: Mapping[str, Any]
    """identity of the data, and rows of each part that was evaluated."""
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Dataset(Record):
    """A first look at the data, in the journal of the first run that trains on them.

    Where that run is purged, one of care has it, for the next that trained on them. The lists
    have one item for each column, or none.
    """

    record: ClassVar[str] = "dataset"
    key: ClassVar[tuple[str, ...]] = ("identity",)
    run_id: Id
    identity: str
    name: str
    """The component that read them."""
    source: str | None
    query: str | None
    rows: int
    columns: Sequence[str]
    types: Sequence[str]
    missing: Sequence[int]
    distinct_values: Sequence[int | None]
    min: Sequence[str | None]
    max: Sequence[str | None]
    mean: Sequence[float | None]
    std: Sequence[float | None]
    q25: Sequence[float | None]
    q50: Sequence[float | None]
    q75: Sequence[float | None]


@dataclass(frozen=True)
class Replay(Record):
    """How a replay's losses compare with the run that it repeats."""

    record: ClassVar[str] = "replay"
    run_id: Id
    replay_of: str
    equal: bool
    epochs: int
    """How many epochs were compared."""
    epoch: int | None = None
    """The first epoch that differs."""
    name: str | None = None
    """What differs in it: loss or val_loss, or epochs where one run has more."""
    expected: float | None = None
    actual: float | None = None


@dataclass(frozen=True)
class RunEnd(Record):
    """How the run ended; `error` is one sentence, `traceback` the whole text if it failed."""

    record: ClassVar[str] = "run_end"
    run_id: Id
    status: Status
    ended_at: Moment
    seconds: float
    epochs: int
    best_epoch: int | None
    error: str | None = None
    traceback: str | None = None
    wall_seconds: float | None = None
    """As in `EpochEnd`."""
    reason: StopReason | None = None
    """Of a stopped run, who stopped it; None in older journals."""

    @classmethod
    def finished(
        cls, run_id: str, seconds: float, epochs: int, best_epoch: int | None = None
    ) -> RunEnd:
        """The end, now, of a run that trained all its epochs."""
        return cls(run_id, "finished", now(), seconds, epochs, best_epoch)

    @classmethod
    def stopped(
        cls,
        run_id: str,
        sentence: str,
        seconds: float,
        epochs: int,
        best_epoch: int | None = None,
        reason: StopReason = "user",
    ) -> RunEnd:
        """The end, now, of a run that somebody stopped; sentence: who, when and why."""
        return cls(run_id, "stopped", now(), seconds, epochs, best_epoch, sentence, reason=reason)

    @classmethod
    def failed(
        cls,
        run_id: str,
        error: BaseException | str,
        seconds: float = 0.0,
        epochs: int = 0,
        best_epoch: int | None = None,
    ) -> RunEnd:
        """The end, now, of a run that failed: with a sentence, or by what was raised."""
        if isinstance(error, str):
            sentence, trace = error, None
        else:
            sentence, trace = in_one_line(error), trace_of(error)
        return cls(run_id, "failed", now(), seconds, epochs, best_epoch, sentence, trace)


@dataclass(frozen=True)
class Care(Record):
    """Something done to kept runs afterwards; it travels in a journal of its own."""

    record: ClassVar[str] = "care"
    key: ClassVar[tuple[str, ...]] = ("entry_id",)
    entry_id: Id
    action: Literal[
        "tag", "untag", "note", "delete", "undelete", "collect", "alias", "unalias", "purge"
    ]
    entered_at: Moment
    run_id: Id | None = None
    text: str | None = None
    """The tag, the note, the alias, or the uri of the weights file that was collected."""
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class SkippedRuns(Record):
    """Earlier runs that a sweep names and need not train, in a journal of care.

    The lists have one item for each of them.
    """

    record: ClassVar[str] = "skipped_runs"
    key: ClassVar[tuple[str, ...]] = ("entry_id",)
    entry_id: Id
    sweep_id: Id
    skipped_at: Moment
    run_id: Sequence[Id]
    job: Sequence[str]
    """The overrides of the job that names it."""
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class SearchBegun(Record):
    """A command that searches, in a journal of care; the same search may take several of them."""

    record: ClassVar[str] = "search"
    key: ClassVar[tuple[str, ...]] = ("entry_id",)
    entry_id: Id
    search_id: Id
    """Equal for commands that go on with one another: a hash of what is searched, and how."""
    sweep_id: Id
    begun_at: Moment
    sampler: Name
    objectives: Sequence[str]
    """Metrics, as `outcomes` has them; none where it is what the runs monitor."""
    space: Mapping[str, Any]
    """Dimension -> what it may be."""
    settings: Mapping[str, Any]
    """Those of `search.*`, and `fixed`: the overrides that all jobs have."""
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Suggestions(Record):
    """What a search tries next, recorded before anything of it is trained.

    The lists have one item for each suggestion.
    """

    record: ClassVar[str] = "suggestions"
    key: ClassVar[tuple[str, ...]] = ("entry_id",)
    entry_id: Id
    search_id: Id
    sweep_id: Id
    suggested_at: Moment
    batch: int
    """Counted from 1, as `number` is."""
    sampler: Name
    number: Sequence[int]
    job: Sequence[str]
    """The overrides of the job that tries it."""
    params: Sequence[str]
    """Dimension -> value, as JSON."""
    slot: Sequence[str]
    mean: Sequence[float | None]
    deviation: Sequence[float | None]
    prior: Sequence[float | None]
    evidence: Sequence[float | None]
    version: int = FORMAT_VERSION


OutputRecord = Evaluation | Confusion | Curves
"""Records of the outputs for one split; they stand in the journal of an added evaluation, too."""
OF_OUTPUTS = tuple(
    kind.record for kind in (*typing.get_args(OutputRecord), Artifact, EvaluatorCall)
)
KINDS: dict[str, type[Record]] = {kind.record: kind for kind in Record.__subclasses__()}
