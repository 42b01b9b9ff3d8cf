"""What components return, held against their kind's contract before anything trains.

Built-in losses and metrics are tested; those of plugins are tried on one row.
"""

from __future__ import annotations

import inspect
import math
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.backend.devices import gradient_of
from runner.components.component import BUILT_IN, Component
from runner.components.faults import in_words
from runner.components.types import Recipe, Task
from runner.data.stream import example_of
from runner.errors import ConfigError, ModelError, PluginError, choices
from runner.model.directions import name_of
from runner.model.inputs import as_authored, fits, is_graph, made_by
from runner.model.own_steps import own_step

if TYPE_CHECKING:
    import keras

    from runner.data.prepare import Prepared

_BEFORE: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""What components have returned, by id: state in it would go from one run to the next."""


def check_new(component: Component, parts: Sequence[Any], what: str) -> None:
    """Raise PluginError where a component returns what it returned before, or parts of it."""
    if any(_BEFORE.get(id(part)) is part for part in parts):
        raise PluginError(
            f"{component.place} returned {what} that it returned before, or a part of it: what "
            "one run has learned would be in the next; make a new one in every call"
        )
    _BEFORE.update({id(part): part for part in parts})


def check_model(component: Component, made: Any) -> tuple[keras.Model, list[Any]]:
    """The model and the callbacks that an architecture returned."""
    import keras

    wanted = "a Keras model, or one and a list of callbacks"
    pair = isinstance(made, tuple) and len(made) == 2
    model, callbacks = made if pair else (made, [])
    if not isinstance(model, keras.Model):
        raise component.returned(model, "a Keras model" if not isinstance(made, tuple) else wanted)
    if not isinstance(callbacks, list | tuple):
        raise PluginError(f"{component.place} returned {in_words(callbacks)} as its callbacks")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise PluginError(
                f"{component.place} returned {in_words(callback)} among its callbacks"
            )
    return model, list(callbacks)


def check_inputs(where: str, model: keras.Model, data: Prepared) -> None:
    """Raise ModelError where a graph of one input does not take what the data are."""
    if not is_graph(model) or data.several or isinstance(as_authored(model), dict):
        return
    tensors = model.inputs
    if len(tensors) != 1 or not fits(data.input_shape, tensors[0]):
        shapes = ", ".join(str(tuple(one.shape[1:])) for one in tensors)
        raise ModelError(
            f"{where} does not take an input of shape {data.input_shape}: its model's input has "
            f"shape {shapes}"
        )


def is_flat(made: Any, task: Task) -> bool:
    """Whether outputs are those of a task with places, one after the other in a row.

    Not of pixels, which a network without places of its own would need a weight each for.
    """
    places = bool(task.places) and task.per != "pixel"
    return places and tuple(getattr(made, "shape", ())[1:]) == (math.prod(task.output_shape),)


def check_outputs(where: str, made: Any, data: Prepared) -> None:
    """Raise ModelError where a model's outputs are not those that the task needs.

    made: what the model gave for symbolic inputs.
    """
    task = data.splits.task
    fault = None
    if made is None:
        fault = "nothing"
    elif isinstance(made, dict) and task.heads:
        return _check_heads(where, made, task)
    elif isinstance(made, dict):
        fault = f"outputs by name ({', '.join(map(str, made))})"
    elif isinstance(made, list | tuple):
        fault = f"{len(made)} outputs"
    elif tuple(made.shape[1:]) != task.output_shape:
        fault = f"outputs of shape {tuple(made.shape[1:])}"
    if fault is not None:
        inputs = {name: one.shape for name, one in data.inputs.items()}
        needs = f"the {task.said} task needs {task.output_shape}"
        if task.per == "pixel":
            needs += ": try unet"
        if task.heads:
            needs = (
                f"the heads {', '.join(task.heads)} need a dict of outputs by these names, or "
                f"({task.outputs},) in all"
            )
        raise ModelError(
            f"{where} gives {fault} for an input of shape "
            f"{inputs if data.several else data.input_shape}; {needs}"
        )


def _check_heads(where: str, made: dict[str, Any], task: Task) -> None:
    """Raise ModelError where outputs by name are not those of the heads."""
    for name in [*made, *task.heads]:
        if name not in task.heads:
            raise ModelError(
                f"{where} gives outputs for '{name}', which is no head of the data: "
                f"{choices(str(name), task.heads)}"
            )
        if name not in made:
            raise ModelError(
                f"{where} gives no outputs for the head '{name}', only for {', '.join(made)}"
            )
        shape, wanted = tuple(made[name].shape[1:]), (task.heads[name].outputs,)
        if shape != wanted:
            raise ModelError(
                f"{where} gives outputs of shape {shape} for the head '{name}', a "
                f"{task.heads[name].kind} that needs {wanted}"
            )


def check_optimizer(component: Component, made: Any) -> Any:
    """The optimizer that a component returned."""
    import keras

    if not isinstance(made, keras.Optimizer):
        raise component.returned(made, "a Keras optimizer")
    check_new(component, [made], "an optimizer")
    check_rate(component, float(np.asarray(made.learning_rate)))
    return made


def check_rate(component: Component, rate: float) -> None:
    """Raise ConfigError for a learning rate that would lead away, or nowhere."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ConfigError(
            f"{component.place} has a learning rate of {rate:g}: it must be a finite number, 0 or "
            "more"
        )


