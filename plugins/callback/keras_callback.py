"""Any callback of Keras, by the name of its class."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from runner import ModelError, callback


@callback(name="keras")
def by_name(*, class_name: str, params: Mapping[str, Any] | None = None) -> Any:
    """A callback of keras.callbacks: `class_name` with `params={patience:3}` as its arguments.

    Raises ModelError where Keras has no such class or it does not take the params.
    """
    import keras

    classes = {
        name: found
        for name, found in vars(keras.callbacks).items()
        if inspect.isclass(found) and issubclass(found, keras.callbacks.Callback)
    }
    if class_name not in classes:
        near = difflib.get_close_matches(class_name, classes, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ModelError(
            f"callback.keras.class_name={class_name} is no class of keras.callbacks: {hint}"
            f"available: {', '.join(sorted(classes))}"
        )
    try:
        return classes[class_name](**dict(params or {}))
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ModelError(f"callback.keras.params do not fit {class_name}: {said}") from error
