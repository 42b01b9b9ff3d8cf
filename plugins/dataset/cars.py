"""vega_datasets' cars."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from runner import Data, Task, dataset, package_files

NUMBERS = ("Cylinders", "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration")
ORIGINS = ("Europe", "Japan", "USA")
TARGET = "Miles_per_Gallon"


def _files() -> list[Path]:
    return package_files("vega_datasets", "_data/cars.json", extra="data")


@dataset(identity=_files)
def cars() -> Data:
    """Auto MPG: miles per gallon of 398 cars; some horsepower values are NaN (vega_datasets).

    Features are cylinders, displacement, horsepower, weight, acceleration, year, and the origin
    as three columns of 0 and 1. Cars without a target are left out.
    """
    rows = json.loads(_files()[0].read_text(encoding="utf-8"))
    rows = [row for row in rows if row[TARGET] is not None]
    features = [
        [np.nan if row[name] is None else row[name] for name in NUMBERS]
        + [int(row["Year"][:4])]
        + [row["Origin"] == origin for origin in ORIGINS]
        for row in rows
    ]
    targets = np.array([row[TARGET] for row in rows], "float32")
    return Data(np.array(features, "float32"), targets, Task.regression(names=(TARGET,)))
