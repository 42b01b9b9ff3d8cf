"""scikit-learn's diabetes."""

from __future__ import annotations

from pathlib import Path

from runner import Data, Task, dataset, package_files


def _files() -> list[Path]:
    return package_files(
        "sklearn", "datasets/data/diabetes_data_raw.csv.gz", "datasets/data/diabetes_target.csv.gz"
    )


@dataset(identity=_files)
def diabetes() -> Data:
    """442 patients with ten measurements each, progression a year later (scikit-learn).

    The measurements are raw: scikit-learn's scaled ones were scaled with the test rows among
    them, and `preprocessing=[standardize]` does it by the training split alone.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    targets = bunch.target.astype("float32")
    return Data(bunch.data.astype("float32"), targets, Task.regression(names=("progression",)))
