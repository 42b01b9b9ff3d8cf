"""Augmentation: what each one does to a batch, and that training alone sees it."""

from __future__ import annotations

import numpy as np
import pytest

from runner import Input, ModelError, Task
from runner.backend.seeds import seed_generators
from runner.errors import ConfigError, PluginError
from runner.journal.records import EpochEnd, Evaluation
from runner.model.augment import without_augmentation
from runner.model.build import build
from tests.runner.pairs import Kept, apart, both, events_of, job_of, resumed

DRAW = np.random.Generator(np.random.Philox(key=[2, 0]))
IMAGES = DRAW.uniform(0.2, 0.8, (64, 8, 6, 2)).astype("float32")
SERIES = DRAW.normal(size=(64, 9, 2)).astype("float32")
TABLE = DRAW.normal(size=(64, 5)).astype("float32")

DIGITS = (
    "dataset=digits",
    "epochs=2",
    "limit_batches=5",
    "batch_size=16",
    "regularizer=[dropout]",
)
SMALL = ("architecture.units=[6]", "preprocessing=[standardize]", "regularizer=[]")
CANCER = ("dataset=breast_cancer", "epochs=2", *SMALL)
DIABETES = ("dataset=diabetes", "epochs=2", *SMALL)


def augmented(make, name, batch, targets=None, **params):
    """The batch as one augmentation leaves it."""
    import keras

    made = make(
        "augmentation",
        name,
        task=Task.regression(),
        input_shape=batch.shape[1:],
        inputs={"features": Input(batch.shape[1:])},
        seed=3,
        **params,
    )
    if isinstance(made, keras.layers.Layer):
        return np.asarray(made(batch, training=True))
    generator = keras.random.SeedGenerator(5)
    if targets is None:
        return np.asarray(made(features=batch, generator=generator))
    return [np.asarray(x) for x in made(features=batch, targets=targets, generator=generator)]


@pytest.mark.slow
def test_flip_mirrors_half_of_the_images_and_changes_nothing_else(make):
    for mode, axes in (("horizontal", [2]), ("vertical", [1])):
        got = augmented(make, "flip", IMAGES, mode=mode)
        same = [np.array_equal(a, b) for a, b in zip(got, IMAGES, strict=True)]
        mirrored = [np.array_equal(a, b) for a, b in zip(got, np.flip(IMAGES, axes), strict=True)]
        assert np.logical_xor(same, mirrored).all()
        assert 10 < sum(mirrored) < 54


def test_crop_cuts_each_image_out_of_its_padded_self(make):
    got = augmented(make, "crop", IMAGES, padding=2, value=-1)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1)
    places = set()
    for image, source in zip(got, padded, strict=True):
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(image, source[y : y + 8, x : x + 6])
        ]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 15  # every image has its own


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("rotate", {"degrees": 90, "fill": "constant", "interpolation": "nearest"}),
        ("zoom", {"height": 0.5, "width": 0.1, "fill": "nearest"}),
        ("translate", {"height": 0.5, "width": 0.0, "fill": "wrap"}),
    ],
)
def test_images_are_moved_each_by_its_own_amount_within_their_values(make, name, params):
    got = augmented(make, name, IMAGES, **params)
    assert got.shape == IMAGES.shape
    assert got.min() >= -1e-5 and got.max() <= IMAGES.max() + 1e-5
    one = np.repeat(IMAGES[:1], 64, axis=0)
    assert len({image.tobytes() for image in augmented(make, name, one, **params)}) > 30


@pytest.mark.parametrize("name", ["rotate", "zoom", "translate"])
def test_images_stay_where_no_movement_is_asked_for(make, name):
    still = {
        "rotate": {"degrees": 0},
        "zoom": {"height": 0},
        "translate": {"height": 0, "width": 0},
    }
    assert augmented(make, name, IMAGES, **still[name]) == pytest.approx(IMAGES, abs=1e-5)


def test_contrast_keeps_means_and_scales_the_rest(make):
    got = augmented(make, "contrast", IMAGES - 5, amount=0.5) + 5
    assert got.mean(axis=(1, 2)) == pytest.approx(IMAGES.mean(axis=(1, 2)), abs=1e-4)
    factors = got.std(axis=(1, 2)) / IMAGES.std(axis=(1, 2))
    assert 0.45 < factors.min() < 0.8 and 1.2 < factors.max() < 1.55
    assert augmented(make, "contrast", IMAGES, amount=0.9, low=0.3, high=0.7).max() <= 0.7


def test_brightness_adds_one_number_to_an_image(make):
    added = augmented(make, "brightness", IMAGES, amount=3) - IMAGES
    assert added.std(axis=(1, 2, 3)) == pytest.approx(np.zeros(64), abs=1e-5)
    assert -3 < added.min() < -1.5 and 1.5 < added.max() < 3
    clipped = augmented(make, "brightness", IMAGES, amount=3, low=0, high=1)
    assert (clipped.min(), clipped.max()) == (0, 1)


