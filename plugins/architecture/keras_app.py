"""The networks that come with Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt

from runner import RunWeights, architecture

from ._applications import Application, application, as_expected, resized, three_channels
from ._layers import Count, Rate, head, image_input
from ._weights import put_weights


@architecture
def keras_app(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    network: Application = "MobileNetV2",
    weights: RunWeights | Literal["imagenet"] | Path | None = None,
    resize: Count | None = None,
    white: Annotated[float, Gt(0)] = 1.0,
    pooling: Literal["avg", "max"] = "avg",
    dropout: Rate = 0.0,
) -> Any:
    """A network of keras.applications, then a linear head; all of it is trained.

    Examples are images of shape (height, width) or (height, width, 1 or 3) with values from 0 to
    `white`; layers in front of the network repeat grey ones for three colours, bring them to
    `resize` pixels a side and scale them as that network expects. Weights are drawn anew, or
    come from a file, from keras.applications (imagenet: a download of yours), or from an earlier
    run (run:<id>). Raises ModelError for images below the network's smallest size, and for
    weights that do not fit it, naming the layers.
    """
    import keras

    inputs, x = image_input("keras_app", input_shape)
    x = resized(three_channels(x, "keras_app"), network, resize, "network")
    body = application(network, x.shape[1:3], weights == "imagenet", pooling)
    if isinstance(weights, RunWeights | Path):
        put_weights(body, weights, network)
    x = body(as_expected(x, network, white))
    return keras.Model(inputs, head(x, outputs, dropout))
