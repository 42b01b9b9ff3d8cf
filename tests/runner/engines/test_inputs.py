"""Models with several inputs: numbers, codes and text together, from the dataset to the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.commands.restore import restore
from runner.components.types import Input
from runner.config.compose import compose
from runner.data.prepare import load, prepare, split
from runner.data.preprocess import as_given
from runner.errors import ConfigError, DataError, ModelError
from runner.model.build import build
from tests.conftest import Site
from tests.runner.pairs import compared

Train = Callable[..., Any]

MIXED = """
import numpy as np
from runner import Data, Splits, Stream, Task, Transform, architecture, dataset, preprocessing

WORDS = np.array(["red", "green", "blue"], dtype=object)

def table(rows, seed):
    draw = np.random.Generator(np.random.Philox(key=[seed, 9]))
    colour, size = draw.integers(0, 3, rows), draw.normal(size=(rows, 2))
    label = ((colour == 1) ^ (size[:, 0] > 0)).astype(int)
    return {"colour": WORDS[colour], "km": colour * 2 + 1, "size": size}, label

@dataset
def mixed():
    '''Text, whole numbers and measurements.'''
    return Data(*table(240, 0), Task.classification(2))

@dataset(identity=lambda: "mixed stream")
def flowing():
    '''The same as a stream.'''
    def part(rows, seed):
        features, labels = table(rows, seed)
        def read(generator):
            for at in range(0, rows, 50):
                yield {n: a[at:at + 50] for n, a in features.items()}, labels[at:at + 50]
        return Stream(rows, (features, labels), read)
    return Splits(part(200, 1), part(60, 2), None, Task.classification(2))

@dataset
def coded(*, highest: int = 3):
    '''Codes as they are.'''
    codes = np.arange(90) % (highest + 1)
    return Data({"code": codes, "value": np.ones(90)}, np.arange(90) % 2, Task.binary(),
                vocabulary={"code": 4})

@preprocessing
def lookup(features, *, column: str = "colour"):
    '''Text as codes; 0 is for what the training part lacks.'''
    import keras
    words = sorted(set(features[column]))
    layer = keras.layers.StringLookup(vocabulary=words)
    def apply(batch):
        return batch | {column: layer(batch[column])}
    return Transform(apply, {column: len(words) + 1})

@preprocessing
def together(features):
    '''All inputs as one array.'''
    from keras import ops
    def apply(batch):
        parts = [ops.cast(batch[name], "float32") for name in sorted(batch)]
        flat = [ops.reshape(p, (-1, 1)) if len(p.shape) == 1 else p for p in parts]
        return ops.concatenate(flat, -1)
    return apply

@architecture
def branches(inputs, outputs, *, as_list: bool = False, names: str = ""):
    '''An embedding for codes, the numbers as they are.'''
    import keras
    made, parts = {}, []
    for name, one in inputs.items():
        x = made[name] = keras.Input(one.shape, dtype=one.dtype, name=names + name)
        if one.vocabulary is not None:
            x = keras.layers.Embedding(one.vocabulary, 4, name=f"embed_{name}")(x)
        parts.append(x if len(x.shape) == 2 else keras.layers.Reshape((1,))(x))
    x = keras.layers.Dense(16, activation="relu", name="hidden")(keras.layers.Concatenate()(parts))
    x = keras.layers.Dense(outputs, name="head")(x)
    return keras.Model(list(made.values()) if as_list else made, x)
"""
WORDS = ("preprocessing=[lookup]", "architecture=branches", "epochs=3", "batch_size=16")


@pytest.fixture(autouse=True)
def mixed(site: Site) -> None:
    """A plugin with several inputs."""
    site.install(MIXED)


def test_the_architecture_is_told_what_each_input_is() -> None:
    config, _ = compose(["dataset=mixed", *WORDS])
    data = prepare(load(config), config)
    assert data.inputs == {
        "colour": Input((), "int32", 4),
        "km": Input((), "float32"),
        "size": Input((2,), "float32"),
    }
    assert data.shapes()["input_shape"] == {"colour": [], "km": [], "size": [2]}


def test_data_of_one_array_have_the_one_input_features() -> None:
    config, _ = compose(["dataset=iris"])
    assert prepare(load(config), config).inputs == {"features": Input((4,), "float32")}


@pytest.mark.many
@pytest.mark.parametrize(
    "more", [(), ("architecture.as_list=true", "regularizer=[batch_norm,l2]")]
)
@pytest.mark.parametrize("dataset", ["mixed", "flowing"])
@pytest.mark.slow
def test_both_engines_train_a_model_of_several_inputs(dataset: str, more: tuple[str, ...]) -> None:
    found = compared([f"dataset={dataset}", *WORDS, *more])
    assert found.engine == "fast"
    assert found.numbers <= 1e-6, found


@pytest.mark.slow
def test_a_restored_model_takes_raw_rows_by_name(
    train: Train, results: Path, tmp_path: Path
) -> None:
    outcome = train("dataset=mixed", *WORDS)
    assert outcome.status == "finished"
    import keras
    import tensorflow as tf

    model = keras.models.load_model(restore(outcome.run_id, tmp_path / "m.keras", results))
    config, _ = compose(["dataset=mixed", *WORDS])
    test = split(load(config), config.settings.split).test
    assert isinstance(test, tuple) and isinstance(test[0], dict)
    raw = {name: tf.constant(array) for name, array in test[0].items()}
    guesses = np.asarray(model(raw)).argmax(axis=1)
    assert (guesses == test[1]).mean() == pytest.approx(outcome.evaluations["test"]["accuracy"])


@pytest.mark.slow
def test_preprocessing_may_make_one_array_of_several_inputs(train: Train) -> None:
    outcome = train("dataset=mixed", "preprocessing=[lookup,together]", "epochs=2")
    assert outcome.status == "finished"


def test_an_architecture_of_one_input_is_refused_with_what_to_do() -> None:
    config, _ = compose(["dataset=mixed", "preprocessing=[lookup]", "architecture=mlp"])
    data = prepare(load(config), config)
    with pytest.raises(
        ConfigError, match=r"'mlp' takes one input .*\(colour, km, size\).*preprocessing"
    ):
        build(config, data)


def test_a_model_whose_inputs_have_other_names_is_refused() -> None:
    config, _ = compose(
        ["dataset=mixed", *WORDS, "architecture.as_list=true", "architecture.names=x_"]
    )
    data = prepare(load(config), config)
    with pytest.raises(
        ModelError, match="inputs x_colour, x_km, x_size, and the data have colour"
    ):
        build(config, data)


@pytest.mark.slow
def test_text_that_nothing_encodes_is_refused(train: Train) -> None:
    with pytest.raises(DataError, match="features 'colour' of type object; they must be numbers"):
        train("dataset=mixed", "architecture=branches")
    with pytest.raises(DataError, match="has text in 'features' that no preprocessing"):
        as_given(np.array(["a"]), {}, "dataset 'mixed'")


def test_codes_stay_integers_and_must_be_within_their_vocabulary() -> None:
    config, _ = compose(["dataset=coded"])
    data = prepare(load(config), config)
    assert data.inputs["code"] == Input((), "int32", 4)
    assert data.inputs["value"] == Input((), "float32")
    config, _ = compose(["dataset=coded", "dataset.highest=5"])
    with pytest.raises(DataError, match=r"the code \d in 'code' of train; a vocabulary of 4"):
        prepare(load(config), config)
