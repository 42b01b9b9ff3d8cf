"""A trained network under a new head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from runner import ModelError, RunWeights, architecture

from ._activations import Activation
from ._applications import (
    APPLICATIONS,
    Application,
    application,
    as_expected,
    resized,
    three_channels,
)
from ._layers import Count, Rate, dense_layers, head, image_input
from ._weights import flat, model_in, put_weights


@architecture
def transfer(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    backbone: Application | Literal["run", "file"] = "MobileNetV2",
    weights: RunWeights | Literal["imagenet"] | Path | None = None,
    unfreeze_at: Annotated[int, Ge(1)] | None = None,
    unfreeze_learning_rate: Annotated[float, Gt(0)] | None = None,
    unfreeze_layers: Count | None = None,
    unfreeze_batch_norm: bool = False,
    resize: Count | None = None,
    white: Annotated[float, Gt(0)] = 1.0,
    pooling: Literal["avg", "max"] = "avg",
    units: Sequence[Count] = (),
    activation: Activation = "relu",
    dropout: Rate = 0.0,
) -> Any:
    """A trained backbone, frozen, under a new head of dense `units` and a linear layer.

    The backbone is a network of keras.applications by name, with `weights` from a file (.keras,
    .h5, .weights.h5, .safetensors), from keras.applications (imagenet: a download of yours) or
    from an earlier run (run:<id>); or it is what the weights come with, up to its head:
    backbone=run with run:<id>, backbone=file with a .keras or .h5 file. Examples for a network of
    keras.applications are images of shape (height, width) or (height, width, 1 or 3) with values
    from 0 to `white`, brought to `resize` pixels a side; other backbones take what they took.

    Frozen weights do not change, regularizers leave them alone, and batch normalization stays in
    inference. With `unfreeze_at` the backbone, or its last `unfreeze_layers` layers with weights,
    is trained from that epoch on (counted from 1), at `unfreeze_learning_rate` if there is one;
    its batch normalization only with `unfreeze_batch_norm` (Keras' guide to fine-tuning says why
    not). Raises ModelError for images below the network's smallest size, and for weights that do
    not fit it, naming the layers.
    """
    import keras

    if unfreeze_at is None and (unfreeze_learning_rate or unfreeze_layers or unfreeze_batch_norm):
        raise ModelError(
            "architecture.unfreeze_learning_rate, unfreeze_layers and unfreeze_batch_norm say how "
            "the backbone is unfrozen: say when, architecture.unfreeze_at=<epoch>"
        )
    if weights is None:
        raise ModelError(
            "architecture=transfer needs trained weights: give architecture.weights=<file>, "
            "imagenet or run:<id>, or train a network anew, architecture=keras_app"
        )
    if backbone in APPLICATIONS:
        inputs, x = image_input("transfer", input_shape)
        x = resized(three_channels(x, "transfer"), backbone, resize, "backbone")
        body = application(backbone, x.shape[1:3], weights == "imagenet", pooling)
        if isinstance(weights, RunWeights | Path):
            put_weights(body, weights, backbone)
        x = as_expected(x, backbone, white)
    else:
        body = _headless(_whole(backbone, weights), backbone, pooling)
        _check_shape(body, input_shape, backbone)
        inputs = x = keras.Input(input_shape)
    layers = [layer for layer in flat(body) if layer.weights]
    for layer in flat(body):
        layer.trainable = False
    x = dense_layers(body(x), units, activation)
    model = keras.Model(inputs, head(x, outputs, dropout))
    if unfreeze_at is None:
        return model
    if unfreeze_layers is not None and unfreeze_layers > len(layers):
        raise ModelError(
            f"architecture.unfreeze_layers={unfreeze_layers}: {backbone} has {len(layers)} layers "
            "with weights"
        )
    thawed = layers[-unfreeze_layers:] if unfreeze_layers else layers
    if not unfreeze_batch_norm:
        thawed = [t for t in thawed if not isinstance(t, keras.layers.BatchNormalization)]
    return model, [_unfreezing(thawed, unfreeze_at, unfreeze_learning_rate)]


def _unfreezing(layers: list[Any], at: int, learning_rate: float | None) -> Any:
    """A callback that makes layers trainable from an epoch on."""
    import keras

    class Unfreezing(keras.callbacks.Callback):  # type: ignore[misc]
        def set_model(self, model: Any) -> None:
            """Refuse an optimizer that cannot do what is asked."""
            super().set_model(model)
            optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
            if optimizer.use_ema:
                raise ModelError(
                    "architecture.unfreeze_at does not go with optimizer.use_ema=true: Keras "
                    "averages the weights that are trained in the first epoch only"
                )
            # A schedule is a dict there, a number a number.
            scheduled = isinstance(optimizer.get_config()["learning_rate"], dict)
            if learning_rate is not None and scheduled:
                raise ModelError(
                    f"architecture.unfreeze_learning_rate={learning_rate} does not go with a "
                    "schedule that sets the learning rate in every step: take schedule=constant "
                    "or schedule=reduce_on_plateau"
                )

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            """A resumed run may begin after the epoch, its learning rate is restored already."""
            if epoch + 1 >= at:
                for layer in layers:
                    layer.trainable = True
            if epoch + 1 == at and learning_rate is not None:
                self.model.optimizer.learning_rate = learning_rate

    return Unfreezing()


def _whole(backbone: str, weights: Any) -> Any:
    """The trained model that an earlier run or a file holds."""
    if backbone == "run":
        if not isinstance(weights, RunWeights):
            raise ModelError(
                "architecture.backbone=run takes the network of an earlier run: give "
                "architecture.weights=run:<id>"
            )
        return weights.model()
    if not isinstance(weights, Path):
        raise ModelError(
            "architecture.backbone=file takes the network that a file holds: give "
            "architecture.weights=<path of a .keras or .h5 file>"
        )
    return model_in(weights)


def _headless(model: Any, backbone: str, pooling: str) -> Any:
    """The model up to its last layer with a kernel, without the run's preprocessing; pooled.

    Raises ModelError where the model is no graph of layers, or has several inputs.
    """
    import keras

    # The preprocessing of a run stands before its model, which is then the last layer.
    while isinstance(model.layers[-1], keras.Model):
        model = model.layers[-1]
    head = next((layer for layer in reversed(model.layers) if layer.weights), None)
    if head is None or not hasattr(head, "kernel"):
        raise ModelError(
            f"architecture.backbone={backbone}: the model does not end in a dense layer, after "
            "which a new head could stand"
        )
    if len(model.inputs) != 1:
        raise ModelError(
            f"architecture.backbone={backbone}: the model takes {len(model.inputs)} inputs, and "
            "a backbone takes one"
        )
    features = head.input
    rank = len(features.shape)
    if rank in (3, 4):
        kind = "Average" if pooling == "avg" else "Max"
        layer = getattr(keras.layers, f"Global{kind}Pooling{rank - 2}D")
        features = layer(name="pooled")(features)
    return keras.Model(model.inputs[0], features, name="backbone")


def _check_shape(body: Any, input_shape: tuple[int, ...], backbone: str) -> None:
    """Raise ModelError where the backbone was made for other examples."""
    takes = tuple(body.input_shape[1:])
    if takes != tuple(input_shape):
        raise ModelError(
            f"architecture.backbone={backbone} takes examples of shape {takes}, and these have "
            f"shape {tuple(input_shape)}"
        )
