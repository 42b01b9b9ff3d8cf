"""The files that come of a run, stored first, and the records that refer to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.journal import weights
from runner.journal.records import Artifact, Layers, Weights
from runner.model.layers import Layer
from runner.record.code import about_code
from runner.record.drawing import draw
from runner.record.events import Found, Kept, Predicted, RunRecord
from runner.record.predictions import arrays_of_outputs, tables_of, to_npz, to_parquet
from runner.record.tensor_stats import figures_of


def store_kept(kept: Kept, results: Path) -> Iterator[RunRecord]:
    """Store weights, graph and picture; each record is given once its file is there."""
    weights_file = weights.save(results, kept.tensors, kept.state)
    row = _row(kept, kept.role, weights_file, "safetensors")
    yield row
    if kept.owners:
        yield figures_of(kept.run_id, row.weights_id, kept.tensors, kept.owners)
    if kept.graph is not None:
        graph = weights.store(results, kept.graph.encode(), ".json")
        yield _row(kept, "graph", graph, "keras-json")
    if kept.layers:
        yield _layers(kept.run_id, kept.layers)
        picture = draw(kept.layers).encode()
        yield _artifact(kept.run_id, "picture", picture, ".svg", results)


def store_predicted(predicted: Predicted, results: Path) -> Artifact:
    """Store the outputs of one part, row by row, or as arrays where they have a shape."""
    if predicted.task.per != "row":
        arrays = {"targets": predicted.targets}
        arrays |= arrays_of_outputs(predicted.task, predicted.outputs)
        name = f"predictions of {predicted.split}"
        return _artifact(predicted.run_id, "file", to_npz(arrays), ".npz", results, name)
    tables = tables_of(
        predicted.task, predicted.split, predicted.targets, predicted.outputs, predicted.keys
    )
    return _artifact(predicted.run_id, "predictions", to_parquet(tables), ".parquet", results)


def store_found(found: Found, results: Path) -> Artifact:
    """Store what a component leaves behind."""
    kind, name, content, ending = found.content
    return _artifact(found.run_id, kind, content, ending, results, name, found.epoch)


def store_code(results: Path) -> list[Artifact]:
    """Store what the code is, once; the records are to get the id of a run each."""
    return [_artifact("", one.kind, one.content, one.suffix, results) for one in about_code()]


def _row(kept: Kept, role: str, stored: weights.Stored, form: str) -> Weights:
    return Weights(
        run_id=kept.run_id,
        weights_id=f"{kept.run_id}:{role}:{kept.epoch}",
        epoch=kept.epoch,
        role=role,
        uri=stored.uri,
        sha256=stored.sha256,
        bytes=stored.bytes,
        format=form,
    )


def _artifact(
    run_id: str,
    kind: str,
    content: bytes,
    suffix: str,
    results: Path,
    name: str | None = None,
    epoch: int | None = None,
) -> Artifact:
    """Store a file that is no weights, then refer to it."""
    stored = weights.store(results, content, suffix, weights.ARTIFACTS)
    return Artifact(run_id, kind, stored.uri, stored.sha256, stored.bytes, name, epoch)


def _layers(run_id: str, layers: Sequence[Layer]) -> Layers:
    """The layers as a record, a list for each of their fields."""
    return Layers(
        run_id,
        name=[layer.name for layer in layers],
        class_name=[layer.class_name for layer in layers],
        output_shape=[layer.output_shape for layer in layers],
        parameters=[layer.parameters for layer in layers],
        inputs=[layer.inputs for layer in layers],
        config=[layer.config for layer in layers],
    )
