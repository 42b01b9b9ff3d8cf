"""keras_app and transfer: weights into a network, frozen, then trained; and what is refused."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import ModelError, RunWeights
from runner.journal.records import EpochEnd
from tests.runner.pairs import Kept, apart, both, compared, events_of, job_of, resumed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ALL = ("dataset=arrays", "dataset.path=images.npz", "batch_size=16", "regularizer=[]")
SMALL = (
    *(*ALL, "architecture=transfer", "architecture.backbone=file"),
    "architecture.weights=small.keras",
)
THAW = ("epochs=4", "architecture.unfreeze_at=3", "architecture.unfreeze_learning_rate=1e-4")


def small(channels: int = 1) -> Any:
    """A trained network, as far as anybody can tell."""
    import keras

    layers = keras.layers
    inputs = keras.Input((12, 12, channels))
    x = layers.Conv2D(4, 3, strides=2, use_bias=False, name="first")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(5, 3, name="second")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(7, name="old_head")(x))
    model.get_layer("norm").moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where images lie, and the network in several formats."""
    import keras

    # Its initial weights would be others after every other test of the process.
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("transfer")
    draw = np.random.Generator(np.random.Philox(key=[6, 0]))
    images = draw.random((60, 12, 12, 1)).astype("float32")
    np.savez(folder / "images.npz", x=images, y=draw.integers(0, 3, 60))
    small().save(folder / "small.keras")
    return folder


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def of_file(folder: Path) -> dict[str, Any]:
    import keras

    return weights_of(keras.models.load_model(folder / "small.keras"))


def weights_of(model: Any) -> dict[str, Any]:
    return {"/".join(w.path.split("/")[-2:]): np.asarray(w) for w in model.weights}


def changed(before: dict[str, Any], tensors: Any) -> set[str]:
    """The weights of the backbone that are not what they were."""
    now = {"/".join(name.split("/")[-2:]): value for name, value in tensors.items()}
    return {
        name
        for name, value in before.items()
        if name in now and not np.array_equal(value, now[name])
    }


# --- Freezing and unfreezing ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "free"),
    [
        (("epochs=2",), set()),
        (THAW, {"first/kernel", "second/kernel", "second/bias"}),
        ((*THAW, "architecture.unfreeze_layers=1"), {"second/kernel", "second/bias"}),
        (
            # By this seed the best epoch comes well after the thaw.
            (*THAW, "seed=1", "architecture.unfreeze_batch_norm=true", "regularizer=[l2,dropout]"),
            {"first/kernel", "second/kernel", "second/bias", "norm/gamma", "norm/beta"}
            | {"norm/moving_mean", "norm/moving_variance"},
        ),
    ],
)
def test_what_is_frozen_stays_and_the_engines_agree(
    there: Path, words: Sequence[str], free: set[str]
) -> None:
    one, other = both([*SMALL, *words])
    found = apart(words, one, other)
    assert (found.engine, found.numbers, found.weights) == ("fast", 0, 0), found.where
    kept = [event for event in other if isinstance(event, Kept)][-1]
    assert changed(of_file(there), kept.tensors) == free