def check_schedule(component: Component, made: Any) -> Any:
    """The rate, schedule or callback that a component returned."""
    import keras

    if isinstance(made, keras.optimizers.schedules.LearningRateSchedule):
        return made
    if isinstance(made, keras.callbacks.Callback):
        check_new(component, [made], "a callback")
        return made
    number = isinstance(made, int | float | np.integer | np.floating) or hasattr(made, "numpy")
    if isinstance(made, bool) or not number:
        raise component.returned(made, "a number, a LearningRateSchedule or a Keras callback")
    check_rate(component, float(made))
    return made


def check_callback(component: Component, made: Any) -> Any:
    """The callback that a component returned."""
    import keras

    if not isinstance(made, keras.callbacks.Callback):
        raise component.returned(made, "a Keras callback")
    check_new(component, [made], "a callback")
    return made


def check_recipe(where: str, recipe: Recipe, before: Recipe, data: Prepared) -> None:
    """Raise PluginError or ModelError where a regularizer leaves a recipe that cannot be used.

    before: the recipe as the regularizer got it.
    """
    import keras

    parts: dict[str, tuple[Any, Any, str]] = {
        "a model": (recipe.model, keras.Model, "a Keras model"),
        "an optimizer": (recipe.optimizer, keras.Optimizer, "a Keras optimizer"),
        "metrics": (recipe.metrics, list, "a list"),
        "callbacks": (recipe.callbacks, list, "a list"),
    }
    for what, (value, kind, wanted) in parts.items():
        if not isinstance(value, kind):
            verb = "are" if what.endswith("s") else "is"
            raise PluginError(
                f"{where} leaves the recipe {what} that {verb} {in_words(value)}, not {wanted}"
            )
    losses = _by_name(recipe.loss)
    if list(losses) != list(_by_name(before.loss)):
        raise PluginError(
            f"{where} leaves the recipe a loss that is {in_words(recipe.loss)}, not one for each "
            f"head: {', '.join(_by_name(before.loss))}"
        )
    if not all(map(_is_loss, losses.values())):
        raise PluginError(
            f"{where} leaves the recipe a loss that is {in_words(recipe.loss)}, not a Keras loss "
            "or a function"
        )
    for callback in recipe.callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise PluginError(f"{where} leaves {in_words(callback)} among the callbacks")
    if (own := own_step(before.model)) is not None and own_step(recipe.model) is None:
        name, step = own
        raise ModelError(
            f"{where} puts a model of Keras' own class in the place of {name}, whose {step} would "
            "be lost: leave it out, or regularize inside the architecture"
        )
    if recipe.model is not before.model and is_graph(recipe.model):
        check_inputs(where, recipe.model, data)
        check_outputs(where, made_by(recipe.model), data)


def _by_name(loss: Any) -> Any:
    """The losses of several heads, or the one under no name."""
    return loss if isinstance(loss, dict) else {"": loss}


