"""aeon's Japanese vowels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from runner import SplitPlan, Splits, Task, dataset, package_files

Array = np.ndarray[Any, Any]
STEPS, FEATURES, SPEAKERS = 29, 12, 9


def _files() -> list[Path]:
    folder = "datasets/data/JapaneseVowels/JapaneseVowels"
    return package_files("aeon", f"{folder}_TRAIN.ts", f"{folder}_TEST.ts")


@dataset(identity=_files)
def japanese_vowels(split: SplitPlan) -> Splits:
    """640 utterances of two Japanese vowels by nine men, to say who speaks (aeon).

    Features are 12 LPC cepstrum coefficients in 7 to 29 steps, with zeros after the last: shape
    (29, 12); architecture=rnn with padding=0 skips those. The test part is the authors' own (Kudo,
    Toyama, Shimbo 1999, doi:10.1016/S0167-8655(99)00077-X), 370 utterances; val is taken from the
    other 270 by their content and `split.seed`.
    """
    (features, targets), test = (_part(file) for file in _files())
    part = dataclasses.replace(split, test=0.0).assign(features.reshape(len(features), -1))
    train, val = ((features[part == one], targets[part == one]) for one in (0, 1))
    names = tuple(f"speaker {number}" for number in range(1, SPEAKERS + 1))
    task = Task.classification(SPEAKERS, names)
    return Splits(train, val if len(val[1]) else None, test, task)


def _part(file: Path) -> tuple[Array, Array]:
    """The utterances of a .ts file, each dimension's values in turn, then the label."""
    lines = file.read_text(encoding="utf-8").partition("@data\n")[2].split()
    features = np.zeros((len(lines), STEPS, FEATURES), "float32")
    targets = np.zeros(len(lines), "int64")
    for row, line in enumerate(lines):
        *dimensions, label = line.split(":")
        series = np.array([dimension.split(",") for dimension in dimensions], "float32")
        features[row, : series.shape[1]] = series.T
        targets[row] = int(label) - 1
    return features, targets
