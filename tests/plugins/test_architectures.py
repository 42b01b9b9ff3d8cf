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
        ("cnn", (9, 7, 1), {"normalization": "batch", "units": [4], "reduce": "max"}),
        ("mlp", (5,), {"normalization": "layer"}),
        ("rnn", (7, 3), {}),
        ("rnn", (7, 3), {"cell": "gru", "units": [8, 4], "bidirectional": True}),
        ("rnn", (7, 3), {"padding": 0, "normalization": "batch"}),
        ("rnn", (7,), {"vocabulary": 9, "embedding": 4}),
        ("resnet", (8, 8, 3), {"filters": 2}),
        ("resnet", (64, 70), {"filters": 2, "stages": [1], "normalization": "none"}),
        ("conv1d", (7, 3), {"blocks": [4, {"filters": 4, "pool": 2}], "reduce": "flatten"}),
        ("conv1d", (7, 3), {"padding": "causal", "units": [4], "normalization": "none"}),
        ("conv1d", (7,), {"vocabulary": 9, "embedding": 4, "blocks": [4], "reduce": "max"}),
        ("transformer", (7, 3), {"width": 8}),
        ("transformer", (7,), {"vocabulary": 9, "width": 8, "positions": "learned"}),
        ("transformer", (7,), {"vocabulary": 9, "width": 8, "norm_first": False}),
        ("embed", (7,), {"vocabulary": 9, "width": 4, "units": [4]}),
        ("keras_app", (40, 40), {"network": "MobileNet"}),
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

    ours = set(typing.get_args(_activations.Name))
    table = keras.activations.deserialize.__globals__["ALL_OBJECTS_DICT"]
    assert ours == set(table), "Keras' activations changed: follow in _activations.py"


def test_every_activation_makes_an_mlp(make):
    from runner_plugins.architecture import _activations

    for name in typing.get_args(_activations.Name):
        model = make(
            "architecture", "mlp", input_shape=(4,), outputs=2, activation=name, units=[4]
        )
        assert model.output_shape == (None, 2), name


@pytest.mark.parametrize(
    ("name", "shape", "params", "said"),
    [
        ("cnn", (30,), {}, r"\(height, width, channels\).*shape \(30,\): try mlp"),
        ("cnn", (2, 3, 4, 5), {}, r"shape \(2, 3, 4, 5\)"),
        ("rnn", (30,), {}, r"\(steps, features\).*shape \(30,\): try mlp, or"),
        ("rnn", (8, 8, 1), {}, "try mlp or cnn"),
        ("rnn", (8, 8), {"units": []}, "give units"),
        ("cnn", (3, 3, 1), {"blocks": [4, 4]}, r"blocks\[1\].*1x1.*too small to be pooled"),
        ("resnet", (30,), {}, r"images.*\(30,\)"),
        ("resnet", (3, 3, 1), {"stages": [1, 1, 1, 1]}, r"stage 4 would halve maps of 1x1.*3x3"),
        ("resnet", (8, 8, 1), {"stages": []}, "give stages"),
        ("conv1d", (30,), {}, r"\(30,\).*architecture.vocabulary"),
        ("conv1d", (7, 3), {"padding": "valid", "blocks": [{"filters": 2, "kernel": 8}]}, "7 st"),
        ("conv1d", (7, 3), {"blocks": [{"filters": 2, "pool": 8}]}, r"7 steps.*pooled by 8"),
        (
            "conv1d",
            (7, 3),
            {"blocks": [{"filters": 2, "stride": 2, "dilation": 2}]},
            r"blocks\[0\] has stride 2 and dilation 2",
        ),
        ("transformer", (30,), {}, "architecture.vocabulary"),
        ("transformer", (7, 3), {"width": 64, "heads": 5}, "heads=5.*width=64.*1, 2, 4, 8 heads"),
        ("embed", (8, 8, 1), {}, "try mlp or cnn"),
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
        ("resnet", {"stages": [0]}),
        ("conv1d", {"blocks": [{"filters": 4, "dilation": 0}]}),
        ("transformer", {"dropout": 1.0}),
        ("embed", {"vocabulary": 0}),
        ("linear", {"bias": "perhaps"}),
    ],
)
def test_params_out_of_range_are_refused(make, name, params):
    with pytest.raises(ConfigError):
        make("architecture", name, input_shape=(8, 8), outputs=2, **params)


def test_a_resnet_of_the_paper_has_the_papers_size(make):
    cifar = make("architecture", "resnet", input_shape=(32, 32, 3), outputs=10, stages=[3, 3, 3])
    assert round(cifar.count_params() / 1e6, 2) == 0.27  # table 6: ResNet-20
    plain = {"stages": [2, 2, 2, 2], "filters": 64}
    large = make("architecture", "resnet", input_shape=(224, 224, 3), outputs=1000, **plain)
    assert round(large.count_params() / 1e6, 1) == 11.7  # ResNet-18
    assert large.get_layer("average").input.shape == (None, 7, 7, 512)


def test_positions_are_the_papers_sinusoids_and_are_not_trained(make):
    import numpy as np

    model = make("architecture", "transformer", input_shape=(7, 3), outputs=2, width=8)
    table = model.get_layer("positions").get_weights()[0]
    assert table[0] == pytest.approx([0, 1] * 4)
    assert table[5, 2:4] == pytest.approx([np.sin(5 / 10), np.cos(5 / 10)], abs=1e-6)
    assert "positions/embeddings" not in [w.path for w in model.trainable_weights]


