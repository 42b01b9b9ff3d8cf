"""Kept weights evaluated on other data, for `python -m runner evaluate`."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import warehouse
from runner.components.registry import load as load_plugins
from runner.components.types import Data, SplitRows, Splits, Stream, Task, Trained
from runner.config.compose import override_of
from runner.config.config import Config, config_of
from runner.data.class_weights import labels_of
from runner.data.heads import DOT, outputs_by_head, targets_by_head
from runner.data.identity import data_identity
from runner.data.parts import joined
from runner.data.prepare import load, split
from runner.data.prepare import parts as data_parts
from runner.data.rows import Lazy, raw_rows, rows_at, rows_of_part
from runner.engines.evaluators import call, offers_of
from runner.engines.outputs import outputs_of, records_of
from runner.errors import ConfigError, DataError, ModelError, choices
from runner.evaluate.metrics import OutputEvaluation
from runner.evaluate.places import evaluate_part
from runner.journal.file import write_journal
from runner.journal.ids import new_run_id, now
from runner.journal.records import Artifact, EvaluationAdded, EvaluatorCall
from runner.journal.results import JOURNALS
from runner.model.directions import name_of
from runner.model.inputs import as_given_to, fits
from runner.record.events import Found
from runner.record.files import store_found
from runner.sweep.earlier import EarlierRun, trained
from warehouse.journals.read import JUDGEMENT

if TYPE_CHECKING:
    from runner.data.prepare import Part

    Array = np.ndarray[Any, Any]

ALL = "all"
"""The split that is every row of the data, undivided."""
BLOCK = 1024
"""Rows that are evaluated at once."""
MAY_CHANGE = ("dataset", "split", "evaluator")


@dataclass(frozen=True)
class Evaluated:
    """The run, where the rows are from, the metrics of each split, what evaluators left."""

    run_id: str
    source: str
    metrics: Mapping[str, Mapping[str, float]]
    rows: Mapping[str, int]
    artifacts: Sequence[str] = ()
    """The names of figures, tables and files."""
    failed: Sequence[str] = ()
    """The evaluators that failed."""


def evaluate(
    run: str,
    overrides: Sequence[str] = (),
    splits: Sequence[str] = ("val", "test"),
    results: Path | None = None,
) -> Evaluated:
    """Evaluate a run's best weights on its dataset with some params changed, and record it.

    overrides: of `dataset` and `split`, such as dataset.source=new.csv, and the evaluators that
        are to look at it, such as evaluator=[roc]; without a word of them, none.
    splits: train, val or test, as the data are divided, or all: every row.

    Raises ConfigError for overrides that do not fit, DataError for data that the model was not
    trained for, and WarehouseError for a run that is unknown or kept no weights.
    """
    kept = trained(run, results)
    config = _config(kept, overrides)
    task = kept.task
    data = load(config, Trained(task, kept.data.get("reading") or {}))
    identity = data_identity(config.one("dataset"), lambda: data, kept.results)
    if task.per == "view":
        raise ConfigError(
            "the run learned without targets, so that there is nothing to compare its outputs "
            "with: predict writes them"
        )
    back = task.per == "value"
    if back and config.chosen["preprocessing"]:
        raise ConfigError(
            "the run gives back what its preprocessing makes of the features, with which nothing "
            "can be compared here: train without preprocessing, or evaluate what predict writes"
        )
    targets_of = None if back else _labels(task, data.task)
    parts = {name: list(_parts(data, config, name)) for name in splits}
    model = kept.model()
    heads = tuple(task.heads)
    evaluations: dict[str, OutputEvaluation] = {}
    rows: dict[str, int] = {}
    for name, some in parts.items():
        pairs = [_outputs(model, part, targets_of, heads) for part in some]
        if pairs:
            targets, outputs = (np.concatenate(column) for column in zip(*pairs, strict=True))
            evaluation = evaluate_part(task, targets, outputs)
            own = _own_metrics(config, task, targets, outputs)
            evaluations[name] = replace(evaluation, metrics=own | evaluation.metrics)
            rows[name] = len(targets)
    if not evaluations:
        raise ConfigError(
            f"the data have no {' and no '.join(splits)} part: --split all judges every row"
        )
    found = list(_found(kept, config, data, list(evaluations), model, targets_of))
    calls = [record for record in found if isinstance(record, EvaluatorCall)]
    source = " ".join(overrides) or "its own data"
    _record(kept, source, {"identity": identity} | rows, evaluations, found)
    metrics = {name: dict(evaluation.metrics) for name, evaluation in evaluations.items()}
    for one in calls:
        for name, named in one.named_metrics().items():
            metrics.setdefault(name, {}).update(named)
    return Evaluated(
        kept.run_id,
        source,
        metrics,
        rows,
        [record.name or "" for record in found if isinstance(record, Artifact)],
        [one.evaluator for one in calls if one.error is not None],
    )


def _found(
    kept: EarlierRun,
    config: Config,
    data: Data | Splits,
    splits: Sequence[str],
    model: Any,
    targets_of: Any,
) -> Iterator[Artifact | EvaluatorCall]:
    """What the evaluators of the config find on these splits, its files stored."""
    settings = replace(config.settings, limit_batches=None, debug=None)

    def rows(name: str) -> SplitRows:
        if name != ALL:
            one = raw_rows(data, settings)[name]
        elif isinstance(data, Data):
            one = rows_at(data)
        else:
            parts = [rows_of_part(part) for _, part in data_parts(data)]
            features = joined([part.features for part in parts])
            targets = np.concatenate([part.targets for part in parts])
            one = SplitRows(features, targets, feature_names=data.feature_names)
        return replace(one, targets=targets_of(one.targets))

    best = kept.newest("best")
    assert best is not None
    task = kept.task
    offers = offers_of(model, Lazy(splits, rows), task, best.epoch, config.settings.seed)
    for choice in config.chosen["evaluator"]:
        for event in call(choice, offers, kept.run_id, False, config.settings.max_artifact):
            yield store_found(event, kept.results) if isinstance(event, Found) else event


def _own_metrics(
    config: Config, task: Task, targets: Array, outputs: Array, of_head: bool = False
) -> dict[str, float]:
    """The run's own metrics, as Keras computes them of outputs; without its loss, in which
    penalties are that belong to the training.
    """
    import keras

    values: dict[str, float] = {}
    if task.heads:
        own, given = outputs_by_head(task, outputs), targets_by_head(task, targets)
        for head, one in task.heads.items():
            found = _own_metrics(config, one, given[head], own[head], of_head=True)
            values |= {f"{head}{DOT}{name}": value for name, value in found.items()}
        return values
    for choice in config.chosen["metric"]:
        try:
            made = choice(task=task)
        except ModelError:
            if not of_head:
                raise
            continue  # it is for other heads
        for metric in made if isinstance(made, list) else [made]:
            if not isinstance(metric, keras.metrics.Metric):
                metric = keras.metrics.MeanMetricWrapper(metric, name=name_of(metric))
            for at in range(0, len(targets), BLOCK):
                metric.update_state(targets[at : at + BLOCK], outputs[at : at + BLOCK])
            values.setdefault(name_of(metric), float(metric.result()))
    return values


def _config(kept: EarlierRun, overrides: Sequence[str]) -> Config:
    """The run's config with the overrides in it."""
    body = {
        key: dict(node) if isinstance(node, dict) else node for key, node in kept.config.items()
    }
    if not any(text.startswith("evaluator") for text in overrides):
        body["evaluator"] = {}
    for text in overrides:
        override = override_of(text)
        value: Any = override.value()
        path = override.key_or_group.split(".")
        changes = not override.is_sweep_override() and not override.is_delete()
        if path[0] not in MAY_CHANGE or not changes:
            raise ConfigError(
                f"the override {text} is not valid: a trained model is judged, so that only "
                "dataset, dataset.<param>, split.<key>, evaluator and evaluator.<name>.<param> "
                "may change, one value each"
            )
        if path == ["dataset"]:
            # As Hydra has it: a list of one name, or the params of the dataset in use.
            [value] = value if isinstance(value, list) else [value]
            changed = dict(value) if isinstance(value, dict) else {"name": value}
            body["dataset"] = body["dataset"] | changed if isinstance(value, dict) else changed
        elif path == ["evaluator"]:
            names = value if isinstance(value, list) else [value]
            body["evaluator"] = {str(name): {} for name in names}
        elif path[0] == "evaluator" and len(path) == 3 and path[1] in body["evaluator"]:
            body["evaluator"][path[1]] = dict(body["evaluator"][path[1]]) | {path[2]: value}
        elif len(path) == 2 and path[0] != "evaluator":
            body[path[0]][path[1]] = value
        else:
            raise ConfigError(f"the override {text} is not valid: {choices(path[0], MAY_CHANGE)}")
    # The model is there already: of what else it was made of, its metrics alone are called.
    return config_of(body, load_plugins())


