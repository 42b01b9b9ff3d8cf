"""Augmentation: a model whose training step changes each batch before it learns from it.

Val and test are evaluated by the model without it, and that one is kept.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.faults import in_words
from runner.components.types import Recipe, Task
from runner.config.config import Choice, Config
from runner.data.prepare import Prepared
from runner.errors import ConfigError, ModelError, PluginError, RunnerError, in_one_line
from runner.model.inputs import as_authored, as_graph, like_data
from runner.model.own_steps import own_step, without_steps

if TYPE_CHECKING:
    import keras

OFFERS = ("features", "targets", "generator")
"""What a function that augments may take, by name."""
ROWS = 2
"""Rows of zeros on which every augmentation is tried before anything trains."""


def augment(recipe: Recipe, config: Config, data: Prepared) -> Recipe:
    """The recipe with the config's augmentations in its model's training step.

    Raises ModelError where one does not fit the examples, the loss or the model, and PluginError
    where one breaks its contract.
    """
    chosen, task = config.chosen["augmentation"], data.splits.task
    if not chosen and task.per == "view":
        raise ConfigError(
            "task=contrastive makes two views of an example by augmentation, and there is none: "
            "give augmentation=[crop,flip], say, or [noise] where examples are no images"
        )
    if not chosen:
        return recipe
    model = recipe.model
    names = ",".join(choice.component.name for choice in chosen)
    if (own := own_step(model)) is not None:
        name, step = own
        raise ModelError(
            f"augmentation=[{names}] acts in Keras' own training step, and the model "
            f"{name} brings a {step} of its own: leave augmentation out"
        )
    steps = [_step(choice, data, config.settings.seed) for choice in chosen]
    if task.heads and (mixing := [step.where for step in steps if "targets" in step.takes]):
        raise ModelError(
            f"{mixing[0]} changes targets, and the data have the heads {', '.join(task.heads)}: "
            "augmentations of several heads change features alone, leave it out"
        )
    augmentation = _classes().Augmentation(steps, task)
    _try(augmentation, data)
    if augmentation.mixes and task.kind == "classification":
        recipe.loss = _on_shares(recipe.loss, task, names)
    model = as_graph(model, data)
    kind = _classes().Paired if task.per == "view" else _classes().Augmented
    recipe.model = kind(as_authored(model), model.outputs[0], name=model.name)
    recipe.model.augmentation = augmentation
    return recipe


def without_augmentation(model: keras.Model) -> keras.Model:
    """The model as whoever does not train it wants it: the same weights in Keras' own class."""
    import keras

    if not isinstance(model, _classes().Augmented):
        return without_steps(model)
    return keras.Model(model.input, model.outputs[0], name=model.name)


@dataclass(frozen=True)
class _Step:
    """One augmentation: a Keras layer, or a function that takes some of OFFERS by name."""

    where: str
    made: Any
    takes: tuple[str, ...]
    """Empty for a layer."""
    moves: bool = False
    """Whether targets that go by place are moved as the features are."""

    def __call__(self, features: Any, targets: Any, generator: Any) -> tuple[Any, Any]:
        """The batch augmented."""
        if self.moves:
            return self._moved(features, targets, generator)
        if not self.takes:
            return self.made(features, training=True), targets
        offered = dict(zip(OFFERS, (features, targets, generator), strict=True))
        given = self.made(**{name: offered[name] for name in self.takes})
        if "targets" not in self.takes:
            return given, targets
        if not isinstance(given, tuple | list) or len(given) != 2:
            alone = "features alone" if hasattr(given, "dtype") else _given(given)
            raise PluginError(
                f"{self.where} takes targets and gives {alone}: it gives (features, targets)"
            )
        return given[0], given[1]

    def _moved(self, features: Any, targets: Any, generator: Any) -> tuple[Any, Any]:
        """Features and targets moved together: the targets are further channels, after theirs.

        targets: with an axis of values or shares of classes, which stay between 0 and 1.
        """
        from keras import ops

        still = replace(self, moves=False)
        channels = features.shape[-1]
        both = ops.concatenate([ops.cast(features, targets.dtype), targets], axis=-1)
        both, _ = still(both, targets, generator)
        return ops.cast(both[..., :channels], features.dtype), both[..., channels:]


def _step(choice: Choice, data: Prepared, seed: int) -> _Step:
    """The component's result, checked: PluginError where it can be nothing of the kind."""
    import keras

    where = choice.component.place
    offers: dict[str, Any] = {"task": data.splits.task, "inputs": data.inputs, "seed": seed}
    if "input_shape" in choice.component.needs:
        offers["input_shape"] = data.input_shape
    made = choice(**offers)
    if isinstance(made, keras.layers.Layer):
        if data.several:
            raise ModelError(
                f"{where} changes one array, and the data have the inputs "
                f"{', '.join(data.inputs)}: add a preprocessing that makes one of them, such as "
                "encode, or leave it out"
            )
        return _Step(where, made, (), _moves(choice, data, takes_targets=False))
    if not callable(made) or isinstance(made, type):
        raise choice.component.returned(made, "a Keras layer or a function")
    takes = tuple(inspect.signature(made).parameters)
    if "features" not in takes or not set(takes) <= set(OFFERS):
        raise PluginError(
            f"{where} returned a function of ({', '.join(takes)}); it may take "
            f"{', '.join(OFFERS)}, by these names, and must take features"
        )
    return _Step(where, made, takes, _moves(choice, data, "targets" in takes))