@pytest.mark.slow
def test_unfrozen_at_an_epoch_it_learns_at_a_rate_of_its_own(there: Path) -> None:
    job = job_of([*SMALL, *THAW])
    rates = [e.learning_rate for e in events_of(job) if isinstance(e, EpochEnd)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


def test_the_optimizer_has_state_for_all_weights_from_the_start(there: Path) -> None:
    frozen, thawed = (job_of([*SMALL, *words]).recipe for words in (("epochs=2",), THAW))
    # Adam's two moments, iterations and learning rate.
    assert len(frozen.model.optimizer.variables) == 2 + 2 * len(frozen.model.trainable_weights)
    assert len(thawed.model.optimizer.variables) == 2 + 2 * (2 + 5)
    assert len(thawed.model.trainable_weights) == 2


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_resumed_run_goes_on_frozen_or_not_as_it_was(there: Path, epoch: int) -> None:
    words = [*SMALL, *THAW, "optimizer=sgd", "optimizer.momentum=0.9"]
    whole = [e for e in events_of(job_of(words)) if isinstance(e, EpochEnd)]
    again = [e for e in resumed(words, "fast", "keras", epoch) if isinstance(e, EpochEnd)]
    assert [(e.loss, e.learning_rate) for e in again] == [(e.loss, e.learning_rate) for e in whole]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_half_precision_and_other_optimizers_are_unfrozen_too(there: Path) -> None:
    for words in (
        ("precision=mixed_float16",),
        ("optimizer=schedule_free_adamw",),
        ("optimizer.gradient_accumulation_steps=2", "schedule=reduce_on_plateau"),
    ):
        found = compared([*SMALL, "epochs=3", "architecture.unfreeze_at=2", *words])
        assert (found.engine, found.numbers, found.weights) == ("fast", 0, 0), found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("optimizer.use_ema=true",), "unfreeze_at does not go with optimizer.use_ema"),
        (("schedule=cosine",), "unfreeze_learning_rate=0.0001 does not go with a schedule"),
        (("architecture.unfreeze_layers=9",), "unfreeze_layers=9: file has 3 layers"),
        (("architecture.unfreeze_at=null",), "say when, architecture.unfreeze_at"),
    ],
)
def test_what_cannot_be_unfrozen_so_is_told_before_training(
    there: Path, words: Sequence[str], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as told:
        job_of([*SMALL, *THAW, *words]).make()
    assert "\n" not in str(told.value)


# --- Weights into networks -----------------------------------------------------------------------


def backbone(model: Any) -> Any:
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


@pytest.fixture(scope="module")
def mobile(folder: Path) -> Any:
    """A small network of keras.applications with odd weights, saved in every format."""
    import keras
    from safetensors.numpy import save_file

    net = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    draw = np.random.default_rng(0)
    net.set_weights([draw.random(w.shape).astype("float32") for w in net.weights])
    whole = keras.Model(net.inputs, keras.layers.Dense(4, name="old")(net.outputs[0]))
    whole.save(folder / "mobile.keras")
    net.save_weights(folder / "mobile.weights.h5")
    save_file({w.path: np.array(w) for w in whole.weights}, folder / "mobile.safetensors")
    _legacy(net, folder / "mobile.h5")
    return net


def _legacy(net: Any, path: Path) -> None:
    """A file as Keras 2 wrote it: a group for each layer."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in net.layers]
        for layer in net.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{w.name}:0" for w in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.array(weight)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5", ".safetensors"])
def test_every_format_gives_the_same_weights(make, folder, mobile, ending) -> None:
    params = {"backbone": "MobileNet", "weights": str(folder / f"mobile{ending}")}
    model = make("architecture", "transfer", input_shape=(32, 32), outputs=2, **params)
    for ours, theirs in zip(backbone(model).weights, mobile.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [w.path for w in model.trainable_weights] == ["head/kernel", "head/bias"]


def test_layers_that_keras_numbered_otherwise_are_matched_in_their_order(make, tmp_path) -> None:
    import keras

    def network() -> Any:
        inputs = keras.Input((4,))
        x = keras.layers.Dense(3)(keras.layers.Dense(5)(inputs))
        return keras.Model(inputs, x)

    from runner_plugins.architecture._weights import put_weights

    first, second = network(), network()
    first.save(tmp_path / "first.keras")
    put_weights(second, tmp_path / "first.keras", "it")
    for ours, theirs in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_of_an_earlier_run_fit_by_the_names_of_layers(make, mobile) -> None:
    import keras

    inputs = keras.Input((32, 32, 3), name="raw")
    whole = keras.Model(inputs, keras.layers.Dense(4, name="head")(mobile(inputs)))
    earlier = RunWeights("1234", load=lambda: whole)
    params = {"network": "MobileNet", "weights": earlier, "dropout": 0.1}
    model = make("architecture", "keras_app", input_shape=(32, 32, 3), outputs=2, **params)
    for ours, theirs in zip(backbone(model).weights, mobile.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(model.trainable_weights) == len(mobile.trainable_weights) + 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"weights": "mobile.keras", "backbone": "MobileNetV2"}, "lacks Conv1, bn_Conv1.*conv1"),
        ({"weights": "small.keras"}, r"lacks conv1, conv1_bn.*has first, norm, second, old_head"),
        ({"weights": "nowhere.h5"}, "nowhere.h5 is not there"),
        ({"weights": "images.npz"}, r"no file of weights: give \.keras"),
        ({"weights": "broken.h5"}, "broken.h5 is no HDF5 file"),
        ({"weights": "broken.keras"}, "broken.keras is no model that Keras can load"),
        ({"weights": "broken.safetensors"}, "is no safetensors file"),
        ({"weights": "broken.weights.h5"}, "does not fit MobileNet"),
        (
            {"weights": "wide.safetensors"},
            r"its layer conv1 has weights of shapes \(3, 3, 1, 32\)",
        ),
        ({}, "needs trained weights"),
        ({"backbone": "run", "weights": "small.keras"}, "weights=run:<id>"),
        ({"backbone": "file", "weights": "imagenet"}, "takes the network that a file holds"),
        ({"backbone": "file", "weights": "small.keras"}, r"shape \(12, 12, 1\), and these have"),
        ({"backbone": "Xception", "weights": "small.keras"}, "71x71 pixels.*32x32.*resize=71"),
        ({"weights": "mobile.keras", "resize": 20}, "resize=20 is too small.*32x32"),
    ],
)
def test_weights_and_sizes_that_do_not_fit_are_one_sentence(
    make, there, mobile, params, said
) -> None:
    from safetensors.numpy import load_file, save_file

    for name in ("broken.h5", "broken.keras", "broken.safetensors", "broken.weights.h5"):
        (there / name).write_bytes(b"nothing")
    wide = load_file("mobile.safetensors") | {"conv1/kernel": np.zeros((3, 3, 1, 32), "float32")}
    save_file(wide, "wide.safetensors")
    params = {"backbone": "MobileNet"} | params
    with pytest.raises(ModelError, match=said) as told:
        make("architecture", "transfer", input_shape=(32, 32, 3), outputs=2, **params)
    assert "\n" not in str(told.value)


def test_five_channels_are_refused(make) -> None:
    with pytest.raises(ModelError, match="5 channels: try cnn"):
        make("architecture", "keras_app", input_shape=(32, 32, 5), outputs=2)


def test_imagenet_without_a_network_is_one_sentence(make, monkeypatch, tmp_path) -> None:
    import keras

    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError("no way out")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    monkeypatch.setattr(keras.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    params = {"network": "MobileNetV2", "weights": "imagenet", "resize": 96}
    with pytest.raises(
        ModelError, match=r"MobileNetV2 are not in Keras' cache.*no way out"
    ) as said:
        make("architecture", "keras_app", input_shape=(32, 32, 3), outputs=2, **params)
    assert "\n" not in str(said.value)


# --- keras.applications --------------------------------------------------------------------------


def test_the_names_are_all_of_keras_applications() -> None:
    import keras
    from runner_plugins.architecture._applications import APPLICATIONS

    functions = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    assert set(APPLICATIONS) == set(functions), "Keras' applications changed: follow them"


def test_pixels_are_scaled_as_each_of_them_expects() -> None:
    import importlib

    import keras
    from runner_plugins.architecture._applications import APPLICATIONS, as_expected

    pixels = np.random.default_rng(0).random((2, 3, 3, 3)).astype("float32")
    for name in APPLICATIONS:
        module = importlib.import_module(getattr(keras.applications, name).__module__)
        wanted = module.preprocess_input(pixels.copy() * 255)
        for white in (1.0, 255.0):
            ours = as_expected(pixels * white, name, white)
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=2e-4, err_msg=name)


def test_the_smallest_sizes_are_those_of_keras() -> None:
    import keras
    from runner_plugins.architecture._applications import SMALLEST

    for name in ("MobileNet", "VGG16", "Xception", "InceptionV3", "InceptionResNetV2"):
        make, least = getattr(keras.applications, name), SMALLEST.get(name, 32)
        with pytest.raises(ValueError, match=f"at least {least}x{least}"):
            make(include_top=False, weights=None, input_shape=(least, least - 1, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionV3", "NASNetMobile"),
        *("MobileNetV3Small", "ResNet50", "ResNet50V2", "VGG16", "ConvNeXtTiny", "Xception"),
    ],
)
@pytest.mark.exhaustive
def test_one_of_each_family_trains(there: Path, name: str) -> None:
    job = job_of(
        [
            *(*ALL, "architecture=keras_app", f"architecture.network={name}"),
            *("architecture.resize=75", "limit_batches=1", "batch_size=2", "epochs=1"),
        ]
    )
    job.recipe.model.run_eagerly = True  # to trace them takes longer than all else
    losses = [e.loss for e in events_of(job) if isinstance(e, EpochEnd)]
    assert len(losses) == 1 and np.isfinite(losses[0])
