"""Data that come with scikit-learn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import Data, Task, dataset, package_files


def _in(*names: str) -> Callable[[], list[Path]]:
    """The identity of data that are these files of scikit-learn."""
    return functools.partial(package_files, "sklearn", *(f"datasets/data/{n}" for n in names))


def _names(bunch: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in bunch.target_names)


@dataset(identity=_in("breast_cancer.csv"))
def breast_cancer() -> Data:
    """569 tumours with 30 measurements each, malignant (0) or benign (1) (scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Data(bunch.data.astype("float32"), bunch.target, Task.binary(_names(bunch)))


@dataset(identity=_in("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"))
def diabetes() -> Data:
    """442 patients with ten measurements each, progression a year later (scikit-learn).

    The measurements are raw: scikit-learn's scaled ones were scaled with the test rows among
    them, and `preprocessing=[standardize]` does it by the training split alone.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    targets = bunch.target.astype("float32")
    return Data(bunch.data.astype("float32"), targets, Task.regression(names=("progression",)))


@dataset(identity=_in("digits.csv.gz"))
def digits() -> Data:
    """1,797 handwritten digits of 8x8 pixels, ten classes (scikit-learn)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype("float32")[..., None] / 16
    return Data(images, bunch.target, Task.classification(10))


@dataset(identity=_in("iris.csv"))
def iris() -> Data:
    """150 iris flowers with four lengths each, three species (scikit-learn)."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return Data(bunch.data.astype("float32"), bunch.target, Task.classification(3, _names(bunch)))


@dataset(identity=_in("wine_data.csv"))
def wine() -> Data:
    """178 wines with 13 chemical measurements each, three growers (scikit-learn)."""
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return Data(bunch.data.astype("float32"), bunch.target, Task.classification(3, _names(bunch)))