def _labels(ours: Task, theirs: Task) -> Any:
    """From the data's targets to those of the run's task; DataError where they do not fit.

    Classes are matched by name where both name them, so that fewer or in another order will do.
    """
    if ours.heads or theirs.heads:
        return _labels_of_heads(ours, theirs)
    same = (ours.kind, ours.per) == (theirs.kind, theirs.per)
    if same and ours.kind in ("classification", "binary"):
        if theirs.names and ours.names and theirs.names != ours.names:
            unknown = [name for name in theirs.names if name not in ours.names]
            if unknown:
                raise DataError(
                    f"the data have the class '{unknown[0]}', which the run does not know: "
                    f"{choices(unknown[0], ours.names)}"
                )
            number = np.array([*(ours.names.index(name) for name in theirs.names), -1])
            return lambda targets: number[labels_of(targets)]
        if theirs.outputs <= ours.outputs:
            return np.asarray
    if not same or ours.outputs != theirs.outputs:
        raise DataError(
            f"the run was trained for {ours.said} with {ours.outputs} output(s), and the data "
            f"are {theirs.said} with {theirs.outputs}"
        )
    return np.asarray


def _labels_of_heads(ours: Task, theirs: Task) -> Any:
    """The same head by head."""
    if list(ours.heads) != list(theirs.heads):
        raise DataError(
            f"the run was trained for {_heads_said(ours)}, and the data have {_heads_said(theirs)}"
        )
    change = {name: _labels(head, theirs.heads[name]) for name, head in ours.heads.items()}

    def changed(targets: Array) -> Array:
        own = targets_by_head(theirs, targets)
        columns = [change[name](one).reshape(len(targets), -1) for name, one in own.items()]
        return np.concatenate(columns, axis=1)

    return changed


