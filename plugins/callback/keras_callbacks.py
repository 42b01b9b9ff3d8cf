"""Keras' callbacks: some with params of their own, and any other by the name of its class."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from runner import ModelError, callback, choices


@callback
def csv_logger(*, path: Path = Path("epochs.csv"), append: bool = False) -> Any:
    """Write every epoch's losses and metrics to a CSV file as well.

    path: from where you stand; in a sweep each run needs one of its own, such as
    `callback.csv_logger.path='logs/${seed}.csv'`. append: go on in a file that is there already,
    as a resumed run should.
    """
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    return keras.callbacks.CSVLogger(str(path), append=append)


@callback
def tensorboard(*, path: Path = Path("tensorboard"), histograms: Annotated[int, Ge(0)] = 0) -> Any:
    """Write what TensorBoard shows: losses and metrics, and weights every `histograms` epochs.

    path: a folder, from where you stand. Raises ModelError where the package is missing. It acts
    on batches, so engine `keras` trains.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ModelError(
            "callback=tensorboard needs the package tensorboard, which is missing: "
            "pip install tensorboard"
        )
    import keras

    return keras.callbacks.TensorBoard(str(path), histogram_freq=histograms, write_graph=False)


@callback
def terminate_on_nan() -> Any:
    """End the epoch at the first batch whose loss is no number, rather than after the epoch.

    A run whose loss is lost fails in any case. It acts on batches, so engine `keras` trains.
    """
    import keras

    return keras.callbacks.TerminateOnNaN()


@callback(name="keras")
def by_name(*, class_name: str, params: Mapping[str, Any] | None = None) -> Any:
    """A callback of keras.callbacks: `class_name` with `params={patience:3}` as its arguments.

    Raises ModelError where Keras has no such class or it does not take the params.
    """
    import keras

    classes = {
        name: member
        for name, member in vars(keras.callbacks).items()
        if inspect.isclass(member) and issubclass(member, keras.callbacks.Callback)
    }
    if class_name not in classes:
        raise ModelError(
            f"callback.keras.class_name={class_name} is no class of keras.callbacks: "
            f"{choices(class_name, classes)}"
        )
    try:
        return classes[class_name](**dict(params or {}))
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"callback.keras.params do not fit {class_name}: {reason}") from error
