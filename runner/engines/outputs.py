"""The kept weights evaluated: Keras' metrics, what `evaluate/` finds, and the outputs."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Stream, Task
from runner.data.parts import chosen, joined, named
from runner.data.prepare import Part, parts
from runner.data.stream import rows_of
from runner.engines.arrays import Logs, Model, Rows
from runner.engines.contract import Job
from runner.errors import DataError
from runner.evaluate.metrics import OutputEvaluation
from runner.evaluate.places import evaluate_part, evaluate_places
from runner.journal.records import Confusion, Curves, Evaluation, OutputRecord
from runner.record.events import Event, Predicted

if TYPE_CHECKING:
    from runner.components.types import Features

    Array = np.ndarray[Any, Any]

Evaluate = Callable[[Part], Logs]
Predict = Callable[[tuple[Rows, Rows]], Rows]
"""From a pair of features and targets to the outputs, (rows, outputs)."""
LARGEST = 5_000_000
"""Outputs (rows times classes) of a part that are looked at beyond Keras' own metrics."""
ELEMENTS = 1 << 20
"""Numbers among the features that go through the model at once."""
INNER = 1 << 22
"""Numbers that a layer gives at once: more would leave the processor's cache."""


def evaluations_of(job: Job, evaluate: Evaluate, predict: Predict) -> Iterator[Event]:
    """The records of val and test: metrics, and what `evaluate/` and the settings ask for.

    evaluate: Keras' metrics of a part; they stay where ours has the same name.
    """
    run_id, settings, task = job.start.run_id, job.config.settings, job.data.splits.task
    held_out = {name: part for name, part in parts(job.data.splits) if name != "train"}
    looked_at = {name: part for name, part in held_out.items() if _is_looked_at(job, name, part)}
    outputs_for = _outputs(looked_at, predict)
    for split, part in held_out.items():
        keras_metrics = {name: float(value) for name, value in evaluate(part).items()}
        full = settings.evaluate == "full"
        if split not in outputs_for:
            evaluation = OutputEvaluation({})
            if full and task.per != "row":
                evaluation = evaluate_places(task, _in_pieces(part, predict, task))
            yield from records_of(run_id, split, evaluation, keras_metrics)
            continue
        targets, outputs = outputs_for[split]
        evaluation = evaluate_part(task, targets, outputs) if full else OutputEvaluation({})
        yield from records_of(run_id, split, evaluation, keras_metrics)
        if settings.keep_predictions in (split, "both"):
            yield Predicted(run_id, split, task, targets, outputs, _keys(job, split, part))


def _keys(job: Job, split: str, part: Part) -> Array | None:
    """What the rows of a part are called; of a stream nobody knows."""
    if job.data.raw is None or isinstance(part, Stream):
        return None
    return job.data.raw()[split].keys


def _is_looked_at(job: Job, split: str, part: Part) -> bool:
    """Whether the settings ask for more of the part than Keras' metrics, and its size allows."""
    settings, task = job.config.settings, job.data.splits.task
    if settings.evaluate == "plain" and settings.keep_predictions not in (split, "both"):
        return False
    rows, each = rows_of(part), math.prod(task.output_shape)
    if rows * each > LARGEST:
        kept = settings.keep_predictions in (split, "both")
        how = "evaluated by Keras' metrics alone" if task.per == "row" else "its outputs not kept"
        if task.per == "row" or kept:
            warnings.warn(f"{split} has {rows} rows of {each} outputs: {how}", stacklevel=2)
        return False
    return True


