"""The types that components take and give: Data, Task, Splits, Stream, Recipe and others."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias

from runner.errors import DataError, PluginError, choices
from runner.system.terminal import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]
    Features = Array | dict[str, Array]
    Targets = Array | Any
    """One array; of a dataset with several heads a dict of them by name, until it is loaded."""
    Part: TypeAlias = "tuple[Features, Targets] | Stream"


class Place:
    """Marks a param that says where something lies, not what it is.

    It is no part of the fingerprint, and a relative path counts from where the user stands.
    """


class WholeNumber(int):
    """A whole number that is only computed with; arithmetic makes a plain one of it."""


class ShapeFree:
    """Marks a whole number that the model only computes with: `Annotated[int, ShapeFree()]`.

    Runs that differ in it then share one program, as those do that differ in a `float`. Without
    the mark a whole number counts as structure, as a count of units is. Where the model's code
    needs it after all, to branch or to make a shape, that is noticed, and it is structure again.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        if source is not int:
            said = getattr(source, "__name__", source)
            raise PluginError(f"ShapeFree marks an int, and here it marks {said}")
        return core_schema.no_info_after_validator_function(WholeNumber, handler(source))


class NumbersToo:
    """Marks text that may be given as a number, as the name of a column called 0 is in Python."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.str_schema(coerce_numbers_to_str=True)


Word = Annotated[str, NumbersToo()]
"""A name, or a word for nothing, that may look like a number."""
Source = Annotated[str, Place()]
"""A file, a pattern of files, or a URI without a password."""
TaskKind = Literal["classification", "binary", "multilabel", "regression", "heads"]
Per = Literal["row", "step", "pixel", "horizon", "value", "view"]
"""What has an output of its own: the row; each step or pixel of its features; each step after
them; each of its values, which are to be given back; or each of two views of it, which are to be
alike."""
PER = {"step": "step", "pixel": "pixel", "horizon": "step to come"}
Mode = Literal["min", "max"]
"""Which end of a metric is better."""


@dataclass(frozen=True)
class Task:
    """What is to be learned; loss, head and metrics follow from it."""

    kind: TaskKind
    """classification, binary, multilabel or regression."""
    outputs: int
    """Units of the head: classes, labels or values; 1 for a binary task."""
    names: tuple[str, ...] = ()
    """What the classes, labels or values are called, where the dataset says."""
    heads: Mapping[str, Task] = field(default_factory=dict, hash=False)
    """Of kind "heads": the task of each head by its name; `outputs` are those of all of them."""
    per: Per = "row"
    places: tuple[int, ...] = ()
    """How many of those there are in a row: (height, width) of pixels, (steps,); () for the row
    itself. Where the dataset leaves it out, the runner takes it from the targets."""

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            raise PluginError(f"a task's names are a tuple, and {self.names!r} is one text")
        # Names of files and folders may be no UTF-8, which nothing could write down.
        names = (as_text(name) if isinstance(name, str) else name for name in self.names)
        object.__setattr__(self, "names", tuple(names))

    @classmethod
    def classification(cls, classes: int, names: tuple[str, ...] = ()) -> Task:
        """One of `classes` classes; targets are integers 0 .. classes-1, shape (rows,)."""
        return cls("classification", classes, names)

    @classmethod
    def binary(cls, names: tuple[str, ...] = ()) -> Task:
        """Yes or no; targets are 0 or 1, shape (rows,)."""
        return cls("binary", 1, names)

    @classmethod
    def multilabel(cls, labels: int, names: tuple[str, ...] = ()) -> Task:
        """Any subset of `labels` labels; targets are 0 or 1, shape (rows, labels)."""
        return cls("multilabel", labels, names)

    @classmethod
    def regression(cls, values: int = 1, names: tuple[str, ...] = ()) -> Task:
        """`values` real numbers; targets of shape (rows,) or (rows, values)."""
        return cls("regression", values, names)

    @classmethod
    def segmentation(cls, classes: int, names: tuple[str, ...] = ()) -> Task:
        """One of `classes` classes for each pixel; targets are integers (rows, height, width)."""
        return cls("classification", classes, names, per="pixel")

    @classmethod
    def tagging(cls, classes: int, names: tuple[str, ...] = ()) -> Task:
        """One of `classes` classes for each step of a series or text; targets are integers of
        shape (rows, steps), -1 where a step is padding and counts for nothing.
        """
        return cls("classification", classes, names, per="step")

    @classmethod
    def forecast(cls, values: int = 1, names: tuple[str, ...] = ()) -> Task:
        """`values` real numbers for each of the steps to come; targets of shape (rows, steps) or
        (rows, steps, values).
        """
        return cls("regression", values, names, per="horizon")

    @classmethod
    def reconstruction(cls, shape: tuple[int, ...]) -> Task:
        """The features themselves, one example of this shape; targets of shape (rows, *shape)."""
        return cls("regression", shape[-1], per="value", places=tuple(shape[:-1]))

    @classmethod
    def contrastive(cls, size: int) -> Task:
        """`size` numbers for each of two views of an example, near each other and far from those
        of all others; there are no targets.
        """
        return cls("regression", size, per="view")

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of a model's outputs for one row: the places, then classes or values."""
        return (*self.places, self.outputs)

    @property
    def said(self) -> str:
        """The task in words, for sentences."""
        if self.per in ("value", "view"):
            return "reconstruction" if self.per == "value" else "contrastive"
        return self.kind if self.per == "row" else f"{self.kind} per {PER[self.per]}"

    def sized(self, targets: Array) -> Task:
        """The task with the places that these targets have."""
        if self.per in ("row", "view") or self.places:
            return self
        axes = {"pixel": 2, "step": 1, "horizon": 1, "value": targets.ndim - 2}[self.per]
        return replace(self, places=tuple(map(int, targets.shape[1 : 1 + axes])))

    @classmethod
    def of_heads(cls, heads: Mapping[str, Task]) -> Task:
        """Several things at once, a head for each: what Data makes of a dict of tasks."""
        return cls("heads", sum(int(task.outputs) for task in heads.values()), (), dict(heads))

    def record(self) -> dict[str, Any]:
        """The task as `run_start` has it; `recorded` reads it back."""
        heads = {name: head.record() for name, head in self.heads.items()}
        body: dict[str, Any] = {
            "task": self.kind,
            "outputs": self.outputs,
            "names": list(self.names),
        }
        body |= {"heads": heads} if heads else {}
        return body | ({} if self.per == "row" else {"per": self.per, "places": [*self.places]})

    @classmethod
    def recorded(cls, body: Mapping[str, Any]) -> Task:
        """The task of a run, from its record."""
        heads = {name: cls.recorded(head) for name, head in body.get("heads", {}).items()}
        return cls(
            body["task"],
            body["outputs"],
            tuple(body["names"]),
            heads,
            body.get("per", "row"),
            tuple(body.get("places", ())),
        )


