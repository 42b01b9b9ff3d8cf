"""Outputs with a shape: classes of pixels and steps, steps to come, examples given back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runner
import warehouse
from runner import Data, DataError, ModelError, SplitPlan, Stream, Task
from runner.commands.evaluation import evaluate
from runner.commands.prediction import predict
from runner.config.compose import compose
from runner.data.checks import check_loaded
from runner.data.prepare import load
from runner.errors import ConfigError, PluginError, RunnerError
from runner.evaluate.places import evaluate_part, evaluate_places
from runner.journal.records import Evaluation, RunStart
from tests.runner.engines.test_packed import jobs_of, trained
from tests.runner.pairs import job_of

SIDE = 12
CLASSES = ("ground", "disc", "square")


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy bytes (rows, side, side) of dark discs and bright squares, and their classes."""
    draw = np.random.Generator(np.random.Philox(key=[seed, 0]))
    y, x = np.mgrid[:SIDE, :SIDE]
    masks = np.zeros((rows, SIDE, SIDE), np.uint8)
    for mask in masks:
        for kind in (1, 2):
            up, left = draw.integers(3, SIDE - 3, 2)
            away = np.abs(np.stack([y - up, x - left]))
            mask[(away**2).sum(0) <= 9 if kind == 1 else away.max(0) <= 2] = kind
    light = np.array([40, 120, 220])[masks] + draw.normal(0, 8, masks.shape)
    return light.clip(0, 255).astype(np.uint8), masks


def put(folder: Path, name: str, pixels: np.ndarray) -> Path:
    """A picture of these pixels."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images and one of masks: one of them in colours of a palette, some void."""
    folder = tmp_path_factory.mktemp("shapes")
    for number, (pixels, mask) in enumerate(zip(*drawn(60), strict=True)):
        put(folder, f"images/{number:02}.png", pixels)
        if number == 0:
            mask[:2] = 255
        picture = Image.fromarray(mask)
        if number == 1:
            picture = picture.convert("P")
            picture.putdata(mask.reshape(-1).tolist())
        file = folder / f"masks/{number:02}.png"
        file.parent.mkdir(exist_ok=True)
        picture.save(file)
    return folder


def words(shapes: Path, *more: str) -> list[str]:
    """A small U-Net on the pictures."""
    return [
        "dataset=image_folder",
        f"dataset.path={shapes / 'images'}",
        f"dataset.masks={shapes / 'masks'}",
        f"dataset.classes=[{','.join(CLASSES)}]",
        "dataset.void=255",
        "dataset.channels=1",
        "architecture=unet",
        "architecture.levels=1",
        "architecture.width=8",
        "regularizer=[]",
        "optimizer.learning_rate=0.02",
        "batch_size=8",
        *more,
    ]


# --- A segmentation, from files to a file --------------------------------------------------------


