"""The stacked program against the model's own training step, layer by layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from runner.backend.seeds import seed_generators
from runner.engines.packed.program import Program
from runner.engines.packed.pure import Pure

MEMBERS, BATCH, ROWS = 2, 4, 10
"""The last batch of three is smaller than the others."""
RULE = 1e-5

Layers = Callable[[], list[Any]]


def mlp_with_batch_norm() -> list[Any]:
    import keras

    return [
        keras.layers.Dense(8, activation="relu", use_bias=False),
        keras.layers.Dropout(0.3),
        keras.layers.BatchNormalization(),
    ]


def convolved() -> list[Any]:
    import keras

    return [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.LayerNormalization(),
    ]


def transposed() -> list[Any]:
    import keras

    return [keras.layers.Conv2DTranspose(4, 3, strides=2), keras.layers.AveragePooling2D(2)]


def separable() -> list[Any]:
    import keras

    return [
        keras.layers.DepthwiseConv2D(3),
        keras.layers.SeparableConv2D(4, 3),
        keras.layers.GlobalAveragePooling2D(),
    ]


def convolved_in_one_dimension() -> list[Any]:
    import keras

    return [keras.layers.Conv1D(4, 3), keras.layers.MaxPooling1D()]


def recurrent() -> list[Any]:
    import keras

    return [keras.layers.LSTM(5, return_sequences=True), keras.layers.GRU(4)]


def both_ways() -> list[Any]:
    import keras

    return [keras.layers.Bidirectional(keras.layers.LSTM(3))]


def embedded() -> list[Any]:
    import keras

    return [keras.layers.Embedding(11, 4)]


def embedded_and_masked() -> list[Any]:
    import keras

    return [keras.layers.Embedding(11, 4, mask_zero=True), keras.layers.LSTM(4)]


def noisy() -> list[Any]:
    import keras

    return [
        keras.layers.GaussianNoise(0.2),
        keras.layers.Dense(8, activation="gelu"),
        keras.layers.AlphaDropout(0.2),
    ]


def attention() -> list[Any]:
    import keras

    class Attention(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.heads = keras.layers.MultiHeadAttention(2, 4, dropout=0.1)

        def call(self, x: Any, training: bool = False) -> Any:
            return x + self.heads(x, x, training=training)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    return [Attention(), keras.layers.LayerNormalization()]


def third_party() -> list[Any]:
    """A layer of ordinary ops that never heard of packs, with a state and a draw of its own."""
    import keras

    class Running(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
            self.mean = self.add_weight(shape=(shape[-1],), trainable=False)
            self.draws = keras.random.SeedGenerator(3)

        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                mean = keras.ops.mean(x, axis=0)
                self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.stop_gradient(mean))
                x = x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.draws)
            return keras.ops.einsum("bi,i->bi", x - self.mean, self.scale)

    return [Running()]


ZOO: dict[Layers, tuple[tuple[int, ...], str]] = {
    mlp_with_batch_norm: ((6,), "float32"),
    convolved: ((8, 8, 2), "float32"),
    transposed: ((6, 6, 2), "float32"),
    separable: ((8, 8, 2), "float32"),
    convolved_in_one_dimension: ((9, 2), "float32"),
    recurrent: ((5, 2), "float32"),
    both_ways: ((5, 2), "float32"),
    embedded: ((5,), "int32"),
    embedded_and_masked: ((5,), "int32"),
    attention: ((6, 4), "float32"),
    noisy: ((6,), "float32"),
    third_party: ((6,), "float32"),
}
LONG = {recurrent, both_ways, embedded_and_masked}
UNCOMPILED = LONG | {convolved, transposed, separable}
"""Engine `packed` has XLA compile neither loops nor convolutions."""


def model_of(layers: Layers, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(shape, dtype=dtype),
            *layers(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def cases() -> Iterator[Any]:
    for layers in ZOO:
        slow = [pytest.mark.slow] if layers in LONG else []
        yield pytest.param(layers, False, marks=slow, id=layers.__name__)
        if layers not in UNCOMPILED:
            slow = [] if layers is mlp_with_batch_norm else [pytest.mark.slow]
            yield pytest.param(layers, True, marks=slow, id=f"{layers.__name__}, compiled")


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "compiled"), list(cases()))
def test_each_member_of_a_program_takes_the_steps_of_its_own_model(
    layers: Layers, compiled: bool
) -> None:
    import tensorflow as tf

    shape, dtype = ZOO[layers]
    draw = np.random.Generator(np.random.Philox(key=[4, 0]))
    features = draw.integers(0, 11, (ROWS, *shape)).astype(dtype)
    if dtype == "float32":
        features = draw.normal(size=(ROWS, *shape)).astype(dtype)
    rows = tf.constant(features), tf.constant(draw.integers(0, 3, ROWS))
    drawn = np.stack([draw.permutation(ROWS) for _ in range(MEMBERS)])
    models = [model_of(layers, shape, dtype, seed) for seed in range(MEMBERS)]
    begun, ended = [], []
    for number, model in enumerate(models):
        model.test_step(tuple(part[:1] for part in rows))
        model.reset_metrics()
        pure = Pure(model, seed_generators(model))
        for index, generator in enumerate(pure.generators):
            generator.assign([7 + number, index])
        begun.append([variable.numpy() for variable in pure.variables])
        for at in range(0, ROWS, BATCH):
            batch = drawn[number, at : at + BATCH]
            model.train_step(tuple(tf.gather(part, batch) for part in rows))
        ended.append([variable.numpy() for variable in pure.variables])

    pure = Pure(models[0], seed_generators(models[0]))
    program = Program(pure, lambda numbers: contextlib.nullcontext(), 0, rows, BATCH)
    numbers = np.zeros((MEMBERS, 0), np.float32)
    state = pure.state([tf.constant(np.stack(each)) for each in zip(*begun, strict=True)])
    assert program.ops
    if compiled:
        program.compile_for(state, numbers, ROWS // BATCH)
    after = program.train(state, numbers, drawn).all()
    for variable, value, *expected in zip(pure.variables, after, *ended, strict=True):
        if is_free(variable.path):
            continue
        for member in range(MEMBERS):
            found = value.numpy()[member]
            np.testing.assert_allclose(
                found, expected[member], rtol=RULE, atol=RULE, err_msg=variable.path
            )


def is_free(path: str) -> bool:
    """Whether the loss does not depend on the weight.

    Its gradient is rounding, of which Adam, dividing by its size, makes whole steps.
    """
    return "key/bias" in path
