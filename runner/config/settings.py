"""Every key of the config that is no component: its type, its sentence, what it bears upon."""
# ruff: noqa: RUF009 - `_setting` is `dataclasses.field`

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from runner.components.search_types import Search
from runner.components.signature import Model, Param, model_of
from runner.components.types import SplitPlan

ClassWeight = (
    Literal["balanced"] | dict[str | int, float | Literal["balanced"] | dict[str | int, float]]
)
"""Factors by class; of several heads, either by head."""


def _setting(default: Any, sentence: str, *, outcome: bool = True, data: bool = True) -> Any:
    """A key of the config.

    sentence: what the help says of it.
    outcome: False for one that says where or how a run is trained, not what comes out: it is no
        part of the fingerprint.
    data: False for one that the prepared data do not depend on; runs that differ in it share
        them. One that says neither keeps apart what might have been shared: time, and no more.
    """
    about = {"sentence": sentence, "outcome": outcome, "data": data and outcome}
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True)
class SplitSettings(SplitPlan):
    """Shares of the rows that are held out, and how they are drawn."""

    val: Annotated[float, Ge(0), Lt(1)] = 0.2
    test: Annotated[float, Ge(0), Lt(1)] = 0.2
    seed: Annotated[int, Ge(0)] = 0
    by: str | None = None
    folds: Annotated[int, Ge(2)] | None = None
    fold: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class HeadSettings:
    """What one of several heads has of its own."""

    loss: str | dict[str, Any] | None = None
    """A loss by name, or {name: ..., param: ...}; null: what `loss` says."""
    weight: Annotated[float, Ge(0)] = 1.0
    """What its loss counts in the run's."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def whole(given: Any) -> Any:
            is_number = isinstance(given, int | float) and not isinstance(given, bool)
            return {"weight": given} if is_number else given

        return core_schema.no_info_before_validator_function(whole, handler(source))


@dataclass(frozen=True)
class SweepSettings:
    """Limits of a --multirun."""

    max_jobs: Annotated[int, Gt(0)] = 100_000
    max_seconds: Annotated[float, Gt(0)] | None = None
    max_failures: Annotated[int, Gt(0)] | None = None


@dataclass(frozen=True)
class SearchSettings:
    """How `hydra/sweeper=search` looks for the best, and what any sweep stops early."""

    trials: Annotated[int, Gt(0)] = 50
    sampler: str | dict[str, Any] = "neural"
    pruner: str | dict[str, Any] = "none"
    space: str | dict[str, Any] | None = None
    objectives: list[str] | None = None
    require: str | list[str] | None = None
    history: str = "here"
    batch: Annotated[int, Gt(0)] | None = None
    seed: Annotated[int, Ge(0), Lt(2**32)] = 0
    confirm: Annotated[int, Ge(0)] = 3


@dataclass(frozen=True)
class Settings:
    """The keys of the config that are no component."""

    seed: Annotated[int, Ge(0), Lt(2**32)] = _setting(
        0, "initial weights, order of batches, random masks", data=False
    )
    epochs: Annotated[int, Gt(0)] = _setting(20, "how many at most", data=False)
    batch_size: Annotated[int, Gt(0), Search(values=(16, 32, 64, 128, 256))] = _setting(
        32, "rows a step"
    )
    class_weight: ClassWeight | None = _setting(
        None, "balanced: all classes count the same in the loss; or {class: factor}; by head"
    )
    heads: dict[str, HeadSettings] | None = _setting(
        None,
        "of several heads: {kind: {loss: focal, weight: 0.5}}, or a weight alone, {kind: 0.5}; "
        "null: each counts 1",
        data=False,
    )
    targets: Literal["standardize", "raw"] = _setting(
        "standardize",
        "of a regression; standardize: learned in deviations, told in the data's units; raw: as "
        "they are",
        data=False,
    )
    task: Literal["auto", "reconstruction", "contrastive"] = _setting(
        "auto",
        "auto: what the dataset says; reconstruction: the features are the targets; contrastive: "
        "two augmented views of an example are to be alike",
    )
    embedding: Annotated[int, Gt(0), Search(values=(16, 32, 64, 128))] = _setting(
        64, "numbers that task=contrastive makes of an example"
    )
    split: SplitSettings = _setting(
        SplitSettings(),
        "shares held out; by: null, hash or hash:, group:, time:, column:COLUMN; folds, fold",
    )
    monitor: str | None = _setting(
        None,
        "the metric that judges a run; null: val_loss, or loss without a val split",
        data=False,
    )
    mode: Literal["auto", "min", "max"] = _setting(
        "auto", "whether less or more of it is better", data=False
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = _setting(
        "float32", "Keras dtype policy", data=False
    )
    deterministic: bool = _setting(
        False, "TensorFlow's op determinism, on for the whole process", data=False
    )
    max_seconds: Annotated[float, Gt(0)] | None = _setting(
        None,
        "after so much of training it ends with the epoch, its best weights kept; null: never",
        outcome=False,
    )
    checkpoint: Annotated[int, Gt(0)] | None = _setting(
        None, "every so many epochs keep what `resume` needs; null: never", outcome=False
    )
    limit_batches: Annotated[int, Gt(0)] | None = _setting(
        None, "at most so many batches an epoch and a split"
    )
    print_every: Annotated[int, Gt(0)] = _setting(
        1, "a line of losses every so many epochs", outcome=False
    )
    record_steps: Annotated[int, Gt(0)] | None = _setting(
        None,
        "record the training loss every so many batches of an epoch; null: never",
        outcome=False,
    )
    record_system: bool = _setting(
        True,
        "sample processors, memory and GPU while it trains, at most once a second",
        outcome=False,
    )
    debug: Literal["summary", "overfit"] | None = _setting(
        None, "summary: print the model and stop; overfit: train on one batch"
    )
    evaluate: Literal["full", "plain"] = _setting(
        "full",
        "full: judge val and test by all that the task knows; plain: by metrics alone",
        outcome=False,
    )
    keep_predictions: Literal["val", "test", "both"] | None = _setting(
        None, "keep the outputs for every row of val, test or both; null: none", outcome=False
    )
    max_artifact: Annotated[int, Gt(0)] = _setting(
        100_000_000,
        "bytes of a figure, table or file that is kept; a larger one is left out, with a line",
        outcome=False,
    )
    engine: str = _setting(
        "auto",
        "what trains: packed (many runs as one program), fast (an epoch as one), keras "
        "(model.fit); auto: packed for several runs, else fast",
        outcome=False,
    )
    strict: bool = _setting(
        False,
        "an engine that cannot train a run is an error, not a reason to take another",
        outcome=False,
    )
    xla: Literal["auto", "always", "never"] = _setting(
        "auto",
        "compile the training of packs; auto: where the work is enough to pay for it",
        outcome=False,
    )
    kernels: Literal["auto", "plain"] = _setting(
        "auto",
        "plain: TensorFlow's own; auto: oneDNN's convolutions and pooling where quicker",
        outcome=False,
    )
    device: str = _setting(
        "auto",
        "auto, cpu, gpu or gpu:N; gpus: of a sweep a part on each; all: each run on all of them",
        outcome=False,
    )
    results: str = _setting(
        "results", "the folder for warehouse, journals and weights", outcome=False
    )
    lake: str | None = _setting(
        None,
        "a team's warehouse in the place of the folder's: postgres://USER@HOST/DATABASE?data=...; "
        "null: what SWEEPHOUSE_LAKE names, if anything; none: no lake",
        outcome=False,
    )
    skip: Literal["auto", "finished", "nothing"] = _setting(
        "auto",
        "finished: do not train what is there already; auto: that, in a --multirun",
        outcome=False,
    )
    retry: Literal["all", "failed", "lost", "nothing"] = _setting(
        "all", "of what did not finish earlier, what skip=finished trains again", outcome=False
    )
    on_end: str | list[str] | None = _setting(
        None,
        "a command that gets the outcome as JSON on its standard input when the run, or the "
        "sweep as a whole, has ended",
        outcome=False,
    )
    sweep: SweepSettings = _setting(
        SweepSettings(),
        "max_jobs: a --multirun of more jobs than these is refused before it is planned; "
        "max_seconds, max_failures: after so much a sweep ends",
        outcome=False,
    )
    search: SearchSettings = _setting(
        SearchSettings(),
        "of hydra/sweeper=search: trials, sampler, space, objectives, require, history, batch, "
        "seed, confirm; pruner: of any sweep",
        outcome=False,
    )

    @property
    def quick_kernels(self) -> bool:
        """Whether the run is to have oneDNN's kernels, where there are any."""
        return self.kernels == "auto" and not self.deterministic


NAMES = frozenset(field.name for field in dataclasses.fields(Settings))
ABOUT: dict[str, str] = {
    field.name: field.metadata["sentence"] for field in dataclasses.fields(Settings)
}
"""The help's sentence about each key."""
OF_OUTCOME = [f.name for f in dataclasses.fields(Settings) if f.metadata["outcome"]]
"""The keys that determine what comes out of a run: part of its fingerprint."""
OF_DATA = [f.name for f in dataclasses.fields(Settings) if f.metadata["data"]]
"""The keys that the prepared data may depend on."""


def settings_params() -> list[Param]:
    """The root keys in the form that components' params have."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    return [
        Param(field.name, hints[field.name], field.default)
        for field in dataclasses.fields(Settings)
    ]


@functools.cache
def settings_model() -> Model:
    """The pydantic model that checks the root keys."""
    return model_of("config", settings_params())
