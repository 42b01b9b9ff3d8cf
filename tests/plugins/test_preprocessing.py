"""Built-in preprocessing: fitted on what it is given, kept inside a saved model."""

from __future__ import annotations

import numpy as np
import pytest

from runner import DataError, Task, Transform
from runner.components.types import Splits
from runner.data.prepare import load
from runner.data.preprocess import preprocess
from tests.runner.pairs import events_of, job_of

NAN = float("nan")
TABLE = np.array([[1.0, 10, 5], [2, NAN, 5], [3, 30, 5], [4, 50, 5]], "float32")
MIXED = {
    "age": np.array([20, 30, NAN, 50, 60, 20], "float32"),
    "rooms": np.array([1, 2, 3, 4, 5, 60], "int64"),
    "city": np.array(["oslo", "zürich", "oslo", "", "bonn", "oslo"], object),
    "owner": np.array([True, False, True, True, False, False]),
    "code": np.array([0, 1, 2, 0, 1, 2], "int64"),
    "place": np.arange(12, dtype="float32").reshape(6, 2),
}
CODES = {"code": 3}
WHOLE = np.array([[0, 10], [2, 10], [0, 30], [4, 10]], "float32")
TEXT = np.array([["a", "x"], ["b", "y"], ["a", ""]], object)
IMAGES = np.random.default_rng(0).uniform(0, 255, (12, 4, 4, 3)).astype("float32")


def fit(make, name, features, vocabulary=None, **params):
    return make(
        "preprocessing",
        name,
        features=features,
        targets=np.zeros(len(columns_of(features))),
        task=Task.regression(),
        vocabulary=vocabulary or {},
        **params,
    )


def columns_of(features):
    """The one array, or the first of several."""
    return next(iter(features.values())) if isinstance(features, dict) else features


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


def test_impute_says_what_was_missing(make):
    got = applied(make, "impute", TABLE, indicator=True)
    assert got[:, 3].tolist() == [0, 1, 0, 0]
    assert got.shape == (4, 4)  # the other columns miss nothing in the training split
    assert applied(make, "impute", TABLE[[0, 2, 3]], indicator=True).shape == (3, 3)


def test_robust_is_not_moved_by_an_outlier(make):
    column = np.array([[1], [2], [3], [4], [5]], "float32")
    assert applied(make, "robust", column).ravel() == pytest.approx([-1, -0.5, 0, 0.5, 1])
    column[4] = 1e6
    assert applied(make, "robust", column)[:4].ravel() == pytest.approx([-1, -0.5, 0, 0.5])
    narrow = applied(make, "robust", column, low=0.4, high=0.6)
    assert narrow[1, 0] == pytest.approx(-1 / 0.8)
    with pytest.raises(DataError, match=r"low=0\.7 is not below high=0\.6"):
        fit(make, "robust", column, low=0.7, high=0.6)


def test_clip_holds_outliers_by_quantile_or_by_deviation(make):
    column = np.arange(101, dtype="float32").reshape(-1, 1)
    got = applied(make, "clip", column, low=0.1, high=0.8)
    assert (got.min(), got.max()) == (10, 80)
    got = applied(make, "clip", column, by="deviation", deviations=1)
    assert got.max() == pytest.approx(50 + column.std(), rel=1e-5)
    with_gaps = applied(make, "clip", TABLE)
    assert np.isnan(with_gaps).sum() == 1
    with pytest.raises(DataError, match="is not below"):
        fit(make, "clip", column, low=0.5, high=0.5)


def test_log_shortens_both_sides_if_asked(make):
    column = np.array([[-3], [0], [9]], "float32")
    got = applied(make, "log", column, signed=True).ravel()
    assert got == pytest.approx([-np.log(4), 0, np.log(10)], rel=1e-6)
    assert applied(make, "log", column[1:])[1, 0] == pytest.approx(np.log(10), rel=1e-6)
    with pytest.raises(DataError, match=r"value -3, .*signed=true"):
        fit(make, "log", column)


