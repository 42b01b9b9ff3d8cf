"""Sweephouse's public door: decorators for components, the nouns they use, and `run`.

A plugin is a module with decorated functions and one line in its pyproject.toml:

    [project.entry-points.runner]
    mine = "my_module"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.system import stops  # noqa: F401 - first: a Ctrl-C is heard while all else is imported

# isort: split
from runner.components.decorators import (
    architecture,
    augmentation,
    callback,
    dataset,
    evaluator,
    hookimpl,
    loss,
    metric,
    optimizer,
    package_files,
    preprocessing,
    pruner,
    regularizer,
    sampler,
    schedule,
)
from runner.components.part_names import part_named
from runner.components.search_types import (
    Curve,
    Dimension,
    History,
    Params,
    PastTask,
    Search,
    Space,
    Suggestion,
    Trial,
)
from runner.components.types import (
    ColumnProfile,
    Data,
    Findings,
    Input,
    Keeper,
    Profile,
    Recipe,
    RunWeights,
    ShapeFree,
    Source,
    SplitPlan,
    SplitRows,
    Splits,
    Stream,
    Summary,
    Task,
    Trained,
    Transform,
    Word,
)
from runner.data.labels import (
    AskedTask,
    Labels,
    is_number,
    labelled,
    numbers_or_text,
    targets_of,
)
from runner.data.missing import MissingLabel, keyed, missing_in
from runner.data.numbers import block_type, compact
from runner.data.parts import input_name
from runner.data.sources.column import Column
from runner.data.sources.columns import MISSING_WORDS
from runner.data.sources.database import Database
from runner.data.sources.extensions import load_extension
from runner.data.sources.files import (
    files_named,
    near_names,
    one_file,
    scan,
    with_plain_names,
)
from runner.data.sources.leavings import as_pattern, files_below
from runner.data.sources.numpy_file import numpy_arrays
from runner.data.sources.query import Query, read_query
from runner.data.sources.reading import Options, Reading
from runner.data.sources.source import RowSource, SourceKind, Wording, find_source
from runner.data.sources.typed import option
from runner.errors import DataError, ModelError, RunnerError, choices
from runner.system.databases import (
    CLOSED,
    as_one_file,
    identifier,
    literal,
    refuse_effects,
    shut,
    spill_folder,
)
from runner.system.optuna import quiet_optuna
from runner.system.paths import from_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.backend.devices import gradient_of
    from runner.components.decorators import Function
    from runner.data.heads import outputs_by_head, targets_by_head
    from runner.evaluate.metrics import evaluate_outputs, names_of, predicted_of
    from runner.sweep.result import Result
    from runner.tracking.keras import track_keras
    from runner.tracking.run import track

    TrackKeras = track_keras

__all__ = [
    "CLOSED",
    "MISSING_WORDS",
    "AskedTask",
    "Column",
    "ColumnProfile",
    "Curve",
    "Data",
    "DataError",
    "Database",
    "Dimension",
    "Findings",
    "History",
    "Input",
    "Keeper",
    "Labels",
    "MissingLabel",
    "ModelError",
    "Options",
    "Params",
    "PastTask",
    "Profile",
    "Query",
    "Reading",
    "Recipe",
    "RowSource",
    "RunWeights",
    "RunnerError",
    "Search",
    "ShapeFree",
    "Source",
    "SourceKind",
    "Space",
    "SplitPlan",
    "SplitRows",
    "Splits",
    "Stream",
    "Suggestion",
    "Summary",
    "Task",
    "TrackKeras",
    "Trained",
    "Transform",
    "Trial",
    "Word",
    "Wording",
    "architecture",
    "as_one_file",
    "as_pattern",
    "augmentation",
    "block_type",
    "callback",
    "choices",
    "compact",
    "dataset",
    "evaluate_outputs",
    "evaluator",
    "files_below",
    "files_named",
    "find_source",
    "from_home",
    "gradient_of",
    "hookimpl",
    "identifier",
    "input_name",
    "is_number",
    "keyed",
    "labelled",
    "literal",
    "load_extension",
    "loss",
    "metric",
    "missing_in",
    "names_of",
    "near_names",
    "numbers_or_text",
    "numpy_arrays",
    "one_file",
    "optimizer",
    "option",
    "outputs_by_head",
    "package_files",
    "part_named",
    "predicted_of",
    "preprocessing",
    "pruner",
    "quiet_optuna",
    "read_query",
    "refuse_effects",
    "register",
    "regularizer",
    "run",
    "sampler",
    "scan",
    "schedule",
    "shut",
    "spill_folder",
    "sweep",
    "targets_by_head",
    "targets_of",
    "track",
    "with_plain_names",
]


_LATE = {
    "TrackKeras": ("runner.tracking.keras", "track_keras"),
    "evaluate_outputs": ("runner.evaluate.metrics", "evaluate_outputs"),
    "gradient_of": ("runner.backend.devices", "gradient_of"),
    "names_of": ("runner.evaluate.metrics", "names_of"),
    "outputs_by_head": ("runner.data.heads", "outputs_by_head"),
    "predicted_of": ("runner.evaluate.metrics", "predicted_of"),
    "targets_by_head": ("runner.data.heads", "targets_by_head"),
    "track": ("runner.tracking.run", "track"),
}
"""What few have need of, and takes time to import: its module, and its name there."""


def __getattr__(name: str) -> object:
    """Find what few plugins have need of, when it is asked for."""
    import importlib

    if name == "sweep":
        return importlib.import_module("runner.sweep")  # which can be called
    if name in _LATE:
        module, its_name = _LATE[name]
        return getattr(importlib.import_module(module), its_name)
    raise AttributeError(f"module 'runner' has no attribute '{name}'")


def register(component: Function) -> Function:
    """Add a decorated function of a notebook or a script to the components of this process.

    It may be used as a decorator above the component's own. A function that is registered again
    takes the place of the one before. Runs record the distribution "notebook" for it, and a hash
    of its source, which their fingerprint covers.

    Raises PluginError for what is no component, and where a plugin has one of that name.
    """
    from runner.components.loose import add_function
    from runner.components.registry import load

    add_function(load(), component)
    return component


def run(overrides: Sequence[str] = ()) -> Result:
    """Train one run as `python -m runner <overrides>` would, from Python or a notebook.

    Raises RunnerError where the command line would exit with 2; a run that fails or is stopped
    returns a Result that says so. In a notebook it shows itself; it has `.run_id`, `.best`,
    `.evaluations`, `.curves()` and `.model()`.
    """
    from runner.sweep.sweep import run_overrides

    return run_overrides([overrides] if isinstance(overrides, str) else list(overrides))
