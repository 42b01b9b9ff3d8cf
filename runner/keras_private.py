"""What the runner uses of Keras that Keras does not promise; seen in Keras 3.15.

`tests/runner/test_keras_private.py` fails with a sentence when an upgrade takes it away.
"""

from __future__ import annotations

from typing import Any


def global_seed_state() -> Any:
    """The state of the seed generator that layers without one of their own draw from.

    A Keras variable, uint32 (2,); `keras.utils.clear_session` makes another.
    """
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator().state


def ever_trainable(model: Any) -> list[Any]:
    """The variables that are trained where no layer is frozen, in the order of the layers.

    What Keras never trains, such as the moving averages of batch normalization, is not among
    them.
    """
    found = {id(v): v for layer in model._flatten_layers() for v in layer._trainable_variables}
    return list(found.values())
