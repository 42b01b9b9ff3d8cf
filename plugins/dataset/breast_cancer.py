"""scikit-learn's breast cancer."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files("sklearn", "datasets/data/breast_cancer.csv")


@dataset(identity=_files)
def breast_cancer() -> Data:
    """569 tumours with 30 measurements each, malignant (0) or benign (1) (scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = tuple(str(name) for name in bunch.target_names)
    return Data(bunch.data.astype("float32"), bunch.target, Task.binary(names))