@pytest.mark.parametrize("batch", [IMAGES, SERIES, TABLE], ids=["images", "series", "table"])
def test_noise_has_the_deviation_that_was_asked_for(make, batch):
    added = augmented(make, "noise", batch, deviation=0.5) - batch
    assert added.std() == pytest.approx(0.5, rel=0.15)
    assert added.mean() == pytest.approx(0, abs=0.1)


def test_cutout_erases_one_rectangle(make):
    got = augmented(make, "cutout", IMAGES, probability=0.5, smallest=0.1, largest=0.4, value=-2)
    erased = got == -2
    hit = erased.any(axis=(1, 2, 3))
    assert 16 < hit.sum() < 48
    for mask in erased[hit]:
        rows, columns = np.nonzero(mask.any(axis=(1, 2)))[0], np.nonzero(mask.any(axis=(0, 2)))[0]
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert np.array_equal(got[~erased], IMAGES[~erased])


@pytest.mark.parametrize("fill", ["nearest", "wrap", "constant"])
def test_time_shift_moves_whole_series(make, fill):
    got = augmented(make, "time_shift", SERIES, steps=3, fill=fill, value=9)
    pad = {"nearest": {"mode": "edge"}, "wrap": {"mode": "wrap"}}
    padded = np.pad(SERIES, ((0, 0), (3, 3), (0, 0)), **pad.get(fill, {"constant_values": 9}))
    by = [
        next(at for at in range(7) if np.array_equal(moved, source[at : at + 9]))
        for moved, source in zip(got, padded, strict=True)
    ]
    assert set(by) == set(range(7))


def test_mixup_mixes_examples_and_targets_by_the_same_share(make):
    rows = np.eye(64, dtype="float32")
    features, targets = augmented(make, "mixup", rows, rows, alpha=1.0)
    assert np.array_equal(features, targets)
    assert features.sum(axis=1) == pytest.approx(np.ones(64), abs=1e-5)
    own = np.diag(features)
    assert own.min() >= 0.5 - 1e-6 and own.std() > 0.1
    assert ((features > 0).sum(axis=1) <= 2).all()
    # A small alpha, whose gammas vanish in float32, gives numbers too.
    assert np.isfinite(augmented(make, "mixup", rows, rows, alpha=1e-3)[0]).all()


EVERYTHING = "rotate,zoom,translate,contrast,brightness,noise,cutout"
LINES = {
    "every augmentation of images": (
        *(*DIGITS, "architecture.units=[6]", f"augmentation=[flip,crop,{EVERYTHING},mixup]"),
        *("augmentation.crop.padding=1", "regularizer=[dropout,label_smoothing]"),
    ),
    "classes, one-hot already": (
        *(*DIGITS, "architecture.units=[6]", "augmentation=[mixup]"),
        "loss=categorical_crossentropy",
    ),
    "a yes or no": (*CANCER, "augmentation=[mixup,noise]", "metrics=[accuracy,auc]"),
    "a number": (*DIABETES, "augmentation=[mixup]"),
    "rows that weigh": (*CANCER, "augmentation=[mixup]", "class_weight=balanced"),
}


@pytest.mark.slow
@pytest.mark.parametrize("words", LINES.values(), ids=list(LINES))
def test_both_engines_agree_and_fast_does_not_decline(words):
    found = apart(words, *both(words))
    assert found.engine == "fast"
    assert found.numbers < 1e-6, found.where
    assert found.weights < 1e-5, found.where


@pytest.mark.slow
def test_series_are_shifted_by_both_engines_alike(tmp_path):
    np.savez(tmp_path / "series.npz", x=SERIES, y=np.arange(64) % 3)
    words = (
        *("dataset=arrays", f"dataset.path={tmp_path / 'series.npz'}", "epochs=2", *SMALL),
        "augmentation=[time_shift]",
    )
    found = apart(words, *both(words))
    assert (found.engine, found.where) == ("fast", "")


PAIRS = """
import numpy as np
from runner import Data, Task, architecture, dataset

@dataset(identity=lambda codes: "made here")
def pairs(*, codes: bool = False):
    "Two inputs; one may be codes."
    random = np.random.default_rng(5)
    one = random.normal(size=(80, 3)).astype("float32")
    two = random.integers(0, 4, 80) if codes else random.normal(size=80).astype("float32")
    vocabulary = {"two": 4} if codes else {}
    return Data({"one": one, "two": two}, one[:, 0], Task.regression(), vocabulary=vocabulary)

@architecture
def joined(inputs, outputs):
    "Both inputs side by side."
    import keras
    made = {k: keras.Input(v.shape, dtype=v.dtype, name=k) for k, v in inputs.items()}
    two = keras.layers.Reshape((1,))(keras.ops.cast(made["two"], "float32"))
    both = keras.layers.Concatenate()([made["one"], two])
    return keras.Model(made, keras.layers.Dense(outputs)(both))
"""
JOINED = ("dataset=pairs", "architecture=joined", "regularizer=[]", "epochs=2", "batch_size=16")