@pytest.fixture(scope="module")
def segmented(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A trained run, and its results."""
    results = tmp_path_factory.mktemp("segmented") / "results"
    more = ["epochs=12", "keep_predictions=test", "augmentation=[flip]", "evaluator=[masks]"]
    more.append(f"results={results}")
    return runner.run(words(shapes, *more)), results


@pytest.mark.slow
def test_a_unet_finds_the_shapes_and_is_judged_by_their_overlap(segmented: Any) -> None:
    run, results = segmented
    assert run.status == "finished"
    test = run.evaluations["test"]
    assert test["mean_iou"] > 0.8
    assert test["mean_iou"] == pytest.approx(np.mean([test[f"iou[{c}]"] for c in CLASSES]))
    with warehouse.connect(results) as con:
        [(counted,)] = con.sql("SELECT sum(rows) FROM confusion WHERE split = 'test'").fetchall()
        [(uri,)] = con.sql(
            "SELECT uri FROM artifacts WHERE name = 'predictions of test'"
        ).fetchall()
        drawings = con.sql("SELECT uri FROM artifacts WHERE name = 'masks.test'").fetchall()
    # Of each of eight pictures itself, its mask and the one predicted.
    assert [(results / one).read_text().count("<image") for (one,) in drawings] == [24]
    with np.load(results / uri) as kept:
        right = kept["predicted"] == kept["targets"]
        assert kept["outputs"].shape == (12, SIDE, SIDE, 3)
        assert kept["names"].tolist() == list(CLASSES)
        assert (kept["targets"] >= 0).sum() == counted
        assert right[kept["targets"] >= 0].mean() == pytest.approx(test["accuracy"])


@pytest.mark.slow
def test_new_images_become_arrays_and_no_table(segmented: Any, tmp_path: Path) -> None:
    run, results = segmented
    pixels, masks = drawn(9, seed=1)
    np.save(tmp_path / "new.npy", pixels[..., None] / np.float32(255))
    to = tmp_path / "new.npz"
    assert predict(run.run_id, str(tmp_path / "new.npy"), to, results=results) == 9
    with np.load(to) as said:
        assert (said["predicted"] == masks).mean() > 0.9
    with pytest.raises(ConfigError, match=r"shape \(12, 12, 3\) for every row, .* end it in .npz"):
        predict(run.run_id, str(tmp_path / "new.npy"), tmp_path / "new.csv", results=results)


def test_it_is_evaluated_on_other_pictures(segmented: Any, tmp_path: Path) -> None:
    run, results = segmented
    for number, (pixels, mask) in enumerate(zip(*drawn(5, seed=2), strict=True)):
        put(tmp_path, f"images/{number}.png", pixels)
        put(tmp_path, f"masks/{number}.png", mask)
    places = [
        f"dataset.{key}={tmp_path / name}"
        for key, name in (("path", "images"), ("masks", "masks"))
    ]
    found = evaluate(run.run_id, places, ["all"], results)
    assert found.rows == {"all": 5}
    assert found.metrics["all"]["mean_iou"] > 0.7
    sentence = "trained for classification per pixel with 3 .*, and the data are classification"
    with pytest.raises(DataError, match=sentence):
        evaluate(run.run_id, ["dataset=digits"], ["all"], results)


@pytest.mark.slow
def test_packs_segment_too(shapes: Path) -> None:
    jobs = jobs_of(words(shapes, "epochs=2"), "seed=0", "seed=1")
    events = [event for of_run in trained(jobs) for event in of_run]
    starts = [event for event in events if isinstance(event, RunStart)]
    assert {start.engine for start in starts} == {"packed"}
    found = [event for event in events if isinstance(event, Evaluation)]
    assert len(found) == 4 and all("mean_iou" in one.metrics for one in found)


# --- Masks beside images -------------------------------------------------------------------------


def test_masks_are_the_classes_of_their_images_held_or_read(make: Any, shapes: Path) -> None:
    params = {"path": shapes / "images", "masks": shapes / "masks", "channels": 1, "void": 255}
    data = make("dataset", "image_folder", classes=CLASSES, **params)
    masks = drawn(60)[1].astype(int)
    masks[0, :2] = -1
    assert data.task == Task.segmentation(3, CLASSES)
    assert np.array_equal(data.targets, masks)
    unnamed = make("dataset", "image_folder", **params)
    assert (unnamed.task, unnamed.targets.shape) == (Task.segmentation(3), data.targets.shape)
    split = SplitPlan(val=0.3, test=0.3, seed=0)
    streamed = make("dataset", "image_folder", split=split, memory=0, **params)
    assert isinstance(streamed.train, Stream)
    seen = [
        block
        for part in (streamed.train, streamed.val, streamed.test)
        for block in part.read(None)
    ]
    by_image = {
        image.tobytes(): mask
        for images, found in seen
        for image, mask in zip(images, found, strict=True)
    }
    assert all(
        np.array_equal(by_image[image.tobytes()], mask)
        for image, mask in zip(data.features, data.targets, strict=True)
    )


def _lonely(folder: Path) -> None:
    (folder / "masks/0.png").unlink()


def _smaller(folder: Path) -> None:
    put(folder, "masks/1.png", np.zeros((5, 4), np.uint8))


def _beyond(folder: Path) -> None:
    put(folder, "masks/2.png", np.full((6, 6), 7, np.uint8))


def _coloured(folder: Path) -> None:
    put(folder, "masks/0.png", np.zeros((6, 6, 3), np.uint8))


def _torn(folder: Path) -> None:
    (folder / "masks/1.png").write_bytes(b"\x89PNG")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_lonely, r"1 of 3 files have no mask of their name in \S*masks: \S*0.png"),
        (_smaller, r"the mask \S*1.png is 5 x 4 pixels, and its image \S*1.png 6 x 6"),
        (_beyond, r"the mask \S*2.png has the value 7, .* names 2 classes, 0 to 1: .*void=7"),
        (_coloured, r"the mask \S*0.png has colours \(RGB\): .* one number for each pixel"),
        (_torn, r"the mask \S*1.png cannot be decoded"),
    ],
)
def test_masks_that_do_not_fit_are_one_sentence(
    make: Any, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    for number in range(3):
        put(tmp_path, f"images/{number}.png", np.full((6, 6, 3), number, np.uint8))
        put(tmp_path, f"masks/{number}.png", np.eye(6, dtype=np.uint8))
    params = {"path": tmp_path / "images", "masks": tmp_path / "masks", "classes": ["no", "yes"]}
    assert make("dataset", "image_folder", **params).targets.sum() == 18
    spoil(tmp_path)
    with pytest.raises(DataError, match=sentence):
        make("dataset", "image_folder", **params)


def test_yes_may_be_white_and_other_gaps_are_asked_about(make: Any, tmp_path: Path) -> None:
    params = {"path": tmp_path / "images", "masks": tmp_path / "masks"}
    put(tmp_path, "images/a.png", np.zeros((6, 6, 3), np.uint8))
    put(tmp_path, "masks/a.png", np.eye(6, dtype=np.uint8) * 255)
    data = make("dataset", "image_folder", **params)
    assert (data.task.names, data.targets.sum()) == (("0", "255"), 6)
    put(tmp_path, "images/b.png", np.zeros((6, 6, 3), np.uint8))
    put(tmp_path, "masks/b.png", np.full((6, 6), 9, np.uint8))
    with pytest.raises(DataError, match=r"the 3 values 0, 9, 255 up to 255: name the classes"):
        make("dataset", "image_folder", **params)


# --- Targets that do not fit ---------------------------------------------------------------------

IMAGES = np.zeros((4, 6, 5, 1), "float32")
STEPS = np.zeros((4, 6, 2), "float32")


@pytest.mark.parametrize(
    ("features", "targets", "task", "sentence"),
    [
        (IMAGES, np.zeros((4, 6, 5)), Task.classification(3), r"pixel is Task.segmentation\(c"),
        (IMAGES, np.zeros((4, 6, 5)), Task.regression(), r"one value or a row of them; .*pixel"),
        (STEPS, np.zeros((4, 6)), Task.classification(3), r"step is Task.tagging\(classes"),
        (IMAGES, np.zeros((4, 6)), Task.segmentation(3), r"\(4, 6\); classification per pixel"),
        (IMAGES, np.zeros((4, 3, 5)), Task.segmentation(3), r"3 x 5 pixels for features of shape"),
        (IMAGES, np.full((4, 6, 5), 3), Task.segmentation(3), r"the label 3 .* labels 0 to 2"),
        (IMAGES, np.full((4, 6, 5), -2), Task.segmentation(3), r"the label -2 .* 0 to 2, and -1"),
        (STEPS, np.zeros((4, 7)), Task.tagging(3), r"7 steps for features of shape \(6, 2\)"),
        (STEPS, np.zeros((4, 3, 2)), Task.forecast(3), r"2 values in each place .* says 3"),
        (STEPS, np.zeros((4, 6)), Task("binary", 1, per="step"), "a binary task per step, which"),
        (STEPS, np.zeros((4, 6)), Task("regression", 1, per="cell"), "a task per 'cell': .*pixel"),
    ],
)
def test_targets_of_another_shape_are_one_sentence(
    features: Any, targets: Any, task: Task, sentence: str
) -> None:
    with pytest.raises((DataError, PluginError), match=sentence):
        check_loaded(Data(features, targets, task), "dataset 'mine'", text=False)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["architecture=cnn"], r"needs \(12, 12, 3\): try unet"),
        (["architecture.levels=4"], r"levels=4 halves images of 12x12 pixels to less than one: t"),
        (["augmentation=[flip]", "loss=sparse_categorical_crossentropy"], "takes class numbers o"),
        (["augmentation=[time_shift]"], "time_shift takes series"),
        (["class_weight={disk:2}"], "disk"),
        (["loss=circle"], "loss=circle takes one class a row, .* classification per pixel"),
        (["architecture=autoencoder"], "classification per pixel .*: add task=reconstruction"),
    ],
)
@pytest.mark.many
def test_what_does_not_fit_a_segmentation_is_one_sentence(
    shapes: Path, more: list[str], sentence: str
) -> None:
    given = words(shapes)
    if more[0].startswith("architecture="):
        given = [word for word in given if not word.startswith("architecture")]
    with pytest.raises(RunnerError, match=sentence):
        runner.run([*given, *more])


# --- What counts for nothing, and what moves -----------------------------------------------------


@pytest.mark.parametrize("name", ["auto", "sparse_categorical_crossentropy", "mse"])
def test_the_loss_is_the_mean_over_the_places_that_count(make: Any, name: str) -> None:
    draw = np.random.Generator(np.random.Philox(key=[3, 0]))
    outputs = draw.dirichlet((1, 1, 1), (4, 6)).astype("float32")
    targets = draw.integers(-1, 3, (4, 6))
    task = Task.tagging(3).sized(targets)
    counted = targets >= 0
    loss = make("loss", name, task=task)
    rows = make("loss", name, task=Task.classification(3))
    expected = float(rows(targets[counted], outputs[counted]))
    assert float(loss(targets, outputs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["accuracy", "f1_score", "mean_iou", "mse", "auc"])
def test_metrics_are_those_of_the_places_that_count(make: Any, name: str) -> None:
    draw = np.random.Generator(np.random.Philox(key=[4, 0]))
    outputs = draw.dirichlet((1, 1, 1), (4, 2, 3)).astype("float32")
    targets = draw.integers(-1, 3, (4, 2, 3))
    counted = targets >= 0
    metric = make("metric", name, task=Task.segmentation(3).sized(targets))
    rows = make("metric", name, task=Task.classification(3))
    metric.update_state(targets, outputs)
    rows.update_state(targets[counted], outputs[counted])
    assert float(metric.result()) == pytest.approx(float(rows.result()), rel=1e-5)


def test_evaluations_come_out_the_same_piece_by_piece() -> None:
    from sklearn.metrics import jaccard_score, r2_score

    draw = np.random.Generator(np.random.Philox(key=[5, 0]))
    outputs, targets = draw.dirichlet((1, 1, 1), (9, 4, 5)), draw.integers(-1, 3, (9, 4, 5))
    task = Task.segmentation(3).sized(targets)
    whole = evaluate_part(task, targets, outputs)
    pieces = [(targets[at : at + 2], outputs[at : at + 2]) for at in range(0, 9, 2)]
    parted = evaluate_places(task, pieces)
    assert parted.metrics == pytest.approx(whole.metrics)
    assert parted.confusion == whole.confusion
    counted = targets >= 0
    likely = outputs.argmax(-1)[counted]
    expected = jaccard_score(targets[counted], likely, average=None)
    assert [whole.metrics[f"iou[{i}]"] for i in range(3)] == pytest.approx(expected)
    values, said = draw.normal(50, 3, (9, 4, 2)), draw.normal(50, 3, (9, 4, 2))
    future = evaluate_part(Task.forecast(2).sized(values), values, said).metrics
    flat = values.reshape(9, -1), said.reshape(9, -1)
    assert future["r2"] == pytest.approx(r2_score(*flat))
    assert future["mae[+2]"] == pytest.approx(np.abs(values - said)[:, 1].mean())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("flip", {"mode": "horizontal_and_vertical"}),
        ("crop", {"padding": 3}),
        ("rotate", {"degrees": 90.0, "interpolation": "nearest", "fill": "constant"}),
    ],
)
def test_masks_move_with_their_images(name: str, params: dict[str, Any], tmp_path: Path) -> None:
    _, masks = drawn(16)
    np.savez(tmp_path / "masks.npz", x=masks[..., None].astype("float32") + 1, y=masks)
    given = [f"augmentation.{name}.{key}={value}" for key, value in params.items()]
    job = job_of(
        [
            *("dataset=arrays", f"dataset.path={tmp_path / 'masks.npz'}", "split.test=0"),
            *("dataset.task=segmentation", "architecture=unet", "architecture.levels=1"),
            *("architecture.width=2", "regularizer=[]", f"augmentation=[{name}]", *given),
            "batch_size=4",
        ]
    )
    changed = job.recipe.model.augmentation
    features, targets = job.data.splits.train
    moved, shares = changed.apply(features, targets)
    labels = np.asarray(changed.labels(shares))
    assert not np.array_equal(moved, features)
    # Every image tells its mask; what came in from outside is 0 there, and counts for nothing.
    assert np.array_equal(np.rint(np.asarray(moved)[..., 0]).astype(int) - 1, labels)


@pytest.mark.slow
def test_an_augmentation_says_whether_it_moves_anything(site: Any, shapes: Path) -> None:
    site.install(
        """
        from runner import augmentation

        @augmentation
        def swirl():
            \"\"\"Who knows.\"\"\"
            return lambda features: features
        """
    )
    with pytest.raises(ModelError, match=r"per pixel: declare @augmentation\(moves=True\) or "):
        runner.run(words(shapes, "augmentation=[swirl]"))


# --- Steps ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Steps with a tag each, the last of some padding, and two values of some steps to come."""
    folder = tmp_path_factory.mktemp("series")
    draw = np.random.Generator(np.random.Philox(key=[6, 0]))
    x = draw.normal(size=(120, 8, 2)).astype("float32")
    tags = (x[..., 0] > 0) + (x[..., 1] > 0).astype(int)
    tags[::2, 6:] = -1
    np.savez(folder / "tags.npz", x=x, y=tags)
    place = np.arange(14) + draw.uniform(0, 9, (120, 1))
    waves = np.stack([70 + 5 * np.sin(place), np.cos(place)], -1)
    np.savez(folder / "waves.npz", x=waves[:, :8].astype("float32"), y=waves[:, 8:])
    return folder


QUICK = ("dataset=arrays", "regularizer=[]", "optimizer.learning_rate=0.03", "batch_size=16")


@pytest.mark.parametrize(
    "more",
    [
        ("architecture=rnn", "architecture.units=[8]", "epochs=8"),
        pytest.param(
            ("architecture=conv1d", "architecture.blocks=[8]", "epochs=5"), marks=pytest.mark.slow
        ),
        pytest.param(
            (
                "architecture=transformer",
                "architecture.width=8",
                "architecture.heads=2",
                "architecture.depth=1",
                "epochs=15",
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(("architecture=mlp", "epochs=15"), marks=pytest.mark.slow),
    ],
)
def test_every_step_is_tagged(train: Any, series: Path, more: tuple[str, ...]) -> None:
    run = train(*QUICK, f"dataset.path={series / 'tags.npz'}", "dataset.task=tagging", *more)
    assert run.status == "finished"
    # A flat network has to learn each step anew, and one tag in three is chance.
    floor = 0.45 if "architecture=mlp" in more else 0.75
    assert run.evaluations["test"]["accuracy"] > floor


@pytest.mark.slow
def test_many_steps_to_come_are_foretold_in_their_units(train: Any, series: Path) -> None:
    run = train(
        *(*QUICK, f"dataset.path={series / 'waves.npz'}", "dataset.task=forecast"),
        *("architecture=rnn", "architecture.units=[16]", "epochs=12"),
    )
    test = run.evaluations["test"]
    assert test["r2"] > 0.3
    assert test["mae"] == pytest.approx(np.mean([test[f"mae[+{step}]"] for step in range(1, 7)]))


# --- Examples given back -------------------------------------------------------------------------

DIGITS = ("dataset=digits", "task=reconstruction", "regularizer=[]", "batch_size=64")


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
@pytest.mark.slow
@pytest.mark.exhaustive
def test_digits_come_back_through_a_few_numbers(
    train: Any, results: Path, tmp_path: Path, name: str
) -> None:
    more = ("epochs=8", "optimizer.learning_rate=0.005", "architecture.latent=12")
    # Dropout makes the model anew, of its layers.
    more = (*more, "regularizer=[dropout]", "regularizer.dropout.rate=0.01")
    beta = ("architecture.beta=0.01",) if name == "vae" else ()
    run = train(*DIGITS, f"architecture={name}", *more, *beta)
    digits = load(*compose(["dataset=digits"])[:1]).features
    plain = float(((digits - digits.mean(axis=0)) ** 2).mean())
    assert run.evaluations["test"]["mse"] < plain / 2
    assert run.evaluations["test"].keys() >= {"mse", "mae", "loss"}
    if name == "vae":
        assert run.evaluations["test"]["kl"] > 0
        assert run.evaluations["test"]["loss"] > run.evaluations["test"]["mse"]
    np.save(tmp_path / "digits.npy", digits)
    to = tmp_path / "back.npz"
    predict(run.run_id, str(tmp_path / "digits.npy"), to, results=results)
    with np.load(to) as said:
        assert float(((said["outputs"] - digits) ** 2).mean()) < plain / 2
    found = evaluate(run.run_id, [], ["test"], results).metrics["test"]
    assert found["mse"] == pytest.approx(run.evaluations["test"]["mse"], rel=1e-4)
    with warehouse.connect(results) as con:
        roles = con.sql("SELECT role FROM weights ORDER BY role").fetchall()
    assert roles == [("best",), ("graph",)]


@pytest.mark.slow
def test_images_come_back_in_their_shape_from_any_network(train: Any, tmp_path: Path) -> None:
    pixels = drawn(60)[0][..., None] / np.float32(255)
    np.savez(tmp_path / "x.npz", x=pixels, y=np.arange(60) % 2)
    given = ("dataset=arrays", f"dataset.path={tmp_path / 'x.npz'}", "task=reconstruction")
    for more in (
        ("architecture=autoencoder", "architecture.filters=[4,4,4]", "architecture.latent=4"),
        ("architecture=mlp", "architecture.units=[8]", "augmentation=[noise,flip]"),
    ):
        run = train(*given, "epochs=1", "batch_size=16", "regularizer=[]", *more)
        assert run.evaluations["test"].keys() >= {"mse", "mae"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("dataset=iris", "architecture=vae"), "add task=reconstruction"),
        (
            (
                "dataset=iris",
                "task=reconstruction",
                "architecture=autoencoder",
                "architecture.layers=convolutional",
            ),
            r"takes images of shape \(height, width, channels\)",
        ),
        (("dataset=digits", "task=reconstruction", "class_weight=balanced"), "task with classes"),
    ],
)
def test_what_cannot_be_given_back_is_one_sentence(
    train: Any, more: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RunnerError, match=sentence):
        train(*more)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("unet", {"levels": 2, "width": 2, "upward": "nearest", "dropout": 0.1}),
        ("unet", {"levels": 3, "width": 2, "normalization": "batch"}),
        ("autoencoder", {"filters": [2, 3, 4], "latent": 2}),
        ("autoencoder", {"layers": "dense", "units": [5, 4], "output": "sigmoid"}),
        ("vae", {"filters": [2], "latent": 2}),
    ],
)
@pytest.mark.parametrize("shape", [(8, 8, 3), (13, 9, 1)])
def test_outputs_have_the_shape_of_images_of_any_size(
    make: Any, name: str, params: dict[str, Any], shape: tuple[int, ...]
) -> None:
    task = Task.reconstruction(shape)
    if name == "unet":
        task = Task("classification", 4, per="pixel", places=shape[:2])
    model = make("architecture", name, input_shape=shape, task=task, seed=0, **params)
    assert np.shape(model(np.ones((2, *shape), "float32"))) == (2, *task.output_shape)