def test_one_hot_gives_a_column_for_each_category_and_one_for_the_rest(make):
    model = as_model(fit(make, "one_hot", WHOLE, columns=[0]), WHOLE)
    got = np.asarray(model(np.array([[0, 7], [4, 8], [3, 9], [NAN, 9]], "float32")))
    assert got[:, :4].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert got[:, 4].tolist() == [7, 8, 9, 9]
    # Of equally frequent ones the first; the missing text is among the rest.
    few = transformed(TEXT, "one_hot", limit=1)
    assert few.tolist() == [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0]]
    with pytest.raises(DataError, match=r"column 1 holds 0\.5"):
        fit(make, "one_hot", np.array([[1, 0.5]], "float32"))


def test_embed_gives_codes_with_their_number(make):
    made = fit(make, "embed", MIXED, CODES)
    assert isinstance(made, Transform) and made.vocabulary == {"city": 4, "code": 4}
    got = transformed(MIXED, "embed")
    assert got["city"].tolist() == [1, 3, 1, 0, 2, 1]
    assert got["age"][0] == 20
    assert transformed(TEXT[:, 0], "embed").tolist() == [1, 2, 1]
    assert fit(make, "embed", WHOLE).vocabulary == {"features": 4}
    with pytest.raises(DataError, match="codes and other numbers into one table"):
        fit(make, "embed", WHOLE, columns=[0])


def test_hash_needs_no_vocabulary_and_stays_the_same(make):
    got = transformed(MIXED, "hash", bins=50, output="codes", salt=3)
    assert got["city"].tolist() == [0, 40, 0, 14, 14, 0]  # in every process and version
    rows = transformed(MIXED, "hash", bins=50, salt=3)["city"]
    assert rows.argmax(axis=1).tolist() == got["city"].tolist() and rows.shape == (6, 50)


def test_bucketize_has_as_many_rows_in_each_range(make):
    column = np.random.default_rng(0).lognormal(size=(400, 1)).astype("float32")
    got = applied(make, "bucketize", column, bins=4)
    assert got.sum(axis=0).tolist() == [100, 100, 100, 100]
    # Where most values are equal there are fewer ranges.
    column[100:] = 1
    assert applied(make, "bucketize", column, bins=4).shape[1] < 4
    codes = transformed(MIXED, "bucketize", bins=2, columns=["rooms"], output="codes")
    assert codes["rooms"].tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(DataError, match="missing values"):
        fit(make, "bucketize", TABLE)


def test_cross_tells_combinations_apart(make):
    got = transformed(MIXED, "cross", columns=[["city", "code"]], bins=1000, output="codes")
    assert len(set(got["city_x_code"].tolist())) == 5  # oslo with code 2 is there twice
    assert got["city_x_code"][2] == got["city_x_code"][5]
    beside = applied(make, "cross", WHOLE, columns=[[0, 1]], bins=4)
    assert np.array_equal(beside[:, :2], WHOLE)
    assert beside[:, 2:].sum(axis=1).tolist() == [1, 1, 1, 1]
    with pytest.raises(DataError, match="two columns"):
        fit(make, "cross", WHOLE, columns=[[0]])


@pytest.mark.parametrize("numbers", ["standardize", "minmax", "robust", "keep"])
def test_encode_makes_one_array_of_everything(numbers):
    got = transformed(MIXED, "encode", numbers=numbers, limit=2)
    assert got.dtype == "float32" and got.shape == (6, 1 + 1 + 3 + 1 + 3 + 2)
    assert np.isfinite(got).all()
    known = np.isfinite(MIXED["age"])
    assert np.corrcoef(got[known, 0], MIXED["age"][known])[0, 1] == pytest.approx(1)
    filled = {"standardize": 0, "minmax": 0, "robust": 0, "keep": 36}
    assert got[2, 0] == pytest.approx(filled[numbers])
    assert got[:, 2:5].tolist()[:2] == [[0, 1, 0], [1, 0, 0]]  # bonn is first of bonn and zürich
    assert got[:, 5].tolist() == [1, 0, 1, 1, 0, 0]


