"""scikit-learn's handwritten digits."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files("sklearn", "datasets/data/digits.csv.gz")


@dataset(identity=_files)
def digits() -> Data:
    """1,797 handwritten digits of 8x8 pixels, ten classes (scikit-learn)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype("float32")[..., None] / 16
    return Data(images, bunch.target, Task.classification(10))
