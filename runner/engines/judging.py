"""The kept weights judged on one part: Keras' metrics, what `runner.evaluation` finds, outputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.data import Part
from runner.engines.contract import Event, Job, Predicted
from runner.evaluation import Judgement, judge
from runner.nouns import Stream
from runner.records import Confusion, CurvePoints, Evaluation, Said

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

Predict = Callable[[tuple[Any, Any]], Any]
"""From a pair of features and targets to the outputs, (rows, outputs)."""
LARGEST = 5_000_000
"""Outputs (rows times classes) of a part that are looked at beyond Keras' own metrics."""
ELEMENTS = 1 << 20
"""Numbers among the features that go through the model at once."""


def judged(
    job: Job, split: str, part: Part, values: Mapping[str, Any], predict: Predict
) -> Iterator[Event]:
    """What is to be recorded of a part.

    values: Keras' metrics; they stay where ours has the same name.
    predict: the outputs (rows, outputs) for a part that is a pair of features and targets.
    """
    run_id, settings, task = job.start.run_id, job.config.settings, job.data.splits.task
    own = {name: float(value) for name, value in values.items()}
    keep = settings.keep_predictions in (split, "both")
    if settings.evaluate == "plain" and not keep:
        yield Evaluation(run_id, split, own)
        return
    rows = part.rows if isinstance(part, Stream) else len(part[1])
    if rows * task.outputs > LARGEST:
        warnings.warn(
            f"{split} has {rows} rows of {task.outputs} outputs: judged by Keras' metrics alone",
            stacklevel=2,
        )
        yield Evaluation(run_id, split, own)
        return
    targets, outputs = _outputs(part, predict)
    found = judge(task, targets, outputs) if settings.evaluate == "full" else Judgement({})
    yield from said(run_id, split, found, own)
    if keep:
        yield Predicted(run_id, split, task, targets, outputs)


def said(run_id: str, split: str, found: Judgement, own: Mapping[str, float]) -> Iterator[Said]:
    """The records of a judgement; own: metrics that come first, and stand against its own."""
    own = dict(own)
    yield Evaluation(run_id, split, own | found.metrics | own)
    if found.confusion:
        actual, predicted, rows = (list(column) for column in zip(*found.confusion, strict=True))
        yield Confusion(run_id, split, list(found.classes), actual, predicted, rows)
    for curve in found.curves:
        yield CurvePoints(
            run_id, split, curve.curve, curve.class_name, curve.x, curve.y, curve.threshold
        )


def asked(job: Job) -> Predict:
    """Asks the job's own model."""
    return lambda part: outputs_of(job.recipe.model, part[0], job.config.settings.batch_size)


def outputs_of(model: Any, features: Any, batch_size: int) -> Array:
    """The model's outputs for features that fit into memory, (rows, outputs), in pieces.

    Eager: for a few large batches, tracing a program would cost more than it saves.
    """
    import keras

    first = keras.tree.flatten(features)[0]
    each = sum(int(np.prod(array.shape[1:])) for array in keras.tree.flatten(features))
    size = max(batch_size, min(8192, ELEMENTS // max(each, 1)))

    def piece(at: int) -> Any:
        rows = keras.tree.map_structure(
            lambda array: keras.ops.convert_to_tensor(array[at : at + size]), features
        )
        return keras.ops.convert_to_numpy(model(rows, training=False))

    return np.concatenate([piece(at) for at in range(0, len(first), size)])


def _outputs(part: Part, predict: Predict) -> tuple[Array, Array]:
    """The targets of a part and the outputs for it; a stream is read once more."""
    if not isinstance(part, Stream):
        return np.asarray(part[1]), predict(part)
    blocks = [(np.asarray(block[1]), predict(block)) for block in part.read(None)]
    return (
        np.concatenate([targets for targets, _ in blocks]),
        np.concatenate([outputs for _, outputs in blocks]),
    )
