"""What a layer makes of rows, in two dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt

from runner import Findings, ModelError, SplitRows, Task, evaluator, names_of

from ._layers import every_layer, layer_named, output_of
from ._rows import Split, chosen_split, drawn, keys_at, of_head, taken
from ._svg import COLOURS, scatter

Array = np.ndarray[Any, Any]


@evaluator
def embedding(
    model: Any,
    predict: Callable[[Any], Array],
    splits: Mapping[str, SplitRows],
    task: Task,
    seed: int,
    *,
    layer: str | None = None,
    method: Literal["pca", "tsne"] = "pca",
    split: Split = "auto",
    head: str | None = None,
    rows: Annotated[int, Ge(3)] = 1000,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """Rows as points: a layer's outputs, by default those before the head, in two dimensions.

    method: pca, or t-SNE of scikit-learn (van der Maaten and Hinton 2008). layer: its name, as
    `layers` has it without the path.
    """
    name = chosen_split(splits, split)
    held = splits[name]
    at = drawn(len(held.targets), rows, seed)
    features = taken(held.features, at)
    found = layer_named(model, layer) if layer else _before_the_head(model)
    pieces = [np.asarray(piece) for piece in output_of(found, lambda: predict(features))]
    if not pieces:
        raise ModelError(f"the layer '{found.name}' is never called: name another by `layer`")
    given = np.concatenate([piece.reshape(len(piece), -1) for piece in pieces])
    if len(given) != len(at):
        raise ModelError(f"the layer '{found.name}' is called more than once a row")
    points = _in_two(given.astype(np.float64), method, seed)
    chosen = np.asarray(held.targets)[at]
    if task.heads:
        task, chosen, _ = of_head(task, chosen, np.zeros((len(at), task.outputs)), head)
    targets = chosen.reshape(len(at), -1)
    names: tuple[str, ...] = ()
    groups = targets[:, 0].astype(float)
    if task.kind in ("classification", "binary"):
        names = names_of(task) if len(names_of(task)) <= len(COLOURS) else ()
    if not names:
        span = np.ptp(groups) or 1.0
        groups = (groups - groups.min()) / span
    table = {
        "row": keys_at(held, at),
        "x": points[:, 0],
        "y": points[:, 1],
        "target": targets[:, 0].astype(float),
    }
    title = f"{found.name} by {method}, {name}"
    return Findings({}, {name: scatter(points, groups, names, title)}, {name: table})


def _before_the_head(model: Any) -> Any:
    """The layer whose outputs the last layer with weights is given, or near it."""
    layers = [one for one in every_layer(model) if one.weights]
    if len(layers) < 2:
        raise ModelError("the model has no layer before its head: name one by `layer`")
    return layers[-2]


def _in_two(given: Array, method: str, seed: int) -> Array:
    """The rows (rows, values) in two dimensions."""
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(given) - 1) / 3)
        made = TSNE(2, perplexity=perplexity, random_state=seed).fit_transform(given)
        return np.asarray(made, dtype=np.float64)
    centred = given - given.mean(axis=0)
    if centred.shape[1] == 1:
        return np.hstack([centred, np.zeros_like(centred)])
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(centred @ axes[:2].T)
