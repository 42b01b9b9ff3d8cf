"""Columns of any name are inputs of what is exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.files import plain_names

CASES = {
    "age": "age",
    "Alter (J.)": "Alter_J",
    "größe": "grosse",
    "a b": "a_b",
    "a.b": "a_b_2",
    "1a": "column_1a",
    "_x": "x",
    "it's": "it_s",
    "class": "column_class",
    "self": "column_self",
    "日本": "column",
}


def test_names_stay_near_those_of_the_columns() -> None:
    assert plain_names(CASES) == CASES


def test_a_column_that_has_a_plain_name_keeps_it() -> None:
    assert plain_names(["a b", "a_b", "A B"]) == {"a b": "a_b_2", "a_b": "a_b", "A B": "A_B_3"}


@pytest.mark.slow
@given(st.lists(st.text(max_size=6), unique=True))
def test_every_name_is_an_identifier_and_none_comes_twice(names: list[str]) -> None:
    plain = plain_names(names)
    assert list(plain) == names
    assert all(name.isidentifier() and name.isascii() for name in plain.values())
    changed = {new for old, new in plain.items() if new != old}
    assert len(set(plain.values())) == len(names)
    assert len({name.lower() for name in changed}) == len(changed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(?s).*tf.lite.Interpreter is deprecated")
def test_a_savedmodel_and_a_tflite_say_what_the_model_says(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    from runner.commands.export import write_model

    inputs: Any = {name: keras.Input((1,), name=name) for name in ("Alter (J.)", "größe", "b")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    values = {name: np.full((2, 1), i, "float32") for i, name in enumerate(inputs)}
    expected = np.asarray(model(values))
    for form in ("savedmodel", "tflite"):
        changed = write_model("run", model, tmp_path / form, form)
        assert changed == {"Alter (J.)": "Alter_J", "größe": "grosse"}
    assert json.loads((tmp_path / "savedmodel" / "inputs.json").read_text("utf-8")) == changed
    given_plain = {changed.get(name, name): value for name, value in values.items()}
    served = tf.saved_model.load(tmp_path / "savedmodel").signatures["serving_default"]
    (output,) = served(
        **{name: tf.constant(value) for name, value in given_plain.items()}
    ).values()
    assert np.allclose(output, expected)
    lite = tf.lite.Interpreter(str(tmp_path / "tflite")).get_signature_runner()
    one = {name: value[:1] for name, value in given_plain.items()}
    (output,) = lite(**one).values()
    assert np.allclose(output, expected[:1])