@pytest.mark.parametrize("name", ["rnn", "transformer", "embed", "conv1d"])
def test_padding_after_a_text_changes_nothing(make, name):
    import numpy as np

    params = {"blocks": []} if name == "conv1d" else {}
    model = make("architecture", name, input_shape=(7,), outputs=2, vocabulary=9, **params)
    short = make("architecture", name, input_shape=(4,), outputs=2, vocabulary=9, **params)
    for ours, theirs in zip(short.weights, model.weights, strict=True):
        ours.assign(theirs[: ours.shape[0]])  # fewer positions
    text = np.array([[3, 1, 4, 1]], "float32")
    padded = np.pad(text, ((0, 0), (0, 3)))
    np.testing.assert_allclose(model(padded), short(text), rtol=0, atol=1e-6)


def test_padded_steps_of_a_series_are_skipped(make):
    import numpy as np

    model = make("architecture", "rnn", input_shape=(7, 3), outputs=2, padding=0)
    series = np.random.default_rng(0).normal(size=(1, 7, 3)).astype("float32")
    series[:, 4:] = 0
    other = make("architecture", "rnn", input_shape=(4, 3), outputs=2)
    other.set_weights(model.get_weights())
    np.testing.assert_allclose(model(series), other(series[:, :4]), rtol=0, atol=1e-6)


def test_a_text_without_a_token_gives_finite_outputs(make):
    import numpy as np

    for name in ("rnn", "transformer", "embed", "conv1d"):
        for reduce in ("average", "max"):
            params = {} if name == "rnn" else {"reduce": reduce}
            model = make("architecture", name, input_shape=(7,), outputs=2, vocabulary=9, **params)
            assert np.isfinite(model(np.zeros((1, 7), "float32"))).all(), (name, reduce)


def test_causal_convolutions_see_no_later_step(make):
    import keras
    import numpy as np

    params = {"padding": "causal", "normalization": "none"}
    model = make("architecture", "conv1d", input_shape=(9, 2), outputs=2, **params)
    steps = keras.Model(model.input, model.get_layer("conv_3").output)
    series = np.random.default_rng(0).normal(size=(1, 9, 2)).astype("float32")
    later = series.copy()
    later[:, 6:] += 1
    first, second = np.asarray(steps(series)), np.asarray(steps(later))
    np.testing.assert_array_equal(first[:, :6], second[:, :6])
    assert (first[:, 6:] != second[:, 6:]).any()


@pytest.mark.parametrize(
    ("name", "shape", "params"),
    [
        ("resnet", (8, 8, 1), {"filters": 2, "stages": [1, 1]}),
        ("conv1d", (7, 3), {"blocks": [4]}),
        ("transformer", (7,), {"vocabulary": 9, "width": 8}),
        ("embed", (7,), {"vocabulary": 9, "width": 4, "units": [4]}),
    ],
)
def test_regularizers_and_a_saved_graph_work_on_it(make, name, shape, params):
    import keras
    import numpy as np

    from runner import Recipe, Task

    model = make("architecture", name, input_shape=shape, outputs=2, **params)
    recipe = Recipe(model, "mse", keras.optimizers.SGD())
    for regularizer in ("batch_norm", "dropout", "l2", "max_norm"):
        recipe = make("regularizer", regularizer, recipe=recipe, task=Task.classification(2))
    again = keras.models.model_from_json(recipe.model.to_json())
    again.set_weights(recipe.model.get_weights())
    rows = np.ones((3, *shape), "float32")
    np.testing.assert_array_equal(again(rows), recipe.model(rows))
    assert any(isinstance(layer, keras.layers.Dropout) for layer in recipe.model.layers)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_large_token_ids_apart(make, precision):
    import keras
    import numpy as np

    keras.config.set_dtype_policy(precision)
    try:
        for name in ("rnn", "transformer", "embed", "conv1d"):
            model = make("architecture", name, input_shape=(3,), outputs=2, vocabulary=5000)
            ids = np.array([[4097, 4097, 0], [4098, 4098, 0]], "float32")
            one, other = np.asarray(model(ids)).astype("float32")
            assert np.isfinite(one).all() and (one != other).any(), name
    finally:
        keras.config.set_dtype_policy("float32")


def test_the_data_may_say_how_many_tokens_there_are(make):
    from runner import Input

    tokens = {"features": Input((7,), "int32", vocabulary=9)}
    for name in ("rnn", "transformer", "embed", "conv1d"):
        model = make("architecture", name, input_shape=(7,), inputs=tokens, outputs=2)
        assert model.inputs[0].dtype == "int32"
        assert model.get_layer("embedding").input_dim == 9
    both = tokens | {"place": Input(())}
    with pytest.raises(ModelError, match=r"takes one input and the data have 2 .features, place"):
        make("architecture", "rnn", input_shape=(), inputs=both, outputs=2)


def test_wide_and_deep_takes_numbers_and_codes_of_any_shape(make):
    import keras
    import numpy as np

    from runner import Input

    inputs = {
        "size": Input(()),
        "pixels": Input((2, 3)),
        "colour": Input((), "int32", vocabulary=5),
        "words": Input((4,), "int32", vocabulary=9),
    }
    params = {"units": [6], "embedding": 3, "dropout": 0.1}
    model = make("architecture", "wide_and_deep", inputs=inputs, outputs=2, **params)
    rows = {name: np.ones((5, *given.shape), given.dtype) for name, given in inputs.items()}
    assert model(rows).shape == (5, 2)
    # 1 + 6 numbers and 5 + 9 codes, a weight each; numbers and 1 + 4 embedded codes.
    wide = sum(w.shape[0] for w in model.weights if "wide" in w.path)
    assert wide == 7 + 14
    assert model.get_layer("dense_1").kernel.shape == (7 + 5 * 3, 6)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(rows), model(rows))
