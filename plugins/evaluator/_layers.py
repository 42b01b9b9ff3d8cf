"""Layers of a trained model: found at any depth, and listened to while it computes.

A layer's `call` is replaced for the time of one eager call, which serves graphs, nested models
and subclassed ones alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from runner import ModelError, choices


def every_layer(model: Any) -> Iterator[Any]:
    """The layers that hold no others, in their order, those of nested models among them."""
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from every_layer(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def layer_named(model: Any, name: str) -> Any:
    """The layer of that name; ModelError with the names that there are."""
    layers = list(every_layer(model))
    for layer in layers:
        if layer.name == name:
            return layer
    raise ModelError(
        f"the model has no layer '{name}': {choices(name, [one.name for one in layers])}"
    )


@contextmanager
def outputs_changed(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Pass what the layer gives through a function, while the model computes eagerly."""
    call = layer.call

    def changed(*arguments: Any, **named: Any) -> Any:
        return change(call(*arguments, **named))

    vars(layer)["call"] = changed
    try:
        yield
    finally:
        del vars(layer)["call"]


def output_of(layer: Any, compute: Callable[[], Any]) -> list[Any]:
    """What the layer gives, each time that it is called by the computation."""
    given: list[Any] = []

    def note(output: Any) -> Any:
        given.append(output)
        return output

    with outputs_changed(layer, note):
        compute()
    return given