def _is_loss(made: Any) -> bool:
    import keras

    is_class = isinstance(made, type)
    return isinstance(made, keras.losses.Loss) or (callable(made) and not is_class)


def check_loss(component: Component, made: Any, data: Prepared) -> Any:
    """The loss that a component returned; a plugin's is tried."""
    import keras

    if not _is_loss(made):
        raise component.returned(made, "a Keras loss or a function of (y_true, y_pred)")
    _check_call(component, made, "y_true", "y_pred")
    if component.distribution == BUILT_IN:
        return made
    targets, outputs = _one_row(data)
    targets = keras.ops.cast(targets, "float32")
    is_function = not isinstance(made, keras.losses.Loss)
    if is_function and outputs.shape[-1] == 1 and len(targets.shape) < len(outputs.shape):
        targets = keras.ops.expand_dims(targets, -1)  # as Keras hands them over

    def total(outputs: Any) -> Any:
        loss = made(targets, outputs)
        _check_value(component, loss)
        return keras.ops.sum(keras.ops.cast(loss, "float32"))

    if gradient_of(total, outputs) is None:
        raise PluginError(
            f"{component.place} does not depend on the outputs, or not by operations that have a "
            "gradient: nothing would be learned"
        )
    return made


def check_metrics(component: Component, made: Any, data: Prepared) -> list[Any]:
    """The metrics that a component returned; a plugin's are tried."""
    import keras

    metrics = made if isinstance(made, list) else [made]
    for metric in metrics:
        is_class = isinstance(metric, type)
        if not isinstance(metric, keras.metrics.Metric) and (is_class or not callable(metric)):
            if isinstance(made, list):
                raise PluginError(
                    f"{component.place} returned {in_words(metric)} among its metrics"
                )
            raise component.returned(metric, "a Keras metric or a function of (y_true, y_pred)")
        if (name := name_of(metric)) in ("loss", "learning_rate") or name.startswith("val_"):
            raise PluginError(
                f"{component.place} is called '{name}' in the logs, which stands for something "
                "else there: give it another name"
            )
        if isinstance(metric, keras.metrics.Metric):
            check_new(component, [metric], "a metric")
        else:
            _check_call(component, metric, "y_true", "y_pred")
        if component.distribution != BUILT_IN:
            _try_metric(component, metric, data)
    return metrics


def _try_metric(component: Component, metric: Any, data: Prepared) -> None:
    import keras

    targets, outputs = _one_row(data)
    if not isinstance(metric, keras.metrics.Metric):
        _check_value(component, metric(targets, outputs))
        return
    metric.update_state(targets, outputs)
    value = metric.result()
    metric.reset_state()
    _check_value(component, value)
    if shape := tuple(np.shape(value)):
        raise PluginError(
            f"{component.place} gives an array of shape {shape} as its result, and a metric is "
            "one number"
        )


def _check_value(component: Component, value: Any) -> None:
    """Raise PluginError for what is no number or array of numbers."""
    if not isinstance(value, int | float | np.ndarray | np.generic) and not hasattr(
        value, "dtype"
    ):
        raise PluginError(f"{component.place} gives {in_words(value)}, no number")


def _check_call(component: Component, made: Callable[..., Any], *names: str) -> None:
    """Raise PluginError where a function cannot be called with these arguments by place."""
    if not inspect.isfunction(made):
        return
    try:
        inspect.signature(made).bind(*names)
    except TypeError:
        takes = ", ".join(inspect.signature(made).parameters)
        raise PluginError(
            f"{component.place} returned a function of ({takes}), and it takes "
            f"({', '.join(names)})"
        ) from None


def _one_row(data: Prepared) -> tuple[Any, Any]:
    """The targets of one row as a batch, and outputs as a model may give them."""
    import keras

    task: Task = data.splits.task
    targets = keras.ops.convert_to_tensor(np.asarray(example_of(data.splits.train)[1])[:1])
    likely = 0.5 if task.kind in ("binary", "multilabel") else 1 / task.outputs
    return targets, keras.ops.full((1, *task.output_shape), likely, "float32")