@dataclass(frozen=True)
class Input:
    """One input of a model: what architectures are told of it."""

    shape: tuple[int, ...]
    """One example, without the batch axis; () where it is one value a row."""
    dtype: str = "float32"
    """What the model is given: float32, or int32 for codes."""
    vocabulary: int | None = None
    """For codes, how many there are: integers 0 .. vocabulary-1."""


@dataclass(frozen=True)
class SplitPlan:
    """The `split` part of the config: shares of the rows, and how they are drawn."""

    val: float
    """The share of the rows that validates."""
    test: float
    """The share that is held out to the end."""
    seed: int
    """What the split is drawn by; the run's own seed is another."""
    by: str | None = None
    """What decides: None (drawn, by class), hash, hash:COLUMN, group:COLUMN, time:COLUMN or
    column:COLUMN, whose values name the parts."""
    folds: int | None = None
    """Cross-validation: what is left of the test share in so many parts, one of them val."""
    fold: int = 0
    """The part that is val, counted from 0."""

    @property
    def column(self) -> str | None:
        """The column that `by` names, if it names one."""
        return (self.by or "").partition(":")[2] or None

    def assign(self, *keys: Array) -> Array:
        """The part of every row by its own content: int8, 0 train, 1 val, 2 test.

        keys: arrays of numbers, text or times, a row of each for every row of the data. Equal
        rows go into the same part, in every block, order, process and version; shares and folds
        hold on average.
        """
        from runner.components.row_hash import by_hash

        return by_hash(self, *keys)

    def named(self, values: Array) -> Array:
        """The part that each value of the column in `by` names: int8, 0 train, 1 val, 2 test.

        Raises DataError for values such as "extra", which name none.
        """
        from runner.components.part_names import parts_of_values

        return parts_of_values(self, values)

    def rest(self, rows: Sequence[int]) -> SplitPlan:
        """The split of the training rows of data that come in parts, and a line that says so.

        rows: how many there are of train, val and test. Where there is no val, this draws it from
        train; where there is one, it leaves train whole. It never draws a test part.
        Raises DataError where nothing is train, and where `by` or `folds` would go unused.
        """
        from runner.components.part_names import split_of_rest

        return split_of_rest(self, rows)


@dataclass(frozen=True)
class Stream:
    """A part of a dataset that is too large for memory, read block by block in every epoch."""

    rows: int
    """How many there are."""
    sample: tuple[Features, Targets]
    """Features and targets of some rows. It gives shapes and types, it is checked before anything
    trains, and in the training part preprocessing is fitted on it: there, up to 100,000 rows
    drawn over all of the part."""
    read: Callable[[np.random.Generator | None], Iterator[tuple[Features, Targets]]]
    """Begins a new pass over the part: blocks of (features, targets), of any number of rows, best
    some 64,000. The generator draws the order of the blocks; None asks for the source's own,
    the same in every pass. Rows inside of a block need no shuffling. A thread calls it."""


