"""The recipe of a run: from a config and its data to a compiled Keras model."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.backend.devices import mirrored
from runner.backend.keras_private import ever_trainable
from runner.backend.names import Unsupported
from runner.backend.tensorflow_private import too_large
from runner.components.types import Keeper, Mode, Nowhere, Recipe, Task
from runner.config.config import Choice, Config
from runner.data.heads import DOT
from runner.data.prepare import Prepared
from runner.errors import ConfigError, ModelError
from runner.model.augment import augment
from runner.model.directions import direction, name_of, settle, stated
from runner.model.files import plain_names
from runner.model.heads import (
    by_head,
    check_heads,
    graphs_by_head,
    heads_of,
    losses_of,
    metric_on_head,
    put_together,
)
from runner.model.inputs import (
    as_authored,
    ends_in_activation,
    is_graph,
    keras_inputs,
    made_by,
)
from runner.model.names import missing_monitor, named, other_names
from runner.model.own_steps import brings_its_own, check_compile, own_loop, own_step, with_head
from runner.model.returns import (
    check_callback,
    check_inputs,
    check_loss,
    check_metrics,
    check_model,
    check_new,
    check_optimizer,
    check_outputs,
    check_rate,
    check_recipe,
    check_schedule,
    is_flat,
)
from runner.model.targets import loss_in_deviations, loss_in_units, scaled_back, units_of
from runner.system.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import keras

HERE = Path()
HEADS = {
    "classification": "softmax",
    "binary": "sigmoid",
    "multilabel": "sigmoid",
    "regression": None,
}


def monitor_of(
    config: Config,
    data: Prepared,
    modes: Mapping[str, Mode] | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[str, Mode]:
    """The metric by which the run's epochs are ranked, and "min" or "max".

    modes: those of the run's metrics, once they are made; without them its name is asked.
    names: what they are called besides -> what they are called.
    """
    settings = config.settings
    monitor = settings.monitor or ("val_loss" if data.splits.val is not None else "loss")
    if monitor.startswith("val_") and data.splits.val is None:
        raise ConfigError(f"monitor={monitor} needs a val split, and split.val leaves none")
    monitor = named(monitor, names or {})
    if settings.mode != "auto":
        return monitor, settings.mode
    return monitor, direction(monitor, modes or {})


def build(
    config: Config,
    data: Prepared,
    keeper: Keeper | None = None,
    run_id: str = "",
    results: Path = HERE,
) -> Recipe:
    """The compiled model with its callbacks; initial weights follow from the seed alone.

    keeper: takes what callbacks leave behind.
    run_id, results: of the run, for callbacks that ask.

    Raises ModelError, DataError or ConfigError where components do not fit each other, and
    ModelError where the model does not fit into the memory.
    """
    try:
        recipe = assemble(config, data, keeper, run_id, results)
    except Exception as error:
        if said := too_large(error):
            raise ModelError(
                f"architecture={config.one('architecture').component.name} asks for more than "
                f"there is memory ({said}): make it smaller"
            ) from error
        raise
    check_compile(recipe.model)
    with mirrored():
        recipe.model.compile(
            optimizer=recipe.optimizer, loss=recipe.loss, metrics=recipe.metrics, jit_compile=False
        )
        # Inside a traced training step, a slot that begins as a copy of its weight (schedule-free
        # AdamW's) would be set back to it in every step.
        recipe.model.optimizer.build(_optimized(recipe))
    for callback in recipe.callbacks:
        # One that cannot work with this model says so now, before anything trains.
        callback.set_model(recipe.model)
    return recipe


def _optimized(recipe: Recipe) -> list[Any]:
    """The variables that the optimizer is to have state for."""
    if not recipe.unfreezes:
        return list(recipe.model.trainable_variables)
    try:
        return ever_trainable(recipe.model)
    except Unsupported:
        # State that is never used costs memory, and no more.
        return [weight for weight in recipe.model.weights if "float" in str(weight.dtype)]


def assemble(
    config: Config,
    data: Prepared,
    keeper: Keeper | None = None,
    run_id: str = "",
    results: Path = HERE,
) -> Recipe:
    """Make everything that is to be compiled, and do not compile it yet."""
    import keras

    # Layer names start anew, so that equal runs have equal names for their weights.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(config.settings.seed)
    keras.config.set_dtype_policy(config.settings.precision)
    with mirrored():
        return _assembled(config, data, keeper, run_id, results)


def _assembled(
    config: Config, data: Prepared, keeper: Keeper | None, run_id: str, results: Path
) -> Recipe:
    task = data.splits.task
    check_heads(config, task)
    metrics, modes, names = _metrics(config, data)
    monitor, mode = monitor_of(config, data, modes, names)
    _say_renamed(config.settings.monitor, monitor)
    optimizer, callbacks = _optimizer(config, data, monitor, mode)
    model, unfreezing = _architecture(config, data, task)
    recipe = Recipe(
        model=model,
        loss=_loss(config, data),
        optimizer=optimizer,
        metrics=metrics,
        callbacks=[*callbacks, *unfreezing],
        unfreezes=bool(unfreezing),
        modes=modes,
        monitor=monitor,
    )
    for regularizer in config.chosen["regularizer"]:
        before = replace(recipe)
        recipe = regularizer(
            recipe=recipe,
            task=task,
            monitor=monitor,
            mode=mode,
            seed=config.settings.seed,
            **_length(config, data),
        )
        if not isinstance(recipe, Recipe):
            raise regularizer.component.returned(recipe, "Recipe")
        check_recipe(regularizer.component.place, recipe, before, data)
    recipe = _with_heads(recipe, config, data)
    recipe = augment(recipe, config, data)
    recipe.callbacks += _callbacks(
        config,
        task=task,
        epochs=config.settings.epochs,
        monitor=monitor,
        mode=mode,
        run=keeper or Nowhere(),
        run_id=run_id,
        seed=config.settings.seed,
        results=results,
        data=data.read_only,
    )
    _check_monitor(monitor, recipe)
    settle(recipe, monitor, mode, is_set=config.settings.mode != "auto")
    return recipe


def _architecture(config: Config, data: Prepared, task: Task) -> tuple[keras.Model, list[Any]]:
    """The model, and the callbacks that the architecture brings."""
    import keras

    choice = config.one("architecture")
    where = f"architecture '{choice.component.name}'"
    inputs, needs = data.inputs, choice.component.needs
    if len(inputs) > 1 and "input_shape" in needs and "inputs" not in needs:
        raise ConfigError(
            f"{where} takes one input and the data have {len(inputs)} ({', '.join(inputs)}): add "
            "a preprocessing that makes one array of them, as preprocessing=[encode], or choose "
            "an architecture that takes `inputs`"
        )
    made = choice(
        input_shape=None if len(inputs) > 1 else data.input_shape,
        inputs=inputs,
        outputs=math.prod(task.output_shape),
        heads={name: head.outputs for name, head in task.heads.items()},
        task=task,
        seed=config.settings.seed,
    )
    model, callbacks = check_model(choice.component, made)
    if is_graph(model) and len(model.outputs) != 1:
        check_outputs(where, made_by(model), data)
    model = _as_data_come(model, data, where)
    check_inputs(where, model, data)
    # A call builds any model; build() would leave a subclassed model's layers without weights.
    outputs = model(keras_inputs(data))
    if is_flat(outputs, task) and own_step(model) is None:
        shaped = keras.layers.Reshape(task.output_shape, name="places")
        model = _on_top(model, data, shaped)
    else:
        check_outputs(where, outputs, data)
    check_new(choice.component, [*model.variables, *callbacks], "a model or callback")
    return model, callbacks


def _as_data_come(model: keras.Model, data: Prepared, where: str) -> keras.Model:
    """The model over one input, or over a dict of them, as the data are.

    Raises ModelError where its inputs are not those of the data.
    """
    import keras

    if not is_graph(model):
        return model
    given, names = as_authored(model), list(data.inputs)
    if not isinstance(given, dict):
        tensors = keras.tree.flatten(given)
        alone = len(tensors) == len(names) == 1
        given = dict(zip(names if alone else [t.name for t in tensors], tensors, strict=True))
    if sorted(given) != sorted(names):
        raise ModelError(
            f"{where} gives a model with the inputs {', '.join(given)}, and the data have "
            f"{', '.join(names)}: make each with keras.Input(shape, dtype=dtype, name=name)"
        )
    wanted = {name: given[name] for name in names} if data.several else given[names[0]]
    if type(wanted) is type(as_authored(model)):
        return model
    return keras.Model(wanted, made_by(model), name=model.name)


def _with_heads(recipe: Recipe, config: Config, data: Prepared) -> Recipe:
    """The recipe with the head that the task asks for, or with a head for each of several."""
    heads = by_head(data)
    if not heads:
        recipe.model = _with_head(recipe.model, data)
        return _in_units(recipe, config, data)
    graphs, names = graphs_by_head(recipe.model, data), plain_names(heads)
    assert isinstance(recipe.loss, dict)
    parts = {}
    for name, own in heads.items():
        model = _with_head(graphs[name], own, f"{names[name]}_")
        part = replace(recipe, model=model, loss=recipe.loss[name])
        parts[name] = _in_units(part, config, own, name)
    return put_together(recipe, parts, config, data.splits.task)


def _with_head(model: keras.Model, data: Prepared, prefix: str = "") -> keras.Model:
    """The model with softmax or sigmoid on top, unless it ends in an activation of its own.

    prefix: of the layer's name.
    """
    import keras

    head = HEADS[data.splits.task.kind]
    if head is None or ends_in_activation(model):
        return model
    # float32 even under mixed precision: probabilities need the digits.
    activation = keras.layers.Activation(head, dtype="float32", name=f"{prefix}probabilities")
    if brings_its_own(model) or own_loop(model):
        return with_head(model, keras_inputs(data, one="features"), activation)
    return _on_top(model, data, activation)


def _in_units(recipe: Recipe, config: Config, data: Prepared, head: str = "") -> Recipe:
    """The recipe with a regression's targets standardised, unless they stay what they are.

    head: whose they are, where there are several.
    """
    units = units_of(config, data, recipe, head)
    if units is not None and not ends_in_activation(recipe.model):
        name = f"{plain_names([head])[head]}_units" if head else "units"
        recipe.model = _on_top(
            recipe.model, data, lambda outputs: scaled_back(outputs, units, name)
        )
        recipe.loss = (loss_in_deviations if head else loss_in_units)(recipe.loss, units)
    return recipe


def _on_top(model: keras.Model, data: Prepared, change: Callable[[Any], Any]) -> keras.Model:
    """The model with its outputs changed by a layer."""
    import keras

    if not is_graph(model):
        inputs = keras_inputs(data, one="features")
        return keras.Model(inputs, change(model(inputs)))
    # No list of one: a model over a list warns when it is called with an array.
    return keras.Model(as_authored(model), change(model.outputs[0]))


def _optimizer(config: Config, data: Prepared, monitor: str, mode: str) -> tuple[Any, list[Any]]:
    """The optimizer with its schedule, and the schedule's callback if it is one."""
    import keras

    choice, schedule = config.one("optimizer"), config.one("schedule")
    params, length = dict(choice.params), _length(config, data)
    if isinstance(base := params.get("learning_rate"), int | float):
        check_rate(choice.component, base)
    if "learning_rate" not in params:
        if schedule.component.name != "constant":
            raise ConfigError(
                f"schedule={schedule.component.name} needs a param learning_rate, and "
                f"optimizer '{choice.component.name}' has none"
            )
        return check_optimizer(choice.component, choice.component(length, params)), []
    rate = schedule(learning_rate=params["learning_rate"], monitor=monitor, mode=mode, **length)
    rate = check_schedule(schedule.component, rate)
    is_callback = isinstance(rate, keras.callbacks.Callback)
    params |= {} if is_callback else {"learning_rate": rate}
    made = check_optimizer(choice.component, choice.component(length, params))
    return made, [rate] if is_callback else []