def _heads_said(task: Task) -> str:
    return f"the heads {', '.join(task.heads)}" if task.heads else f"one {task.kind}"


def _parts(data: Data | Splits, config: Config, name: str) -> Iterator[Part]:
    """The parts that go by the name: one, none, or all that there are."""
    if name == ALL and isinstance(data, Data):
        yield data.features, data.targets
        return
    divided = split(data, config.settings.split)
    for one in ("train", "val", "test") if name == ALL else (name,):
        part = getattr(divided, one)
        if part is not None:
            yield part


def _outputs(model: Any, part: Part, targets_of: Any, heads: Sequence[str]) -> tuple[Array, Array]:
    blocks = part.read(None) if isinstance(part, Stream) else [part]
    targets, outputs = [], []
    for features, raw in blocks:
        _check_shape(model, features)
        # Of a reconstruction the features are the targets.
        targets.append(np.asarray(features) if targets_of is None else targets_of(raw))
        outputs.append(outputs_of(model, as_given_to(model, features), BLOCK, heads))
    return np.concatenate(targets), np.concatenate(outputs)


def _check_shape(model: Any, features: Any) -> None:
    if isinstance(features, dict) or isinstance(model.input, dict):
        return
    shape, one = tuple(features.shape[1:]), model.inputs[0]
    if not fits(shape, one):
        wanted = tuple(one.shape[1:])
        raise DataError(f"the data have rows of shape {shape}, and the model takes {wanted}")


def _record(
    kept: EarlierRun,
    source: str,
    data: Mapping[str, Any],
    evaluations: Mapping[str, OutputEvaluation],
    found: Sequence[Artifact | EvaluatorCall],
) -> None:
    """Write the evaluations and what evaluators found into a journal, and take it in."""
    entry = EvaluationAdded(
        entry_id=new_run_id(),
        run_id=kept.run_id,
        entered_at=now(),
        host=socket.gethostname(),
        weights_id=kept.weights_id,
        source=source,
        data=dict(data),
    )
    records = [
        record
        for name, evaluation in evaluations.items()
        for record in records_of(kept.run_id, name, evaluation, {})
    ]
    write_journal(
        kept.results / JOURNALS, f"{JUDGEMENT}{entry.entry_id}", [entry, *records, *found]
    )
    warehouse.sync(kept.results, wait=5.0)
