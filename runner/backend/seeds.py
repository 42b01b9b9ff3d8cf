"""Everything random in a run is a pure function of (seed, epoch), the same for every engine.

Keras' own seeded `fit` draws one order and repeats it in every epoch; here each epoch has its
own, known without having trained the epochs before it, so that engines can be compared and a run
can be resumed exactly. Generators: Philox (Salmon et al. 2011, doi:10.1145/2063384.2063405) for
orders, NumPy's SeedSequence hash for the state of Keras' seed generators.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.backend.keras_private import global_seed_state
from runner.backend.names import Unsupported

if TYPE_CHECKING:
    import keras

    Array = np.ndarray[Any, Any]


def order(seed: int, epoch: int, rows: int) -> Array:
    """The order of the rows in an epoch (counted from 1): a permutation, int64."""
    random = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return random.permutation(rows)


def generator_state(seed: int, epoch: int, index: int) -> Array:
    """The state of a model's seed generator number `index` at an epoch's start: uint32 (2,)."""
    return np.random.SeedSequence([seed, epoch, index]).generate_state(2, np.uint32)


def seed_generators(model: keras.Model) -> list[Any]:
    """The state variables of Keras' seed generators that the model draws from, in order.

    The last is Keras' global generator, for layers that bring none of their own.

    Raises Unsupported where that cannot be had.
    """
    import keras

    with keras.device("cpu:0"):
        return [*_generators(model), global_seed_state()]


def known_generators(model: keras.Model) -> list[Any]:
    """The same; where Keras' global generator cannot be had, without it, and a line says so."""
    try:
        return seed_generators(model)
    except Unsupported as error:
        _warn(str(error))
        return _generators(model)


def _generators(model: keras.Model) -> list[Any]:
    return [variable for variable in model.variables if is_generator(variable)]


@functools.cache
def _warn(trouble: str) -> None:
    """Once a process."""
    print(
        f"warning: {trouble}: the masks of layers without a seed generator of their own differ "
        "between engines, and a resumed run's from those of one that never stopped",
        file=sys.stderr,
    )


def is_generator(variable: Any) -> bool:
    """Whether a Keras variable is the state of a seed generator."""
    return bool(variable.path.endswith("seed_generator_state"))