@dataclass(frozen=True)
class Data:
    """A dataset not yet split: features (rows, ...), targets as its task says."""

    features: Features
    """One array, or several by name: numbers, or text that the preprocessing makes numbers of."""
    targets: Targets
    """Numbers, a row each where they have several columns; of several heads a dict of arrays."""
    task: Task | Any
    """What is to be learned of them; of several heads a dict of tasks by the same names."""
    columns: Mapping[str, Array] = field(default_factory=dict)
    """Further values of every row by which `split.by` may divide: keys, groups, times."""
    weights: Array | None = None
    """How much each row counts in the training loss, (rows,)."""
    vocabulary: Mapping[str, int] = field(default_factory=dict)
    """The inputs that are codes, integers 0 .. n-1, with their n; other integers are numbers.
    Where features are one array, its name is "features"."""
    part: Array | None = None
    """The part of every row, where the source says it: 0 train, 1 val, 2 test. Where it says no
    val, that is drawn from train."""
    feature_names: Sequence[str] = ()
    """Of a table that is one array, what its columns are called."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """How a table was read, as JSON takes it: recorded with the run, and offered as `trained` to
    whoever reads rows for its model."""
    keys: Array | None = None
    """What every row is called, (rows,): the file or the key that it came from, where there is
    one. Predictions that are kept have it, and evaluators are told it."""


@dataclass(frozen=True)
class Splits:
    """A dataset in its parts, each (features, targets) or a Stream; val and test may be None."""

    train: Part
    """What is trained on; preprocessing sees nothing else."""
    val: Part | None
    """What each epoch is judged by; without it, the training loss judges."""
    test: Part | None
    """What the kept weights are evaluated on when training is over."""
    task: Task | Any
    """As in Data, and so the targets of every part."""
    weights: Array | None = None
    """How much each training row counts in the loss, (rows,); not for a Stream."""
    vocabulary: Mapping[str, int] = field(default_factory=dict)
    """As in Data."""
    feature_names: Sequence[str] = ()
    """As in Data."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """As in Data."""


@dataclass(frozen=True)
class Summary:
    """What the targets of the training split are, for a loss or a metric that goes by it."""

    rows: int
    """How many rows were looked at: all of the split, or of a Stream its sample."""
    counts: tuple[int, ...] = ()
    """Rows of each class by its number; of a binary task those of no and of yes; of several
    labels those that have each; none for a regression."""
    mean: tuple[float, ...] = ()
    """Of each of a regression's values; none for other tasks."""
    std: tuple[float, ...] = ()
    """The standard deviation of each of a regression's values."""


@dataclass(frozen=True)
class Trained:
    """What a run that is evaluated knows of its data."""

    task: Task
    """What its labels were to it."""
    reading: Mapping[str, Any]
    """What its dataset gave as `Data.reading`; empty in older runs."""


@dataclass(frozen=True)
class ColumnProfile:
    """What one column of a dataset holds; None where that has no meaning or is not known."""

    name: str
    type: str
    missing: int
    distinct: int | None = None
    """How many values there are, in a large dataset about."""
    min: str | None = None
    max: str | None = None
    mean: float | None = None
    std: float | None = None
    q25: float | None = None
    q50: float | None = None
    q75: float | None = None


@dataclass(frozen=True)
class Profile:
    """A first look at a dataset, taken once for its identity."""

    rows: int
    columns: tuple[ColumnProfile, ...] = ()
    source: str | None = None
    """Where it came from, without a password."""
    query: str | None = None
    label: tuple[str, ...] = ()
    """The columns that are to be predicted."""
    classes: Mapping[str, int] = field(default_factory=dict)
    """Class -> rows, for a classification."""


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split as evaluators get them: as the dataset gave them, a row each."""

    features: Features
    """(rows, ...), or arrays by name; the model takes them as they are."""
    targets: Array
    """(rows,) or (rows, values)."""
    columns: Mapping[str, Array] = field(default_factory=dict)
    """Values of every row that the model does not see: `Data.columns`."""
    feature_names: Sequence[str] = ()
    """Of a table that is one array, what its columns are called."""
    keys: Array | None = None
    """What every row is called, (rows,): `Data.keys`, or its place in the data as the dataset gave
    them, counted from 0; None where the dataset divides them itself."""

    def column(self, name: str) -> Array:
        """The values of one column, (rows,), by its name; DataError where there is none."""
        features = self.features if isinstance(self.features, dict) else {}
        found = {**features, **self.columns}
        for place, one in enumerate(self.feature_names):
            if not features:
                found.setdefault(one, self.features[:, place])  # type: ignore[index]
        found |= {key.replace("\N{DIVISION SLASH}", "/"): array for key, array in found.items()}
        if name not in found or found[name].ndim != 1:
            single = [key for key, array in found.items() if array.ndim == 1]
            have = choices(name, single) if single else "the data have none"
            raise DataError(f"there is no column '{name}' with a value a row: {have}")
        return found[name]


@dataclass(frozen=True)
class Findings:
    """What an evaluator found, each thing by its name; all of it is kept with the run."""

    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Split -> metric -> value."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Of Matplotlib or Altair, or SVG as text."""
    tables: Mapping[str, Any] = field(default_factory=dict)
    """DataFrames, Arrow tables, columns by name, or lists of dicts."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Files, of which copies are kept."""


