"""Built-in preprocessing: fitted on what it is given, kept inside a saved model."""

from __future__ import annotations

import numpy as np
import pytest

from runner import DataError, Task

NAN = float("nan")
TABLE = np.array([[1.0, 10, 5], [2, NAN, 5], [3, 30, 5], [4, 50, 5]], "float32")
IMAGES = np.random.default_rng(0).uniform(0, 255, (12, 4, 4, 3)).astype("float32")


def fit(make, name, features, **params):
    return make(
        "preprocessing",
        name,
        features=features,
        targets=np.zeros(len(features)),
        task=Task.regression(),
        **params,
    )


def as_model(transform, features):
    """What the runner makes of a transformation."""
    import keras

    inputs = keras.Input(features.shape[1:])
    return keras.Model(inputs, transform(inputs))


def applied(make, name, features, **params):
    model = as_model(fit(make, name, features, **params), features)
    return np.asarray(model(features))


def test_standardize_gives_mean_0_and_deviation_1_and_keeps_nan(make):
    got = applied(make, "standardize", TABLE)
    assert np.nanmean(got, axis=0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert np.nanstd(got, axis=0) == pytest.approx([1, 1, 0], abs=1e-5)
    assert np.isnan(got).sum() == 1


@pytest.mark.parametrize("name", ["standardize", "minmax"])
def test_a_constant_column_is_not_blown_up_by_a_later_difference(make, name):
    transform = fit(make, name, TABLE)
    model = as_model(transform, TABLE)
    later = np.asarray(model(np.array([[1, 10, 5.5]], "float32")))
    assert later[0, 2] == pytest.approx(0.5)


@pytest.mark.parametrize("per, axes", [("channel", (0, 1, 2)), ("position", 0), ("all", None)])
def test_standardize_takes_statistics_per_channel_position_or_all(make, per, axes):
    got = applied(make, "standardize", IMAGES, per=per)
    mean, std = IMAGES.mean(axis=axes), IMAGES.std(axis=axes)
    assert got == pytest.approx((IMAGES - mean) / std, abs=1e-4)


def test_standardize_survives_large_offsets(make):
    """Computed in float64: squares of large float32 numbers would lose the variance."""
    years = (1e6 + np.arange(50)).reshape(-1, 1).astype("float32")
    assert applied(make, "standardize", years).std() == pytest.approx(1, abs=0.01)


def test_minmax_spans_the_range(make):
    got = applied(make, "minmax", TABLE, low=-1, high=3)
    assert np.nanmin(got, axis=0) == pytest.approx([-1, -1, -1])
    assert np.nanmax(got, axis=0) == pytest.approx([3, 3, -1])


def test_minmax_clips_what_comes_later_if_asked(make):
    for clip, expected in ((False, 3.0), (True, 1.0)):
        model = as_model(fit(make, "minmax", TABLE, clip=clip), TABLE)
        later = np.asarray(model(np.array([[10, 10, 5]], "float32")))
        assert later[0, 0] == pytest.approx(expected)


def test_minmax_with_an_empty_range_is_one_sentence(make):
    with pytest.raises(DataError, match=r"low=1\.0 is not below"):
        fit(make, "minmax", TABLE, low=1)


@pytest.mark.parametrize(
    ("params", "filled"),
    [
        ({}, 30.0),
        ({"strategy": "median"}, 30.0),
        ({"strategy": "constant", "value": -7}, -7.0),
        ({"per": "all"}, np.nanmean(TABLE)),
    ],
)
def test_impute_fills_nan_and_nothing_else(make, params, filled):
    got = applied(make, "impute", TABLE, **params)
    assert got[1, 1] == pytest.approx(filled)
    known = np.isfinite(TABLE)
    assert (got[known] == TABLE[known]).all()


def test_impute_with_nothing_to_go_by_is_one_sentence(make):
    empty = np.array([[1, NAN], [2, NAN]], "float32")
    with pytest.raises(DataError, match="1 columns hold no value"):
        fit(make, "impute", empty)
    assert applied(make, "impute", empty, strategy="constant")[:, 1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("standardize", {}),
        ("minmax", {"low": -1.0, "clip": True}),
        ("impute", {"strategy": "median"}),
    ],
)
def test_it_becomes_part_of_a_saved_model_without_classes_of_ours(make, tmp_path, name, params):
    import keras

    model = as_model(fit(make, name, TABLE, **params), TABLE)
    model.save(tmp_path / "part.keras")
    again = keras.models.load_model(tmp_path / "part.keras")
    assert np.array_equal(np.asarray(again(TABLE)), np.asarray(model(TABLE)), equal_nan=True)


def test_preprocessing_stays_in_float32_under_mixed_precision(make):
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        got = applied(make, "standardize", TABLE * 1e5)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.nanstd(got[:, 0]) == pytest.approx(1, abs=1e-3)


def test_features_that_are_no_numbers_are_one_sentence(make):
    with pytest.raises(DataError, match="no numbers"):
        fit(make, "standardize", np.array([["a"], ["b"]]))