def test_encode_scales_one_array_and_keeps_its_shape(make):
    assert applied(make, "encode", TABLE) == pytest.approx(
        np.nan_to_num(applied(make, "standardize", TABLE)), abs=1e-6
    )
    assert applied(make, "encode", IMAGES).shape == IMAGES.shape


ALL = {
    "standardize": {},
    "robust": {},
    "minmax": {"low": -1.0, "clip": True},
    "impute": {"strategy": "median", "indicator": True},
    "clip": {"by": "deviation"},
    "log": {"signed": True},
    "one_hot": {"limit": 2},
    "embed": {},
    "hash": {"bins": 7},
    "bucketize": {"columns": ["rooms"], "bins": 3},
    "cross": {"columns": [["city", "code"]], "bins": 7},
    "encode": {},
}


def choice(name, **params):
    from runner.components.registry import load as components
    from runner.config.config import Choice

    component = components().find("preprocessing", name)
    return Choice(component, component.check(params, f"preprocessing.{name}"))


def preprocessed(features, name, **params):
    """The features as the runner transforms them, and its model."""
    rows = len(columns_of(features))
    codes = CODES if isinstance(features, dict) else {}
    splits = Splits((features, np.zeros(rows)), None, None, Task.regression(), vocabulary=codes)
    splits, model = preprocess(splits, [choice(name, **params)])
    return splits.train[0], model


def transformed(features, name, **params):
    return preprocessed(features, name, **params)[0]


def as_tensors(features):
    import tensorflow as tf

    if isinstance(features, dict):
        return {name: as_tensors(array) for name, array in features.items()}
    return tf.constant(features.astype(str) if features.dtype == object else features)


@pytest.mark.parametrize("name", ALL)
def test_it_becomes_part_of_a_saved_model_without_classes_of_ours(tmp_path, name):
    """Also as JSON, which is how a run keeps it."""
    import keras

    given = MIXED if name != "standardize" else TABLE
    expected, model = preprocessed(given, name, **ALL[name])
    model.save(tmp_path / "part.keras")
    for again in (
        keras.models.load_model(tmp_path / "part.keras"),
        keras.models.model_from_json(model.to_json()),
    ):
        got = again(as_tensors(given))
        for one in expected if isinstance(expected, dict) else [None]:
            a, b = (got, expected) if one is None else (got[one], expected[one])
            kept = np.asarray(a)
            if kept.dtype == object:
                kept = np.char.decode(kept.astype(bytes), "utf-8")
            assert np.array_equal(kept, b, equal_nan=b.dtype.kind == "f"), one


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_component_knows_the_training_split_alone(site, name):
    """What val and test hold changes neither the fitted function nor how many codes there are."""
    site.install(HOUSES)
    fitted = []
    for other in ("false", "true"):
        said = ",".join(f"{k}:{v}" for k, v in ALL[name].items())
        words = [
            *(*HOUSE, f"dataset.other={other}", f"preprocessing=[{name}]"),
            *([f"preprocessing.{name}={{{said}}}".replace("'", "")] if said else []),
        ]
        fitted.append(preprocessing_of(words))
    assert fitted[0] == fitted[1]


def preprocessing_of(words):
    from runner.config.compose import compose

    config, _ = compose(words)
    splits = load(config)
    model = preprocess(splits, config.chosen["preprocessing"])[1]
    return model.to_json()


