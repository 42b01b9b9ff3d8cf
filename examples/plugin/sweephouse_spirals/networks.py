"""An architecture and a regularizer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from runner import Recipe, architecture, regularizer


@architecture
def fourier(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    width: Annotated[int, Gt(0)] = 64,
    waves: Literal["sin", "cos"] = "sin",
) -> Any:
    """One hidden layer of waves, then a linear head."""
    from keras import Input, Model, layers, ops

    inputs = Input(input_shape)
    hidden = layers.Dense(width, name="waves")(layers.Flatten()(inputs))
    hidden = ops.sin(hidden) if waves == "sin" else ops.cos(hidden)
    return Model(inputs, layers.Dense(outputs, name="head")(hidden))


@regularizer(stage="structure")
def input_noise(recipe: Recipe, *, deviation: Annotated[float, Ge(0)] = 0.05) -> Recipe:
    """Normal noise on the inputs while training."""
    import keras

    model = recipe.model
    inputs = keras.Input(model.input_shape[1:])
    noisy = keras.layers.GaussianNoise(deviation, name="input_noise")(inputs)
    recipe.model = keras.Model(inputs, model(noisy))
    return recipe
