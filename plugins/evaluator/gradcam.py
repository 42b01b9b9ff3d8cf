"""Where a network looks in a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from runner import (
    DataError,
    Findings,
    ModelError,
    SplitRows,
    Task,
    evaluator,
    gradient_of,
    names_of,
    predicted_of,
)

from ._layers import every_layer, layer_named, output_of, outputs_changed
from ._rows import Split, are_pictures, as_pixels, chosen_split, drawn, said, taken
from ._svg import Card, gallery

Array = np.ndarray[Any, Any]


@evaluator
def gradcam(
    model: Any,
    predict: Callable[[Any], Array],
    splits: Mapping[str, SplitRows],
    task: Task,
    seed: int,
    *,
    layer: str | None = None,
    split: Split = "auto",
    rows: Annotated[int, Gt(0)] = 16,
    every: Annotated[int, Gt(0)] | None = None,
) -> Findings:
    """Pictures with the places that speak for the predicted class: Grad-CAM.

    Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74, of the logarithm of the probability. layer:
    the name of a layer that gives maps, by default the last one.
    """
    name = chosen_split(splits, split)
    held = splits[name]
    if not are_pictures(held.features):
        raise DataError("gradcam looks at pictures, and the rows are none")
    if task.kind in ("regression", "heads") or task.per != "row":
        raise DataError("gradcam looks at what speaks for a class, of one task with classes")
    at = drawn(len(held.targets), rows, seed)
    pictures = taken(held.features, at)
    outputs = predict(pictures)
    found = layer_named(model, layer) if layer else _last_with_maps(model, predict, pictures)
    maps = _maps(model, found, pictures, outputs)
    pixels = as_pixels(pictures)
    names = names_of(task)
    targets = said(task, names, np.asarray(held.targets)[at])
    predicted = said(task, names, predicted_of(task, outputs))
    cards = [
        Card([f"is {targets[row]}", f"taken for {predicted[row]}"], _over(pixels[row], maps[row]))
        for row in range(len(at))
    ]
    title = f"what speaks for the prediction, {found.name}, {name}"
    return Findings({}, {name: gallery(cards, title)})


def _last_with_maps(model: Any, predict: Callable[[Any], Array], pictures: Array) -> Any:
    """The last layer with weights that gives (rows, height, width, channels)."""
    for layer in reversed([one for one in every_layer(model) if one.weights]):
        given = output_of(layer, lambda: predict(pictures[:1]))
        if given and len(np.shape(given[0])) == 4:
            return layer
    raise ModelError("no layer of the model gives maps of a picture: gradcam is for convolutions")


def _maps(model: Any, layer: Any, pictures: Array, outputs: Array) -> Array:
    """How much each place of the layer's maps speaks for what is predicted, from 0 to 1."""
    from keras import ops

    rows = ops.convert_to_tensor(np.asarray(pictures, dtype=model.inputs[0].dtype))
    (given,) = output_of(layer, lambda: model(rows, training=False))
    if len(given.shape) != 4:
        raise ModelError(f"the layer '{layer.name}' gives no maps of a picture")
    wide = outputs.shape[1] > 1
    chosen = ops.one_hot(outputs.argmax(axis=1), outputs.shape[1]) if wide else None

    def speaks(added: Any) -> Any:
        with outputs_changed(layer, lambda output: output + added):
            probability = ops.cast(model(rows, training=False), "float32")
        if chosen is None:  # yes or no: for the one that is likelier
            probability = ops.where(probability > 0.5, probability, 1 - probability)
        else:
            probability = ops.sum(probability * chosen, axis=1)
        return ops.sum(ops.log(probability + 1e-7))

    slope = np.asarray(gradient_of(speaks, ops.zeros_like(given)), dtype=np.float64)
    weights = slope.mean(axis=(1, 2), keepdims=True)
    maps = np.maximum((weights * np.asarray(given, dtype=np.float64)).sum(axis=-1), 0)
    most = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(most > 0, most, 1))


def _over(picture: Array, heat: Array) -> Array:
    """The picture in grey with the heat in red over it, (height, width, 3), uint8."""
    height, width = picture.shape[:2]
    down = np.arange(height) * heat.shape[0] // height
    across = np.arange(width) * heat.shape[1] // width
    heat = heat[down][:, across]
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float64)
    red = np.maximum(grey, heat * 255)
    rest = grey * (1 - 0.7 * heat)
    return np.asarray(np.stack([red, rest, rest], axis=2), dtype=np.uint8)