@pytest.mark.slow
def test_several_inputs_are_mixed_alike_and_both_engines_agree(site):
    site.install(PAIRS)
    words = (*JOINED, "augmentation=[mixup]")
    found = apart(words, *both(words))
    assert found.engine == "fast"
    assert found.numbers < 1e-6, found.where
    assert losses(words) != losses(JOINED)


@pytest.mark.many
@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (
            ("augmentation=[noise]",),
            ModelError,
            r"changes one array, .* inputs one, two: .*encode",
        ),
        (("augmentation=[flip]",), ConfigError, r"2 inputs \(one, two\)"),
        (("augmentation=[mixup]", "dataset.codes=true"), ModelError, "'two' is codes"),
    ],
)
def test_what_does_not_fit_several_inputs_is_one_sentence(site, words, error, sentence):
    site.install(PAIRS)
    job = job_of((*JOINED, *words))
    with pytest.raises(error, match=sentence):
        build(job.config, job.data)


def losses(words):
    return [event.loss for event in events_of(job_of(words)) if isinstance(event, EpochEnd)]


@pytest.mark.slow
def test_what_is_drawn_follows_from_the_seed_alone():
    words = (*CANCER, "augmentation=[noise]", "augmentation.noise.deviation=1")
    assert losses(words) == losses(words) != losses(CANCER)
    # The weights begin alike; only the noise can differ.
    job = job_of(words)
    first = job.recipe.model
    states = [state.numpy().tolist() for state in seed_generators(first)]
    assert len(states) == len(seed_generators(job_of(CANCER).recipe.model)) + 2
    assert states == [s.numpy().tolist() for s in seed_generators(job_of(words).recipe.model)]


SPY = """
from runner import augmentation

@augmentation
def blank(*, value: float = 0.0):
    "Every value the same."
    def fill(features):
        return features * 0 + value
    return fill

@augmentation
def nothing():
    "No function at all."
    return 3

@augmentation
def strange():
    "A function of what is not offered."
    return lambda features, labels: features

@augmentation
def halved():
    "Another shape."
    return lambda features: features[:, :3]

@augmentation
def weighted():
    "A layer with weights."
    import keras
    return keras.layers.BatchNormalization()

@augmentation
def wrong():
    "A layer for other examples."
    import keras
    return keras.layers.RandomCrop(4, 4)
"""


@pytest.mark.slow
def test_val_test_and_predictions_never_see_it(site):
    """Training sees blank rows, so what val says can only come of the rows as they are."""
    site.install(SPY)
    job = job_of((*CANCER, "augmentation=[blank]", "epochs=1"))
    model, (features, targets) = job.recipe.model, job.data.splits.val
    events = events_of(job)
    plain = without_augmentation(model)
    assert np.array_equal(model.predict(features, verbose=0), plain.predict(features, verbose=0))
    said = np.asarray(plain(features), "float64").ravel()
    assert said.std() > 0.01
    said = np.clip(said, 1e-7, 1 - 1e-7)
    by_hand = -np.mean(np.where(np.ravel(targets) == 1, np.log(said), np.log(1 - said)))
    judged = next(e for e in events if isinstance(e, Evaluation) and e.split == "val")
    epoch = next(e for e in events if isinstance(e, EpochEnd))
    assert judged.metrics["loss"] == pytest.approx(by_hand, rel=1e-4)
    assert epoch.val_loss == pytest.approx(by_hand, rel=1e-4)
    # While training saw nothing: no better than without features.
    assert epoch.loss > 0.6


@pytest.mark.slow
def test_what_is_kept_of_a_run_is_the_model_without_it():
    words = (*DIGITS, "architecture.units=[6]")
    plain, changed = (
        next(e for e in events_of(job_of(line)) if isinstance(e, Kept))
        for line in (words, (*words, "augmentation=[noise,mixup]"))
    )
    assert changed.graph == plain.graph
    assert list(changed.tensors) == list(plain.tensors)
    assert any((changed.tensors[name] != plain.tensors[name]).any() for name in plain.tensors)


@pytest.mark.slow
def test_a_run_is_restored_as_a_model_that_needs_nothing_of_ours(train, results, tmp_path):
    import keras

    from runner.commands.restore import restore

    words = (*CANCER, "augmentation=[noise,mixup]", "epochs=1")
    outcome = train(*words)
    restore(outcome.run_id, tmp_path / "model.keras", results)
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert [type(layer).__module__.partition(".")[0] for layer in model.layers] == ["keras"] * len(
        model.layers
    )


