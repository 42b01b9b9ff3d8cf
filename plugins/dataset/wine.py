"""scikit-learn's wine."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files("sklearn", "datasets/data/wine_data.csv")


@dataset(identity=_files)
def wine() -> Data:
    """178 wines with 13 chemical measurements each, three growers (scikit-learn)."""
    from sklearn.datasets import load_wine

    bunch = load_wine()
    names = tuple(str(name) for name in bunch.target_names)
    return Data(bunch.data.astype("float32"), bunch.target, Task.classification(3, names))
