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
