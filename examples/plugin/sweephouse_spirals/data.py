"""A dataset: intertwined spirals."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from runner import Data, Task, dataset


@dataset(identity=lambda **params: f"spirals 1 {sorted(params.items())}")
def spirals(
    *,
    rows: Annotated[int, Gt(0)] = 600,
    arms: Annotated[int, Ge(2)] = 3,
    noise: Annotated[float, Ge(0)] = 0.1,
    data_seed: int = 0,
) -> Data:
    """Points on intertwined spirals, one class an arm."""
    random = np.random.default_rng(data_seed)
    arm = np.arange(rows) % arms
    radius = random.uniform(0.1, 1, rows)
    angle = 4 * radius + 2 * np.pi * arm / arms + noise * random.normal(size=rows)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return Data(points.astype("float32"), arm, Task.classification(arms))