def _moves(choice: Choice, data: Prepared, takes_targets: bool) -> bool:
    """Whether the targets, which go by place, are to be moved with the features.

    ModelError where nobody says so.
    """
    task, moves = data.splits.task, choice.component.marks.moves
    if task.per == "view" and takes_targets:
        raise ModelError(
            f"{choice.component.place} mixes examples with their targets, and task=contrastive "
            "has none: leave it out"
        )
    if task.per in ("row", "horizon", "view") or takes_targets or moves is False:
        return False
    if moves is None:
        raise ModelError(
            f"{choice.component.place} may move what the features show, and the task is "
            f"{task.said}: declare @augmentation(moves=True) or moves=False, or leave it out"
        )
    if data.several or len(data.input_shape) != len(task.places) + 1:
        shapes = ", ".join(str(one.shape) for one in data.inputs.values())
        raise ModelError(
            f"{choice.component.place} moves targets of shape {task.output_shape} along with "
            f"features, and these have the shape {shapes}: they need the same places, and channels"
        )
    return True


class _Classes:
    """The Keras classes of this file, made when Keras is there."""

    def __init__(self) -> None:
        import keras

        class Augmentation(keras.layers.Layer):  # type: ignore[misc]
            """The steps; a layer, so that what they draw from is among the model's variables."""

            def __init__(self, steps: Sequence[_Step], task: Task) -> None:
                super().__init__(name="augmentation", dtype="float32")
                self._task = task
                self._steps = tuple(steps)
                self.inner = [step.made for step in steps if not step.takes]
                self.generators = [keras.random.SeedGenerator(i) for i in range(len(steps))]
                self.mixes = any(step.moves or "targets" in step.takes for step in steps)

            def apply(self, features: Any, targets: Any) -> tuple[Any, Any]:
                """The batch augmented; class numbers become shares where a step mixes targets."""
                if self.mixes:
                    targets = _shares(targets, self._task)
                for step, generator in zip(self._steps, self.generators, strict=True):
                    features, targets = step(features, targets, generator)
                return features, targets

            def labels(self, targets: Any) -> Any:
                """The nearest labels to mixed targets, for metrics that count right answers."""
                return _labels(targets, self._task) if self.mixes else targets

        class Augmented(keras.Model):  # type: ignore[misc]
            """A model whose `train_step` is Keras' own, on an augmented batch."""

            def train_step(self, data: Any) -> Any:
                x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
                x, y = self.augmentation.apply(x, y)
                return super().train_step(keras.utils.pack_x_y_sample_weight(x, y, weights))

            def compute_metrics(
                self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
            ) -> Any:
                y = self.augmentation.labels(y)
                return super().compute_metrics(x, y, y_pred, sample_weight)

        class Paired(Augmented):
            """A model that learns from two augmented views of each example, in val and test, too.

            A batch of n examples becomes one of 2n: the first views, then the second ones.
            """

            def train_step(self, data: Any) -> Any:
                return keras.Model.train_step(self, self._views(data))

            def test_step(self, data: Any) -> Any:
                return super().test_step(self._views(data))

            def _views(self, data: Any) -> Any:
                x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
                views = [self.augmentation.apply(x, y)[0] for _ in range(2)]
                both = keras.tree.map_structure(
                    lambda *two: keras.ops.concatenate(two, axis=0), *views
                )
                y = keras.ops.concatenate([y, y], axis=0)
                if weights is not None:
                    weights = keras.ops.concatenate([weights, weights], axis=0)
                return keras.utils.pack_x_y_sample_weight(both, y, weights)

        class OnShares(keras.losses.Loss):  # type: ignore[misc]
            """A loss of class numbers that takes shares of classes as well."""

            def __init__(self, inner: Any, classes: int) -> None:
                super().__init__(name=inner.name, reduction=inner.reduction)
                self.inner = inner
                self.shared = keras.losses.CategoricalCrossentropy(**_logits(inner))
                self._classes = classes

            def call(self, y_true: Any, y_pred: Any) -> Any:
                loss = self.shared if _is_shares(y_true, self._classes) else self.inner
                return loss.call(y_true, y_pred)

        self.Augmentation, self.Augmented, self.OnShares = Augmentation, Augmented, OnShares
        self.Paired = Paired


_classes = functools.cache(_Classes)


def _is_shares(targets: Any, classes: int, places: int = 0) -> bool:
    """Whether targets are shares of classes, shape (rows, classes), rather than class numbers.

    places: how many axes there are between the two.
    """
    return classes > 1 and len(targets.shape) == 2 + places and targets.shape[-1] == classes