def _in_pieces(part: Part, predict: Predict, task: Task) -> Iterator[tuple[Array, Array]]:
    """Targets and outputs of a part whose outputs are too many at once, piece by piece."""
    size = max(1, LARGEST // 10 // math.prod(task.output_shape))
    blocks = part.read(None) if isinstance(part, Stream) else [part]
    for features, targets in blocks:
        for at in range(0, len(targets), size):
            piece = chosen(features, slice(at, at + size)), targets[at : at + size]
            yield np.asarray(piece[1]), predict(piece)


def records_of(
    run_id: str, split: str, evaluation: OutputEvaluation, keras_metrics: Mapping[str, float]
) -> Iterator[OutputRecord]:
    """The records of an evaluation.

    keras_metrics: come first, and stand where ours has the same name.
    """
    first = dict(keras_metrics)
    yield Evaluation(run_id, split, first | evaluation.metrics | first)
    if evaluation.confusion:
        actual, predicted, rows = (
            list(column) for column in zip(*evaluation.confusion, strict=True)
        )
        yield Confusion(run_id, split, list(evaluation.classes), actual, predicted, rows)
    if evaluation.curves:
        yield Curves(
            run_id,
            split,
            curve=[one.curve for one in evaluation.curves],
            class_name=[one.class_name for one in evaluation.curves],
            x=[one.x for one in evaluation.curves],
            y=[one.y for one in evaluation.curves],
            threshold=[one.threshold for one in evaluation.curves],
        )


def asked(job: Job) -> Predict:
    """Make the function that asks the job's own model for outputs."""
    return lambda part: outputs_of(job.recipe.model, part[0], job.config.settings.batch_size)


def program_of(model: Model) -> Callable[[Rows], Rows]:
    """The model as one traced program, for batches of any size: a fraction of eager's cost."""
    import keras
    import tensorflow as tf

    signature = keras.tree.map_structure(
        lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), model.input
    )
    program: Callable[[Rows], Rows] = tf.function(
        lambda rows: model(rows, training=False), input_signature=[signature]
    )
    return program


def outputs_of(
    model: Model,
    features: Rows,
    batch_size: int,
    heads: Iterable[str] = (),
    program: Callable[[Rows], Rows] | None = None,
) -> Array:
    """The model's outputs for features that fit into memory, (rows, …), in pieces.

    heads: in which order they stand side by side, where the model gives a dict of them.
    program: what gives them. Without one, the model is called eagerly: for a few large batches,
    tracing would cost more than it saves.
    """
    import keras

    first = keras.tree.flatten(features)[0]
    each = sum(int(np.prod(array.shape[1:])) for array in keras.tree.flatten(features))
    size = max(batch_size, min(8192, ELEMENTS // max(each, 1), INNER // max(_widest(model), 1)))

    def piece(at: int) -> Rows:
        rows = keras.tree.map_structure(
            lambda array: keras.ops.convert_to_tensor(array[at : at + size]), features
        )
        try:
            made = model(rows, training=False) if program is None else program(rows)
            if isinstance(made, dict):
                made = keras.ops.concatenate([made[name] for name in heads], axis=-1)
            return keras.ops.convert_to_numpy(made)
        except Exception as error:
            raise _unknown_code(error) or error from None

    return np.concatenate([piece(at) for at in range(0, len(first), size)])


def _unknown_code(error: Exception) -> DataError | None:
    """The sentence for a code that an embedding has no row for; None for any other error."""
    found = re.search(r"indices\[[\d,]+\] = (-?\d+) is not in \[0, (\d+)\)", str(error))
    if found is None:
        return None
    code, count = found[1], int(found[2])
    return DataError(
        f"the rows have the code {code}, which the model does not know: it was trained with the "
        f"codes 0 to {count - 1}"
    )


def _widest(model: Model) -> int:
    """The most numbers that a layer gives for one row, as far as layers say so."""
    import keras

    widest = 0
    for layer in model.layers:
        # A layer that was called within another one, or never, has no output of its own.
        with contextlib.suppress(AttributeError, ValueError):
            for output in keras.tree.flatten(layer.output):
                widest = max(widest, math.prod(size or 1 for size in output.shape[1:]))
    return widest


def _outputs(looked_at: Mapping[str, Part], predict: Predict) -> dict[str, tuple[Array, Array]]:
    """The targets and outputs of each part; a stream is read once more."""
    streams = {name: part for name, part in looked_at.items() if isinstance(part, Stream)}
    pairs = {name: part for name, part in looked_at.items() if not isinstance(part, Stream)}
    answers = {}
    for name, stream in streams.items():
        blocks = [(np.asarray(block[1]), predict(block)) for block in stream.read(None)]
        targets, outputs = zip(*blocks, strict=True)
        answers[name] = np.concatenate(targets), np.concatenate(outputs)
    if sum(_size(features) for features, _ in pairs.values()) <= ELEMENTS and len(pairs) > 1:
        # Small parts together: the model's own cost a call is most of it.
        features, targets = zip(*pairs.values(), strict=True)
        together = predict((joined(features), np.concatenate(targets)))
        ends = np.cumsum([len(one) for one in targets])[:-1]
        each = zip(targets, np.split(together, ends), strict=True)
        return answers | dict(zip(pairs, each, strict=True))
    return answers | {name: (np.asarray(part[1]), predict(part)) for name, part in pairs.items()}


def _size(features: Features) -> int:
    return sum(array.size for array in named(features).values())
