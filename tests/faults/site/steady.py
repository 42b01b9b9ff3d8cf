"""A plugin whose data cost nothing to load."""

import numpy as np

from runner import Data, Task, dataset


@dataset(identity=lambda: "steady")
def steady() -> Data:
    """Eighty rows of noise in two classes."""
    features = np.random.default_rng(0).random((80, 4), dtype="float32")
    return Data(features, np.arange(80) % 2, Task.binary())
