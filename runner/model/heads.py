"""The model's side of several heads: each head's loss and metrics, on its own columns.

`runner/data/heads.py` tells how heads stand side by side. What a run is made of is made head by
head, by what a single task has, and put together here: one model whose outputs stand side by
side, one loss, the sum of the heads' own, each times its weight, and metrics called after their
head, as `kind.accuracy`. Where the model is saved its outputs are apart again, by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runner.components.types import Recipe, Task
from runner.config.config import Choice, Config
from runner.data.heads import (
    DOT,
    HAVE_NUMBERS,
    is_single,
    output_columns,
    splits_by_head,
    target_columns,
)
from runner.data.prepare import Prepared
from runner.errors import ConfigError, ModelError, choices
from runner.model.directions import name_of
from runner.model.files import plain_names
from runner.model.inputs import (
    as_authored,
    ends_in_activation,
    is_graph,
    keras_inputs,
    made_by,
)
from runner.model.own_steps import brings_its_own, class_of, own_loop

if TYPE_CHECKING:
    import keras

SIDE_BY_SIDE = "heads_side_by_side"
"""The layer whose inputs are the heads' outputs."""


def by_head(data: Prepared) -> dict[str, Prepared]:
    """The data as each head alone has them; empty where there is one task."""
    return {name: replace(data, splits=one) for name, one in splits_by_head(data.splits).items()}


def check_heads(config: Config, task: Task) -> None:
    """Raise ConfigError where `heads` names one that the data do not have."""
    for name in config.settings.heads or {}:
        if not task.heads:
            raise ConfigError(f"heads.{name} needs data with several heads: these have one task")
        if name not in task.heads:
            raise ConfigError(f"heads.{name} is no head of the data: {choices(name, task.heads)}")


def losses_of(
    config: Config, data: Prepared, make: Callable[[Choice, Prepared], Any]
) -> dict[str, Any]:
    """Each head's loss: its own, or the one of all.

    make: from a choice and the head's data. Raises ModelError where one does not fit its head.
    """
    losses = {}
    for name, own in by_head(data).items():
        choice = config.losses.get(name, config.one("loss"))
        try:
            losses[name] = make(choice, own)
        except ModelError as error:
            raise ModelError(
                f"the head '{name}': {error}, or heads.{name}.loss=auto for it alone"
            ) from error
    return losses


def graphs_by_head(model: keras.Model, data: Prepared) -> dict[str, keras.Model]:
    """A graph for each head, all of the same layers up to the head's own linear outputs.

    model: it gives a dict of them, or all side by side. Raises ModelError for one that trains by
    steps of its own, which would get targets side by side.
    """
    import keras

    heads = data.splits.task.heads
    if brings_its_own(model) or own_loop(model):
        raise ModelError(
            f"the model {class_of(model)} brings steps, metrics or a loop of its own, and the "
            f"data have the heads {', '.join(heads)}: let Keras' own train several heads"
        )
    if is_graph(model):
        inputs, outputs = as_authored(model), made_by(model)
    else:
        inputs = keras_inputs(data, one="features")
        outputs = model(inputs)
        if isinstance(outputs, dict):
            # What a model of its own code ends in cannot be seen; this says that it is linear.
            outputs = {
                name: keras.layers.Identity(name=f"{plain}_outputs")(outputs[name])
                for name, plain in plain_names(heads).items()
            }
    if not isinstance(outputs, dict):
        if ends_in_activation(model):
            raise ModelError(
                "the architecture ends in an activation of its own, over the outputs of the heads "
                f"{', '.join(heads)} together: let it end in a linear layer, or take `heads` and "
                "give a dict of outputs"
            )
        columns = output_columns(data.splits.task)
        outputs = {name: outputs[:, one] for name, one in columns.items()}
    return {name: keras.Model(inputs, outputs[name]) for name in heads}


def side_by_side(graphs: Sequence[keras.Model]) -> keras.Model:
    """One model that gives the outputs of all, one beside the other, float32."""
    import keras

    beside = keras.layers.Concatenate(name=SIDE_BY_SIDE, dtype="float32")
    return keras.Model(as_authored(graphs[0]), beside([one.outputs[0] for one in graphs]))


