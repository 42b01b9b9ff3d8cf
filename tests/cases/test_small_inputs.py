"""Small inputs of people's own, each through the door that it came by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Splits
from runner.data.class_weights import class_weights
from runner.data.sources.reading import Reading
from runner.data.sources.rows import opened
from tests.cases import quirks
from tests.cases.quirks import Column, Table
from tests.plugins.conftest import Door


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


def lines(file: Path, rows: list[str]) -> Path:
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def test_yes_and_no_have_weights_by_their_names(make: Door, tmp_path: Path) -> None:
    rows = ["x,y", *(f"{i},{'Yes' if i % 2 else 'No'}" for i in range(60))]
    data = make("dataset", "csv", path=lines(tmp_path / "yn.csv", rows), label="y")
    splits = Splits((data.features, data.targets), None, None, data.task)
    assert class_weights({"Yes": 5.0}, splits).tolist() == [1, 5]


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "sqlite"])
def test_another_source_is_the_test_part(make: Door, tmp_path: Path, kind: str) -> None:
    def source(name: str, first: int, count: int) -> str:
        rows = range(first, first + count)
        table = Table(
            [
                Column("large", "x", list(rows)),
                Column("text", "y", ["ab"[i % 2] for i in rows]),
            ],
            ["a", "b"],
        )
        return quirks.put(kind, table, None, tmp_path / f"{name}.{kind}")

    # Those of test alone are such that float32 would merge them.
    given: dict[str, Any] = {"source": source("train", 0, 40), "label": "y"}
    data = make("dataset", "sql", test=source("test", 2**24, 9), **given)
    assert sorted(data.features[data.part == 2, 0]) == [2**24 + i for i in range(9)]
    assert sorted(data.features[data.part == 0, 0]) == list(range(40))
    assert [data.task.names[code] for code in data.targets] == [
        "ab"[int(x) % 2] for x in data.features[:, 0]
    ]


@pytest.mark.parametrize("ending", ["data", "dat", "csv_old", ""])
def test_an_ending_that_trains_is_predicted(make: Door, tmp_path: Path, ending: str) -> None:
    rows = ["x;y", *(f"{i},5;{i % 2}" for i in range(30))]
    file = lines(tmp_path / f"rows.{ending}", rows)
    data = make("dataset", "csv", path=file, label="y", decimal=",")
    new = lines(tmp_path / f"new.{ending}", ["x", "7,5", "", "8,25"])
    with opened(str(new), None, Reading.recorded(data.reading), ["y"]) as table:
        [[values]] = table.blocks(["x"], [])
    assert np.array_equal(values[[0, -1]], [7.5, 8.25])