class Keeper(Protocol):
    """What keeps what a component leaves behind for its run: the argument `run`.

    A thing is stored once by its content, and its record is in the run's journal. What is too
    large (`max_artifact`), or is a figure that cannot be drawn, is told in a line, and the run
    goes on.
    """

    def figure(self, figure: Any, name: str = "figure", epoch: int | None = None) -> None:
        """Keep a figure of Matplotlib or Altair, or SVG as text."""

    def table(self, frame: Any, name: str = "table", epoch: int | None = None) -> None:
        """Keep a table as Parquet: a DataFrame, columns by name, or a list of dicts."""

    def artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        kind: str = "file",
        epoch: int | None = None,
    ) -> None:
        """Keep a copy of a file."""


class Nowhere:
    """A Keeper that keeps nothing: there is no run."""

    def figure(self, figure: Any, name: str = "figure", epoch: int | None = None) -> None:
        """Keep nothing."""

    def table(self, frame: Any, name: str = "table", epoch: int | None = None) -> None:
        """Keep nothing."""

    def artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        kind: str = "file",
        epoch: int | None = None,
    ) -> None:
        """Keep nothing."""


@dataclass(frozen=True)
class Transform:
    """A preprocessing that makes codes: its function, and how many codes each input has then."""

    function: Callable[[Any], Any]
    """From a batch of features to the transformed batch, as without a Transform."""
    vocabulary: Mapping[str, int]
    """Input -> codes, for each input that is codes from then on."""


@dataclass
class Recipe:
    """What is about to be compiled, as regularizers receive and return it."""

    model: keras.Model
    """Not compiled yet; the head that the task asks for comes on top of it later."""
    loss: keras.losses.Loss | Callable[[Any, Any], Any] | dict[str, Any]
    """Of the outputs with their head, probabilities or plain values; of several heads a loss for
    each, by its name."""
    optimizer: keras.optimizers.Optimizer
    """With its schedule, if that is one of Keras'."""
    metrics: list[Any] = field(default_factory=list)
    """As `compile` takes them."""
    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)
    """Those of the schedule and of the architecture; the config's own come later."""
    unfreezes: bool = False
    """Whether a callback may unfreeze layers: their weights then get optimizer state, too."""
    modes: dict[str, Mode] = field(default_factory=dict)
    """Metric, without its split -> which end of it is better, as far as that is stated."""
    monitor: str = ""
    """The metric by which epochs are ranked, as the recipe calls it; the runner sets it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dataclass_fields__:
            raise PluginError(
                f"a recipe has no '{name}': {choices(name, self.__dataclass_fields__)}"
            )
        super().__setattr__(name, value)


@dataclass(frozen=True)
class RunWeights:
    """The kept weights of an earlier run: what `run:<id>`, or `@<alias>`, gives such a param.

    Annotate a param `RunWeights | Path | None`, say, and the runner looks the run up in the
    warehouse before it calls the component, and records where the weights came from.
    """

    run_id: str
    """The whole id, once the runner has looked it up."""
    weights_id: str = ""
    """Their row in the table `weights`."""
    path: Path = Path()
    """The safetensors file: the model's weights of its best epoch, by their Keras path."""
    sha256: str = ""
    """Of that file; it stands in the fingerprint."""
    load: Callable[[], keras.Model] | None = field(default=None, compare=False, repr=False)

    def model(self) -> keras.Model:
        """The run's trained model; it takes raw rows, as `restore` gives it."""
        assert self.load is not None, "the runner has not looked the run up"
        return self.load()

    def __str__(self) -> str:
        return f"run:{self.run_id}"

    @classmethod
    def said(cls, value: Any) -> RunWeights:
        """What `run:<id>` or `@<alias>` in a config means; ValueError for anything else."""
        if isinstance(value, RunWeights):
            return value
        if isinstance(value, str) and value.startswith(("run:", "@")) and value[-1] not in ":@":
            return cls(value.removeprefix("run:"))
        raise ValueError("give run:<id>, an earlier run's id or either end of it, or @<alias>")

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.said)