def apart(model: keras.Model, task: Task) -> keras.Model:
    """The model as whoever does not train it wants it: a dict of each head's outputs."""
    import keras

    if not task.heads:
        return model
    tensors = keras.tree.flatten(model.get_layer(SIDE_BY_SIDE).input)
    outputs = dict(zip(task.heads, tensors, strict=True))
    return keras.Model(as_authored(model), outputs, name=model.name)


# --- Loss and metrics ----------------------------------------------------------------------------


@dataclass(eq=False)
class Head:
    """The columns of one head, and its loss."""

    name: str
    begin: int
    end: int
    """Of the outputs."""
    target_begin: int
    target_end: int
    is_class: bool
    """Whether its target is a number of a class, or yes and no."""
    is_single: bool
    """Whether its targets have no axis of their own: (rows,)."""
    loss: Any = None
    weight: float = 1.0

    def of(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """The head's targets, as its task alone has them, and its outputs."""
        from keras import ops

        targets = y_true[:, self.target_begin : self.target_end]
        targets = ops.cast(targets, "int32" if self.is_class else y_pred.dtype)
        return targets[:, 0] if self.is_single else targets, y_pred[:, self.begin : self.end]

    def losses(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of every row: (rows,)."""
        import keras
        from keras import ops

        call = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        losses = ops.cast(call(*self.of(y_true, y_pred)), "float32")
        if not losses.shape:  # one for all of the batch
            return losses * ops.ones_like(y_pred[:, 0])
        return ops.mean(losses, axis=tuple(range(1, len(losses.shape))))


def heads_of(task: Task) -> dict[str, Head]:
    """The heads with their columns."""
    targets, outputs = target_columns(task), output_columns(task)
    return {
        name: Head(
            name,
            outputs[name].start,
            outputs[name].stop,
            targets[name].start,
            targets[name].stop,
            is_class=head.kind not in HAVE_NUMBERS,
            is_single=is_single(head),
        )
        for name, head in task.heads.items()
    }


def loss_of_heads(heads: Mapping[str, Head]) -> keras.losses.Loss:
    """The weighted sum of the heads' losses; sample weights are (rows, heads), or none."""
    made: keras.losses.Loss = _loss_class()(list(heads.values()))
    return made


@functools.cache
def _loss_class() -> Any:
    """The class of such losses, made once a process, when Keras is there."""
    import keras
    from keras import ops

    class OfHeads(keras.losses.Loss):  # type: ignore[misc]
        def __init__(self, heads: list[Head]) -> None:
            super().__init__(name="heads")
            self.heads = heads

        def call(self, y_true: Any, y_pred: Any) -> Any:
            each = [head.weight * head.losses(y_true, y_pred) for head in self.heads]
            # Keras takes the mean over rows and heads.
            return ops.stack(each, axis=-1) * len(each)

    return OfHeads


def metric_of_loss(head: Head) -> keras.metrics.Metric:
    """The metric `kind.loss`: the head's part in the run's loss, without its weight."""
    import keras

    return keras.metrics.MeanMetricWrapper(head.losses, name=f"{head.name}{DOT}loss")


def metric_on_head(metric: Any, head: Head) -> Any:
    """The metric on the head's columns, called after it."""
    import keras

    name = f"{head.name}{DOT}{name_of(metric)}"
    inner = metric.update_state if isinstance(metric, keras.metrics.Metric) else metric

    @functools.wraps(inner)
    def on_head(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        return inner(*head.of(y_true, y_pred), *args, **kwargs)

    if not isinstance(metric, keras.metrics.Metric):
        on_head.__name__ = name
        return on_head
    metric.update_state, metric.name = on_head, name
    return metric


def put_together(
    recipe: Recipe, parts: Mapping[str, Recipe], config: Config, task: Task
) -> Recipe:
    """The recipe whose heads are one.

    parts: head -> a recipe whose model is a graph that ends in the head's outputs, and whose loss
    is the head's.
    """
    heads, own = heads_of(task), config.settings.heads or {}
    for name, part in parts.items():
        heads[name].loss = part.loss
        if name in own:
            heads[name].weight = float(own[name].weight)
    recipe.model = side_by_side([part.model for part in parts.values()])
    recipe.loss = loss_of_heads(heads)
    recipe.metrics = [*recipe.metrics, *map(metric_of_loss, heads.values())]
    return recipe
