"""Mixed examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from annotated_types import Gt

from runner import Input, ModelError, augmentation


@augmentation
def mixup(
    inputs: Mapping[str, Input], *, alpha: Annotated[float, Gt(0)] = 0.2
) -> Callable[..., Any]:
    """Mix each example and its target with another of the batch (Zhang et al. 2018).

    The share is drawn from Beta(alpha, alpha) for each example, whose own part is the larger.
    Any examples of numbers and any task; classes are mixed as one-hot rows. Raises ModelError for
    inputs that are codes. arXiv:1710.09412.
    """
    if codes := [name for name, one in inputs.items() if one.vocabulary is not None]:
        raise ModelError(
            f"augmentation=mixup mixes numbers, and the input '{codes[0]}' is codes, of which a "
            "mixture means nothing: leave it out, or encode them as numbers"
        )

    def mix(features: Any, targets: Any, generator: Any) -> tuple[Any, Any]:
        import keras
        from keras import ops

        rows = ops.shape(targets)[0]
        # Two gammas make a beta; both may be too small for float32.
        one, two = (keras.random.gamma((rows,), alpha, seed=generator) for _ in range(2))
        share = ops.where(one + two > 0, one / ops.maximum(one + two, 1e-38), 1.0)
        share = ops.maximum(share, 1 - share)
        other = keras.random.shuffle(ops.arange(rows), seed=generator)

        def blend(values: Any) -> Any:
            kept = ops.reshape(share, (-1,) + (1,) * (len(values.shape) - 1))
            return kept * values + (1 - kept) * ops.take(values, other, axis=0)

        return keras.tree.map_structure(blend, features), blend(targets)

    return mix