HOUSES = """
import numpy as np
from runner import Splits, Task, dataset

def rows(random, count, other=False):
    lost = random.uniform(size=count) < 0.1
    features = {
        "age": np.where(lost, np.nan, random.uniform(0, 90, count)).astype("float32"),
        "rooms": random.integers(1, 9, count),
        "city": random.choice(["oslo", "zürich", "bonn"], count).astype(object),
        "owner": random.uniform(size=count) < 0.5,
        "code": random.integers(0, 3, count),
        "place": random.normal(size=(count, 2)).astype("float32"),
    }
    targets = features["rooms"] + 3.0 * (features["city"] == "zürich")
    if other:
        features["age"] *= 1000
        features["rooms"] += 100
        features["city"][:] = "paris"
        features["place"] += 50
    return features, targets.astype("float32")

@dataset(identity=lambda other: "made here")
def houses(*, other: bool = False):
    "Rows with numbers, text, codes, yes or no."
    random = np.random.default_rng(7)
    train = rows(random, 60)
    val, test = rows(random, 20, other), rows(random, 20, other)
    return Splits(train, val, test, Task.regression(), vocabulary={"code": 3})
"""
HOUSE = ("dataset=houses", "regularizer=[]", "architecture.units=[5]", "epochs=2")


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_kept_model_takes_raw_rows_and_says_what_the_trained_one_says(site, name):
    """Whatever comes before, the last step makes one array of it."""
    import keras

    from runner.config.compose import compose
    from runner.engines.fast.engine import SHARED
    from runner.model.files import assign_tensors
    from runner.record.events import Kept

    SHARED.forget()  # so that the job trains its own model, and borrows no earlier one
    site.install(HOUSES)
    steps = [name] if name == "encode" else [name, "encode"]
    said = ",".join(f"{k}:{v}" for k, v in ALL[name].items())
    words = [
        *(*HOUSE, f"preprocessing=[{','.join(steps)}]"),
        *([f"preprocessing.{name}={{{said}}}".replace("'", "")] if said else []),
    ]
    job = job_of(words)
    model = job.recipe.model
    kept = next(e for e in events_of(job) if isinstance(e, Kept))
    again = keras.models.model_from_json(kept.graph)
    assign_tensors(again, kept.tensors)
    raw = load(compose(words)[0]).test[0]
    expected = model.predict(job.data.splits.test[0], verbose=0)
    assert np.asarray(again(as_tensors(raw))) == pytest.approx(expected, abs=1e-5)


def test_scaling_leaves_text_codes_and_yes_or_no_alone():
    for name in ("standardize", "robust", "minmax", "impute", "clip"):
        got = transformed(MIXED, name)
        for kept in ("city", "owner", "code"):
            assert got[kept].tolist() == MIXED[kept].tolist(), name
        assert not np.array_equal(got["age"], MIXED["age"]), name
    only = transformed(MIXED, "standardize", columns=["rooms"])
    assert only["place"].tolist() == MIXED["place"].tolist()
    assert only["rooms"].mean() == pytest.approx(0, abs=1e-6)


def test_some_columns_of_a_table_keep_their_place(make):
    got = applied(make, "minmax", TABLE, columns=[2, 0])
    assert got[:, 0] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert np.array_equal(got[:, 1], TABLE[:, 1], equal_nan=True)


@pytest.mark.parametrize(
    ("name", "features", "params", "sentence"),
    [
        (
            "standardize",
            MIXED,
            {"columns": ["aeg"]},
            r"no column aeg: did you mean 'age'\? available: age, .*rooms",
        ),
        ("standardize", MIXED, {"columns": ["city"]}, "'city' of type object is no numbers"),
        ("standardize", IMAGES, {"columns": [0]}, "needs a table"),
        ("one_hot", {"age": MIXED["age"]}, {}, "no column of text or codes"),
        ("impute", IMAGES, {"indicator": True}, "indicator=true needs columns"),
        ("cross", WHOLE, {"columns": [[0, 1]], "output": "codes"}, "output=one_hot"),
        ("bucketize", MIXED, {"columns": ["city"]}, "text or missing values"),
    ],
)
def test_what_does_not_fit_is_one_sentence(make, name, features, params, sentence):
    with pytest.raises(DataError, match=sentence) as told:
        fit(make, name, features, **params)
    assert "\n" not in str(told.value)


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