def _length(config: Config, data: Prepared) -> dict[str, int]:
    """How long the run may last, as components are told it."""
    return {"epochs": config.settings.epochs, "steps_per_epoch": steps(config, data)}


def steps(config: Config, data: Prepared) -> int:
    """The number of batches of an epoch; the last one may be smaller."""
    all_of_them = -(-data.rows()["train"] // config.settings.batch_size)
    return min(all_of_them, config.settings.limit_batches or all_of_them)


def _loss(config: Config, data: Prepared) -> Any:
    if data.splits.task.heads:
        return losses_of(config, data, _made_loss)
    return _made_loss(config.one("loss"), data)


def _made_loss(choice: Choice, data: Prepared) -> Any:
    return check_loss(choice.component, choice(task=data.splits.task, summary=data.summary), data)


def _metrics(config: Config, data: Prepared) -> tuple[list[Any], dict[str, Mode], dict[str, str]]:
    """The metrics, each name once; the directions that are stated of them; their other names."""
    metrics: dict[str, Any] = {}
    modes: dict[str, Mode] = {f"{head}{DOT}loss": "min" for head in data.splits.task.heads}
    others: dict[str, str] = {}
    for choice in config.chosen["metric"]:
        for several, aliases in _made_metrics(choice, data):
            others |= aliases
            for one in several:
                if name_of(one) not in metrics:
                    metrics[name_of(one)] = one
                    modes |= stated([one], choice.component.marks.mode)
    return list(metrics.values()), modes, {k: v for k, v in others.items() if k not in metrics}


def _made_metrics(choice: Choice, data: Prepared) -> Iterator[tuple[list[Any], dict[str, str]]]:
    """The metrics that a choice makes, and their other names; of each head that it is for.

    Raises ModelError where it is for none.
    """
    if not data.splits.task.heads:
        made = choice(task=data.splits.task, summary=data.summary)
        several = check_metrics(choice.component, made, data)
        alone = not isinstance(made, list)
        yield several, dict.fromkeys(other_names(choice), name_of(made)) if alone else {}
        return
    heads, reasons, fits = heads_of(data.splits.task), [], False
    for name, own in by_head(data).items():
        try:
            found = list(_made_metrics(choice, own))
        except ModelError as error:
            reasons.append(error)
            continue
        fits = True
        for several, aliases in found:
            aliases = {f"{name}{DOT}{a}": f"{name}{DOT}{b}" for a, b in aliases.items()}
            yield [metric_on_head(one, heads[name]) for one in several], aliases
    if not fits:
        raise reasons[0]


@functools.cache
def _say_renamed(asked: str | None, monitor: str) -> None:
    """Once a process: a sweep builds many models of the same metrics."""
    if asked not in (None, monitor):
        say(f"monitor={asked}: epochs have it as {monitor}")


def _callbacks(config: Config, **offers: Any) -> list[Any]:
    chosen = config.chosen["callback"]
    return [check_callback(choice.component, choice(**offers)) for choice in chosen]


def _check_monitor(monitor: str, recipe: Recipe) -> None:
    """ConfigError where nothing of the recipe can be called as the monitor says."""
    have = {"loss"} | {name_of(one) for one in recipe.metrics}
    if monitor.removeprefix("val_") in have or any(map(_may_add_metrics, recipe.callbacks)):
        return
    raise ConfigError(missing_monitor(monitor, [*have, *(f"val_{name}" for name in have)]))


def _may_add_metrics(callback: Any) -> bool:
    """Whether the callback may put numbers into an epoch's logs: it is not one of Keras' own."""
    import keras

    is_keras = type(callback).__module__.startswith("keras.")
    return not is_keras or isinstance(callback, keras.callbacks.LambdaCallback)