@pytest.mark.slow
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted():
    words = (*CANCER, "epochs=4", "augmentation=[noise,mixup]", "regularizer=[dropout]")
    whole = events_of(job_of((*words, "checkpoint=2")))
    again = resumed(words, "fast", "keras", epoch=2)
    whole, again = (
        [e for e in events if not (isinstance(e, Kept) and e.role == "checkpoint")]
        for events in (whole, again)
    )
    found = apart(words, whole, again)
    assert found.numbers < 1e-6, found.where
    assert found.weights < 1e-5, found.where


def test_training_metrics_count_mixed_targets_as_the_nearest_label():
    import keras

    job = job_of((*DIGITS, "architecture.units=[6]", "augmentation=[mixup]"))
    model = job.recipe.model
    shares = keras.ops.convert_to_tensor([[0.3, 0.7] + [0.0] * 8, [0.0] * 9 + [1.0]])
    outputs = keras.ops.convert_to_tensor([[0.1, 0.9] + [0.0] * 8, [1.0] + [0.0] * 9])
    got = model.compute_metrics(None, shares, outputs)
    assert float(got["accuracy"]) == 0.5
    by_hand = -np.mean([0.3 * np.log(0.1) + 0.7 * np.log(0.9), np.log(1e-7)])
    assert float(model.loss(shares, outputs)) == pytest.approx(by_hand, rel=1e-4)


WRONG = {
    "flip on a table": (
        (*CANCER, "augmentation=[flip]"),
        ModelError,
        r"=flip takes images.*\(30,",
    ),
    "series that are images": (
        (*DIGITS, "augmentation=[time_shift]"),
        ModelError,
        r"=time_shift takes series",
    ),
    "a crop of everything": (
        (*DIGITS, "augmentation=[crop]", "augmentation.crop.padding=8"),
        ModelError,
        r"crop\.padding=8 may leave nothing.*8x8",
    ),
    "cutout the wrong way round": (
        (*DIGITS, "augmentation=[cutout]", "augmentation.cutout.smallest=0.5"),
        ModelError,
        r"smallest=0\.5 is above largest=0\.33",
    ),
    "a loss that leaves a class out": (
        (
            *(*DIGITS, "augmentation=[mixup]"),
            *("loss=sparse_categorical_crossentropy", "loss.ignore_class=3"),
        ),
        ModelError,
        r"augmentation=\[mixup\] mixes classes, and loss=sparse.*: take loss=auto",
    ),
    "nothing to call": ((*CANCER, "augmentation=[nothing]"), PluginError, "returned int"),
    "unknown offers": ((*CANCER, "augmentation=[strange]"), PluginError, r"\(features, labels\)"),
    "another shape": (
        (*CANCER, "augmentation=[halved]"),
        ModelError,
        r"\(30,\) a row\) into .*\(3,\)",
    ),
    "weights": ((*CANCER, "augmentation=[weighted]"), PluginError, "has weights"),
    "an error of Keras": (
        (*CANCER, "augmentation=[wrong]"),
        ModelError,
        r"'wrong' does not fit.*30",
    ),
}


@pytest.mark.many
@pytest.mark.parametrize("case", WRONG.values(), ids=list(WRONG))
def test_what_does_not_fit_is_one_sentence_before_anything_trains(site, case):
    words, error, sentence = case
    site.install(SPY)
    job = job_of(words)
    with pytest.raises(error, match=sentence) as told:
        build(job.config, job.data)
    assert "\n" not in str(told.value)


def test_a_model_with_a_training_step_of_its_own_is_one_sentence(site):
    site.install("""
    from runner import architecture

    @architecture
    def own_step(input_shape, outputs):
        "A model with its own training step."
        import keras
        class OwnStep(keras.Model):
            def train_step(self, data):
                return super().train_step(data)
        inputs = keras.Input(input_shape)
        return OwnStep(inputs, keras.layers.Dense(outputs)(inputs))
    """)
    words = ("dataset=diabetes", "architecture=own_step", "regularizer=[]", "augmentation=[noise]")
    job = job_of(words)
    with pytest.raises(ModelError, match="OwnStep brings a train_step of its own"):
        build(job.config, job.data)


@pytest.mark.slow
def test_a_subclassed_model_is_augmented_too(site):
    site.install("""
    from runner import architecture

    @architecture
    def subclassed(input_shape, outputs):
        "Code instead of a graph."
        import keras
        class Subclassed(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(outputs)
            def call(self, x):
                return self.dense(x)
        return Subclassed()
    """)
    words = ("dataset=diabetes", "architecture=subclassed", "regularizer=[]", "epochs=1")
    assert losses((*words, "augmentation=[noise]")) != losses(words)
