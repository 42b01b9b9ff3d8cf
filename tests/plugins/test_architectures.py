"""Built-in architectures: what they make of an input shape, and what they refuse."""

from __future__ import annotations

import typing

import pytest

from runner import ModelError
from runner.errors import ConfigError


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


@pytest.mark.parametrize(
    ("name", "shape", "params"),
    [
        ("linear", (5,), {}),
        ("linear", (8, 8, 1), {"bias": False}),
        ("mlp", (5,), {}),
        ("mlp", (), {}),
        ("mlp", (8, 8, 1), {"units": [], "activation": "tanh"}),
        ("cnn", (8, 8), {}),
        ("cnn", (8, 8, 3), {"blocks": [4, {"filters": 8, "pool": 1}], "units": [16]}),
        ("cnn", (9, 7, 1), {"padding": "valid", "pooling": "average", "blocks": [4]}),
        ("cnn", (3, 3, 1), {"blocks": []}),
        ("rnn", (7, 3), {}),
        ("rnn", (7, 3), {"cell": "gru", "units": [8, 4], "bidirectional": True}),
    ],
)
def test_an_architecture_ends_in_linear_outputs(make, name, shape, params):
    import keras

    model = make("architecture", name, input_shape=shape, outputs=6, **params)
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, 6)
    assert not model.compiled
    assert model.layers[-1].activation is keras.activations.linear
    assert model(keras.ops.zeros((2, *shape))).shape == (2, 6)


def test_mlp_has_one_width_a_layer_and_the_config_may_write_lists(make):
    model = make("architecture", "mlp", input_shape=(8, 8, 1), outputs=3, units=[7, 5])
    assert [layer.name for layer in model.layers[1:]] == ["flatten", "dense_1", "dense_2", "head"]
    assert [w.shape for w in model.weights] == [(64, 7), (7,), (7, 5), (5,), (5, 3), (3,)]


def test_cnn_says_conv32_pool_conv64_pool_dense10(make):
    blocks = [{"filters": 32, "kernel": 3, "pool": 2}, 64]
    model = make("architecture", "cnn", input_shape=(28, 28, 1), outputs=10, blocks=blocks)
    assert kinds(model) == ["Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense"]
    assert [w.shape for w in model.weights][::2] == [(3, 3, 1, 32), (3, 3, 32, 64), (3136, 10)]


def test_activations_are_all_of_keras(make):
    import keras
    from runner_plugins.architecture import _activations

    ours = set(typing.get_args(_activations.Activation))
    table = keras.activations.deserialize.__globals__["ALL_OBJECTS_DICT"]
    assert ours == set(table), "Keras' activations changed: follow in _activations.py"


def test_every_activation_makes_an_mlp(make):
    from runner_plugins.architecture import _activations

    for name in typing.get_args(_activations.Activation):
        model = make(
            "architecture", "mlp", input_shape=(4,), outputs=2, activation=name, units=[4]
        )
        assert model.output_shape == (None, 2), name


@pytest.mark.parametrize(
    ("name", "shape", "params", "said"),
    [
        ("cnn", (30,), {}, r"\(height, width, channels\).*shape \(30,\): try mlp"),
        ("cnn", (2, 3, 4, 5), {}, r"shape \(2, 3, 4, 5\)"),
        ("rnn", (30,), {}, r"\(steps, features\).*shape \(30,\): try mlp$"),
        ("rnn", (8, 8, 1), {}, "try mlp or cnn"),
        ("rnn", (8, 8), {"units": []}, "give units"),
        ("cnn", (3, 3, 1), {"blocks": [4, 4]}, r"blocks\[1\].*1x1.*too small to be pooled"),
        (
            "cnn",
            (4, 4, 1),
            {"padding": "valid", "blocks": [{"filters": 2, "kernel": 5}]},
            "kernel",
        ),
    ],
)
def test_an_input_that_does_not_fit_is_one_sentence(make, name, shape, params, said):
    with pytest.raises(ModelError, match=said) as told:
        make("architecture", name, input_shape=shape, outputs=2, **params)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mlp", {"units": [0]}),
        ("mlp", {"activation": "rellu"}),
        ("cnn", {"blocks": [0]}),
        ("cnn", {"blocks": [{"filters": 4, "pool": 0}]}),
        ("cnn", {"blocks": [{"kernel": 3}]}),
        ("rnn", {"cell": "elman"}),
        ("linear", {"bias": "perhaps"}),
    ],
)
def test_params_out_of_range_are_refused(make, name, params):
    with pytest.raises(ConfigError):
        make("architecture", name, input_shape=(8, 8), outputs=2, **params)
