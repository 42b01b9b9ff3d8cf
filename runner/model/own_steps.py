"""Models with training steps, losses or metrics of their own: what they bring, under any head.

Keras' own steps of a model that got softmax or sigmoid on top would pass over those of the model
below. So that one trains: its outputs are there as its author wrote them, and the loss and the
metrics that the runner gives it put the head on top of them first.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runner.backend.keras_private import layers_below
from runner.errors import ModelError
from runner.model.inputs import is_graph

if TYPE_CHECKING:
    import keras

STEPS = ("train_step", "test_step", "compute_loss", "compute_metrics")
REPORTS = ("metrics", "reset_metrics", "get_metrics_result", "compile")
LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function")


def own_step(model: Any) -> tuple[str, str] | None:
    """The class of a model and the first step that it brings itself; None where all are Keras'."""
    return _first_own(model, STEPS)


def own_loop(model: Any) -> tuple[str, str] | None:
    """The same of the loops over batches."""
    return _first_own(model, LOOPS)


def class_of(model: Any) -> str:
    """The class of the model that its author wrote."""
    return type(_authored(model)).__name__


def _authored(model: Any) -> Any:
    while isinstance(model, _class()):
        model = model.below()
    return model


def _first_own(model: Any, names: Iterable[str]) -> tuple[str, str] | None:
    import keras

    model = _authored(model)
    for name in names:
        own = getattr(type(model), name, None)
        if own is not getattr(keras.Model, name) or name in vars(model):
            return type(model).__name__, name
    return None


def brings_its_own(model: Any) -> bool:
    """Whether Keras' own steps of another model over this one would leave something out."""
    return _first_own(model, (*STEPS, *REPORTS)) is not None


def with_head(model: Any, inputs: Any, head: Callable[[Any], Any]) -> keras.Model:
    """The model with the head on top, trained and evaluated by its own steps.

    inputs: Keras inputs as the data are. Raises ModelError for a model that brings its own loop.
    """
    if (own := own_loop(model)) is not None:
        name, loop = own
        raise ModelError(
            f"the model {name} brings a {loop} of its own, which knows nothing of the head that "
            "the task puts on top: let the model end in an activation of its own, softmax say"
        )
    made: keras.Model = _class()(inputs, head(model(inputs)))
    made.below, made.head = (lambda: model), head
    return made


def without_steps(model: Any) -> Any:
    """The model as whoever does not train it wants it: the same weights in Keras' own class."""
    import keras

    if not isinstance(model, _class()) and not _is_graph_alone(model):
        return model
    return keras.Model(model.input, model.outputs[0], name=model.name)


def _is_graph_alone(model: Any) -> bool:
    """Whether a model that brings its own steps is a graph of layers to whoever calls it."""
    import keras

    if own_step(model) is None or not is_graph(model) or len(model.outputs) != 1:
        return False
    graph = keras.Model(model.input, model.outputs[0])
    same = {id(one) for one in graph.weights} == {id(one) for one in model.weights}
    return same and type(model).call is type(graph).call


@functools.cache
def _class() -> Any:
    """The class of such models, made once a process, when Keras is there."""
    import keras

    class WithHead(keras.Model):  # type: ignore[misc]
        """A model under a head, whose steps are its own."""

        def compile(self, optimizer: Any, loss: Any, metrics: Any, **more: Any) -> None:
            super().compile(optimizer=optimizer, **more)
            self.below().compile(
                optimizer=self.optimizer,  # the same, be it wrapped for mixed precision
                loss=_on_head(loss, self.head),
                metrics=[_metric_on_head(metric, self.head) for metric in metrics],
                **more,
            )
            self.run_eagerly = self.below().run_eagerly

        def train_step(self, data: Any) -> Any:
            return self.below().train_step(data)

        def test_step(self, data: Any) -> Any:
            return self.below().test_step(data)

        @property
        def metrics(self) -> Any:
            return self.below().metrics if "below" in vars(self) else super().metrics

        def reset_metrics(self) -> None:
            self.below().reset_metrics()

        def get_metrics_result(self) -> Any:
            return self.below().get_metrics_result()

    return WithHead


def check_compile(model: Any) -> None:
    """Raise ModelError where the model's own `compile` does not take what the runner gives."""
    model = _authored(model)
    given = dict.fromkeys(("optimizer", "loss", "metrics", "jit_compile"))
    try:
        inspect.signature(model.compile).bind(**given)
    except TypeError as error:
        raise ModelError(
            f"the compile of {type(model).__name__} does not take {', '.join(given)}, by these "
            f"names ({error}): make further optimizers and losses in the architecture"
        ) from None


def _on_head(loss: Any, head: Callable[[Any], Any]) -> Any:
    """The loss of the outputs with the head on top."""
    import keras

    if not isinstance(loss, keras.losses.Loss):

        @functools.wraps(loss)
        def on_head(y_true: Any, y_pred: Any) -> Any:
            return loss(y_true, head(y_pred))

        return on_head

    class OnHead(keras.losses.Loss):  # type: ignore[misc]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return loss.call(y_true, head(y_pred))

    return OnHead(name=loss.name, reduction=loss.reduction)


def _metric_on_head(metric: Any, head: Callable[[Any], Any]) -> Any:
    """The metric, of the outputs with the head on top."""
    import keras

    if not isinstance(metric, keras.metrics.Metric):
        return _on_head(metric, head)
    update = metric.update_state

    @functools.wraps(update)
    def on_head(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        return update(y_true, head(y_pred), *args, **kwargs)

    metric.update_state = on_head
    return metric


def own_optimizers(model: Any) -> list[Any]:
    """The optimizers that the model and its layers hold beside the one it is compiled with."""
    import keras

    if not isinstance(model, keras.Model):
        return []  # it stands for a member of a pack
    others: dict[int, Any] = {}
    for layer in layers_below(model):
        for optimizer in _optimizers_in(vars(layer).values()):
            if optimizer is not model.optimizer:
                others.setdefault(id(optimizer), optimizer)
    return list(others.values())


def _optimizers_in(values: Iterable[Any]) -> Iterator[Any]:
    import keras

    for value in values:
        if isinstance(value, keras.Optimizer):
            yield value
        elif isinstance(value, list | tuple | Mapping):
            yield from _optimizers_in(value.values() if isinstance(value, Mapping) else value)