# --- Pairs of views ------------------------------------------------------------------------------


def glyphs(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images (rows, 20, 20, 1) of a disc, a frame or a cross anywhere, and which it is."""
    draw = np.random.Generator(np.random.Philox(key=[7, 0]))
    y, x = np.mgrid[:20, :20]
    kinds = draw.integers(0, 3, rows)
    images = draw.normal(0, 0.1, (rows, 20, 20, 1)).astype("float32")
    for image, kind in zip(images, kinds, strict=True):
        up, left = draw.integers(4, 16, 2)
        a, b = np.abs(y - up), np.abs(x - left)
        image[[a * a + b * b <= 9, np.maximum(a, b) == 3, (a == b) & (a <= 3)][kind]] += 1
    return images, kinds


def right_of_neighbours(features: np.ndarray, kinds: np.ndarray) -> float:
    """The share that five neighbours among 60 known examples tell rightly."""
    rows = features.reshape(len(features), -1)
    away = ((rows[60:, None] - rows[None, :60]) ** 2).sum(axis=-1)
    votes = kinds[:60][np.argsort(away, axis=1)[:, :5]]
    said = [np.bincount(row, minlength=3).argmax() for row in votes]
    return float((np.array(said) == kinds[60:]).mean())


PAIRS = ("task=contrastive", "embedding=16", "architecture=cnn", "regularizer=[]", "batch_size=64")


@pytest.mark.slow
def test_what_is_alike_lies_together_without_a_label(
    train: Any, results: Path, tmp_path: Path
) -> None:
    images, kinds = glyphs(500)
    np.savez(tmp_path / "x.npz", x=images, y=kinds)
    np.save(tmp_path / "x.npy", images)
    run = train(
        *(*PAIRS, "dataset=arrays", f"dataset.path={tmp_path / 'x.npz'}", "loss=nt_xent"),
        *("architecture.blocks=[16,32]", "architecture.reduce=average", "loss.temperature=0.2"),
        *("augmentation=[crop,flip]", "augmentation.crop.padding=6"),
        *("augmentation.crop.fill=wrap", "epochs=8", "optimizer.learning_rate=0.005"),
    )
    assert run.evaluations["test"].keys() == {"loss"}
    predict(run.run_id, str(tmp_path / "x.npy"), tmp_path / "x.out.npz", results=results)
    with np.load(tmp_path / "x.out.npz") as said:
        learned = right_of_neighbours(said["outputs"], kinds)
    assert right_of_neighbours(images, kinds) < 0.7 < 0.85 < learned
    with pytest.raises(ConfigError, match="learned without targets"):
        evaluate(run.run_id, [], ["test"], results)


def test_nt_xent_is_the_papers(make: Any) -> None:
    draw = np.random.Generator(np.random.Philox(key=[8, 0]))
    z = draw.normal(size=(6, 4)).astype("float32")
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    alike = np.exp(unit @ unit.T / 0.3)
    expected = [
        -np.log(alike[i, (i + 3) % 6] / sum(alike[i, k] for k in range(6) if k != i))
        for i in range(6)
    ]
    loss = make("loss", "nt_xent", task=Task.contrastive(4), temperature=0.3)
    assert float(loss(np.zeros(6), z)) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ((), "makes two views of an example by augmentation, and there is none"),
        (("augmentation=[mixup]",), "mixes examples with their targets, and task=contrastive"),
        (("augmentation=[noise]", "loss=mse"), "task=contrastive has none: take loss=auto"),
        (("augmentation=[noise]", "metrics=[mae]"), r"has none: take metrics=\[auto\]"),
        (("task=auto", "loss=nt_xent"), "the task is classification: add task=contrastive"),
    ],
)
def test_pairs_that_cannot_be_are_one_sentence(
    train: Any, more: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RunnerError, match=sentence):
        train("dataset=digits", *PAIRS, *more)
