"""An engine's events: records, and what becomes records once its files are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.components.types import Task
from runner.errors import RunnerError
from runner.journal.records import (
    Artifact,
    Dataset,
    EpochEnd,
    EvaluatorCall,
    Layers,
    OutputRecord,
    Replay,
    RunEnd,
    RunStart,
    Steps,
    SystemUsage,
    Tensors,
    Weights,
)
from runner.model import files
from runner.model.layers import Layer
from runner.record.contents import Content

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Kept:
    """Weights to be kept: tensors by name, and the model's graph where JSON can hold it."""

    run_id: str
    epoch: int
    role: str
    tensors: files.Tensors
    graph: str | None = None
    state: str | None = None
    """The rest of a checkpoint, as JSON; it travels inside the weights file."""
    owners: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """For the tensors that are weights of a layer: its name, and theirs in it."""
    layers: Sequence[Layer] = ()
    """The layers of the model, with its best weights."""


@dataclass(frozen=True)
class Predicted:
    """The outputs for one part, where they are to be kept: (rows, outputs), beside the targets."""

    run_id: str
    split: str
    task: Task
    targets: np.ndarray[Any, Any]
    outputs: np.ndarray[Any, Any]
    keys: np.ndarray[Any, Any] | None = None
    """What the rows are called, where that is known."""


@dataclass(frozen=True)
class Found:
    """A figure, table or file that a component leaves behind."""

    run_id: str
    content: Content
    epoch: int | None = None
    """After which epoch it was made, where that is known."""


@dataclass(frozen=True)
class Refused:
    """A job that cannot be built, for a reason that is the user's to mend; it never begins."""

    run_id: str
    error: RunnerError


Event = (
    RunStart
    | Steps
    | EpochEnd
    | OutputRecord
    | EvaluatorCall
    | Predicted
    | Found
    | Kept
    | RunEnd
    | Refused
)
RunRecord = (
    RunStart
    | Steps
    | SystemUsage
    | EpochEnd
    | OutputRecord
    | EvaluatorCall
    | Weights
    | Tensors
    | Layers
    | Artifact
    | Dataset
    | Replay
    | RunEnd
)
"""A line of a run's journal."""
OnEvent = Callable[[Event], None]
