"""scikit-learn's iris."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files("sklearn", "datasets/data/iris.csv")


@dataset(identity=_files)
def iris() -> Data:
    """150 iris flowers with four lengths each, three species (scikit-learn)."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    names = tuple(str(name) for name in bunch.target_names)
    return Data(bunch.data.astype("float32"), bunch.target, Task.classification(3, names))
