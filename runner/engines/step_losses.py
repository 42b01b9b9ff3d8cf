"""The training loss inside of an epoch: the mean over every stretch of so many batches."""

from __future__ import annotations

import numpy as np

from runner.engines.arrays import Model
from runner.errors import ModelError
from runner.journal.records import Steps


class StepLosses:
    """Readings of the model's running mean of its loss while an epoch goes on.

    Keras adds up the loss of every row of the epoch, in float32, and counts the rows; the mean of
    a stretch is the difference of two sums over that of the counts.
    """

    def __init__(self, model: Model, every: int, batches: int) -> None:
        """every: batches of a stretch; batches: those of an epoch, whose last stretch may be
        shorter.
        """
        self._model, self._every, self._batches = model, every, batches
        self.begin()

    def begin(self) -> None:
        """An epoch begins, and the model's metrics are reset."""
        self._done = 0
        self._sum = self._count = 0.0
        self._steps: list[int] = []
        self._losses: list[float] = []

    @property
    def left(self) -> int:
        """The number of batches until the present stretch is full."""
        return self._every - self._done % self._every

    def advance(self, batches: int, *, last: bool = False) -> None:
        """So many more batches are done, not beyond the end of the stretch.

        last: the epoch ends here, before its time. Raises ModelError where the model does not add
        up its loss.
        """
        self._done += batches
        if not (last or self._done == self._batches or self._done % self._every == 0):
            return
        total, count = self._read()
        if not count:
            raise self._missing()
        if count == self._count:  # in float32, single rows are lost above 16,777,216
            return
        self._steps.append(self._done)
        self._losses.append((total - self._sum) / (count - self._count))
        self._sum, self._count = total, count

    def record(self, run_id: str, epoch: int) -> Steps:
        """The readings of the epoch, counted from 1, as a record."""
        return Steps(run_id, epoch, self._steps, self._losses)

    def _read(self) -> tuple[float, float]:
        """The loss added up over the rows of the epoch so far, and their number."""
        for metric in self._model.metrics:
            if metric.name == "loss" and hasattr(metric, "total") and hasattr(metric, "count"):
                return float(np.asarray(metric.total)), float(np.asarray(metric.count))
        raise self._missing()

    def _missing(self) -> ModelError:
        return ModelError(
            f"record_steps={self._every} needs a model that adds up its loss in a "
            f"keras.metrics.Mean named loss, and {type(self._model).__name__} does not: "
            "leave record_steps out, or have its train_step update one"
        )