def _shares(targets: Any, task: Task) -> Any:
    """The targets as float32; class numbers as rows that are one for their class."""
    from keras import ops

    if task.kind != "classification":
        targets = ops.cast(targets, "float32")
        # Values of each place as a channel, so that they can be moved.
        return ops.reshape(targets, (-1, *task.output_shape)) if task.places else targets
    numbers = ops.cast(ops.reshape(targets, (-1, *task.places)), "int32")
    return ops.one_hot(numbers, task.outputs, dtype="float32")


def _labels(targets: Any, task: Task) -> Any:
    """The labels that the targets are nearest to; a regression's targets as they are."""
    from keras import ops

    if task.kind == "regression":
        return targets
    if task.kind == "classification":
        if not _is_shares(targets, task.outputs, len(task.places)):
            return targets
        # Of a place that counts for nothing, no class has a share.
        nearest = ops.argmax(targets, -1)
        return ops.where(ops.max(targets, -1) > 0, nearest, -1) if task.places else nearest
    return ops.round(ops.cast(targets, "float32"))


def _try(augmentation: Any, data: Prepared) -> None:
    """Augment rows of zeros, step by step; the step that does not fit is named."""
    import keras

    task = data.splits.task
    flat = task.kind in ("multilabel", "regression", "heads")
    one = task.output_shape if flat else task.places
    features = like_data(data, lambda _, x: keras.ops.zeros((ROWS, *x.shape), x.dtype))
    targets = _shares(np.zeros((ROWS, *one), "int64"), task)
    shapes = ", ".join(str(x.shape) for x in data.inputs.values())
    for step, generator in zip(augmentation._steps, augmentation.generators, strict=True):
        try:
            changed = step(features, targets, generator)
        except RunnerError:
            raise
        except Exception as error:
            if not _raised_by_keras(error):
                raise  # a bug
            raise ModelError(
                f"{step.where} does not fit examples of shape {shapes}: {in_one_line(error)}"
            ) from error
        for rows, old, new in zip(
            ("features", "targets"),
            map(_shown, (features, targets)),
            map(_shown, changed),
            strict=True,
        ):
            if old != new:
                raise ModelError(
                    f"{step.where} turns {rows} ({old} a row) into others ({new}); the model "
                    "takes them as they were"
                )
        if not step.takes and step.made.weights:
            raise PluginError(f"{step.where} has weights, which an augmentation may not have")


def _raised_by_keras(error: Exception) -> bool:
    """Whether an operation refused what it was given, rather than the function's own code."""
    *_, last = traceback.walk_tb(error.__traceback__)
    return last[0].f_globals.get("__name__", "").partition(".")[0] in ("keras", "tensorflow")


def _given(value: Any) -> str:
    return f"{len(value)} things" if isinstance(value, tuple | list) else in_words(value)


def _shown(rows: Any) -> str:
    """Rows in words; where they are as one expects, without their number."""
    if isinstance(rows, dict):
        return ", ".join(f"{name}: {_shown(tensor)}" for name, tensor in rows.items())
    if not hasattr(rows, "dtype") or not hasattr(rows, "shape"):
        return _given(rows)
    count = rows.shape[0] if rows.shape else "no"
    number = "" if count == ROWS else f"{count} rows of {ROWS}, "
    return f"{number}{_type(rows)} of shape {tuple(rows.shape[1:])}"


def _type(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _on_shares(loss: Any, task: Task, names: str) -> Any:
    """The loss for targets that are shares of classes; ModelError where it cannot take them.

    A loss takes them if it says the same of one-hot rows as of class numbers.
    """
    import keras

    ones = [1 for _ in task.places]
    numbers = np.array([0, task.outputs - 1, 0]).reshape(3, *ones)
    outputs = np.linspace(1, 2, 3 * task.outputs, dtype="float32").reshape(3, *ones, -1)
    outputs /= outputs.sum(axis=-1, keepdims=True)
    try:
        one_hot = np.eye(task.outputs, dtype="float32")[numbers]
        by_number, by_share = (
            np.sum(keras.ops.convert_to_numpy(loss(keras.ops.convert_to_tensor(y), outputs)))
            for y in (numbers, one_hot)
        )
        if np.isclose(by_number, by_share, rtol=1e-4):
            return loss
    except Exception:
        pass  # it takes class numbers only
    name = getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))
    if not isinstance(loss, keras.losses.SparseCategoricalCrossentropy) or _ignores(loss):
        raise ModelError(
            f"augmentation=[{names}] mixes classes, and loss={name} takes class numbers only: "
            "take loss=auto or categorical_crossentropy"
        )
    return _classes().OnShares(loss, task.outputs)


def _ignores(loss: Any) -> bool:
    return loss.get_config().get("ignore_class") is not None


def _logits(loss: Any) -> dict[str, Any]:
    return {"from_logits": loss.get_config().get("from_logits", False)}
