"""`runner.TrackKeras`: a Keras script recorded by one more callback of its `model.fit`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from runner.components.types import Mode
from runner.tracking.run import TrackedRun, track

OWN = ("loss", "val_loss", "learning_rate")


def track_keras(
    experiment: str,
    params: Mapping[str, Any] | None = None,
    *,
    monitor: str | None = None,
    mode: Mode | None = None,
    dataset: str | None = None,
    results: str | os.PathLike[str] | None = None,
    weights: bool = True,
) -> Any:
    """Make a Keras callback that records the training that it is given to.

    `model.fit(..., callbacks=[runner.TrackKeras("my experiment", {"units": 64})])`. Arguments as
    those of `runner.track`; its run is the callback's `run`, to which more may be added until
    the training ends. The optimizer and its learning rate are params, too.

    weights: whether the weights of the best epoch are kept.

    A second `fit` with the same callback is another run.
    """
    import keras

    def begin(model: Any, fit_params: Mapping[str, Any]) -> TrackedRun:
        known = _of_model(model) | {"epochs": fit_params.get("epochs")}
        return track(
            experiment,
            {name: value for name, value in known.items() if value is not None}
            | dict(params or {}),
            monitor=monitor,
            mode=mode,
            dataset=dataset,
            results=results,
        )

    class TrackKeras(keras.callbacks.Callback):  # type: ignore[misc]
        """The callback; see `track_keras`."""

        run: TrackedRun | None = None

        def on_train_begin(self, logs: Any = None) -> None:
            self.run = begin(self.model, self.params)
            self.run.before_end = self._keep_best
            self._best: list[Any] | None = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            assert self.run is not None
            values = dict(logs or {})
            self.run.epoch(
                values.get("loss", float("nan")),
                values.get("val_loss"),
                learning_rate=_rate(self.model.optimizer),
                **{name: value for name, value in values.items() if name not in OWN},
            )
            if weights and self.run.best_epoch in (None, self.run.epochs):
                self._best = self.model.get_weights()

        def on_train_end(self, logs: Any = None) -> None:
            assert self.run is not None
            self.run.finish()

        def _keep_best(self) -> None:
            if self.run is not None and self._best is not None:
                names = [weight.path for weight in self.model.weights]
                self.run.weights(dict(zip(names, self._best, strict=True)))

    return TrackKeras()


def _of_model(model: Any) -> dict[str, Any]:
    """What a compiled model says of itself."""
    optimizer = getattr(model, "optimizer", None)
    known = {"model": model.name, "parameters": model.count_params()}
    if optimizer is not None:
        known |= {"optimizer": optimizer.name, "optimizer.learning_rate": _rate(optimizer)}
    return known


def _rate(optimizer: Any) -> float:
    """The present learning rate."""
    import numpy as np

    return float(np.asarray(optimizer.learning_rate))
