"""Logs for TensorBoard."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from runner import ModelError, callback


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
