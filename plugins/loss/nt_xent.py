"""Two views of an example among all others."""

from __future__ import annotations

import functools
from typing import Annotated, Any

from annotated_types import Gt

from runner import ModelError, Search, Task, loss


@loss
def nt_xent(
    task: Task, *, temperature: Annotated[float, Gt(0), Search(0.05, 1.0, log=True)] = 0.5
) -> object:
    """Cross-entropy of each view's partner among all other views of the batch (Chen et al. 2020).

    For task=contrastive. Similarity is the cosine of outputs, divided by `temperature`; larger
    batches have more to tell apart. arXiv:2002.05709, equation 1. Raises ModelError for other
    tasks.
    """
    if task.per != "view":
        raise ModelError(
            f"loss=nt_xent compares pairs of views, and the task is {task.said}: add "
            "task=contrastive, or take loss=auto"
        )
    return _class()(temperature)


@functools.cache
def _class() -> Any:
    """The class of such losses, made once a process, when Keras is there."""
    import keras
    from keras import ops

    class NTXent(keras.losses.Loss):  # type: ignore[misc]
        """Outputs are (2n, size): the first views of n examples, then the second ones."""

        def __init__(self, temperature: Any) -> None:
            super().__init__(name="nt_xent")
            self._temperature = temperature

        def call(self, y_true: Any, y_pred: Any) -> Any:
            unit = ops.normalize(y_pred, axis=-1)
            rows = ops.shape(unit)[0]
            alike = ops.matmul(unit, ops.transpose(unit)) / self._temperature
            # No view is compared with itself.
            alike = alike - 1e9 * ops.eye(rows)
            partner = (ops.arange(rows) + rows // 2) % rows
            return ops.sparse_categorical_crossentropy(partner, alike, from_logits=True)

    return NTXent
