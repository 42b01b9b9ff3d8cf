"""What runs were trained on, in the tables `datasets` and `dataset_columns`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import warehouse
from runner.journal.records import Dataset
from tests.warehouse.conftest import House, ending, records

Ask = Callable[..., list[tuple[Any, ...]]]


def dataset(run_id: str, rows: int = 3, identity: str = "rows:1") -> Dataset:
    return Dataset(
        run_id=run_id,
        identity=identity,
        name="sql",
        source="postgres://reader@host/shop",
        query="SELECT * FROM cars",
        rows=rows,
        columns=["weight", "colour"],
        types=["DOUBLE", "VARCHAR"],
        missing=[1, 0],
        distinct_values=[2, 3],
        min=["1.5", "blue"],
        max=["2.5", "red"],
        mean=[2.0, None],
        std=[0.5, None],
        q25=[1.75, None],
        q50=[2.0, None],
        q75=[float("nan"), None],
    )


@pytest.mark.slow
def test_a_dataset_and_its_columns_are_rows_under_the_first_run_that_told_of_them(
    house: House, rows: Ask
) -> None:
    late, early = "run-late", "run-early"
    start = {late: "2026-11-02T10:00:00.000000+00:00", early: "2026-11-01T10:00:00.000000+00:00"}
    for run_id in (late, early):
        lines = records(run_id, started_at=start[run_id])
        house.write([lines[0], dataset(run_id), *lines[1:], *ending(run_id)])
        warehouse.sync(house.results)
    assert rows(house, "SELECT identity, name, source, rows, run_id FROM datasets") == [
        ("rows:1", "sql", "postgres://reader@host/shop", 3, early)
    ]
    assert rows(
        house, "SELECT * EXCLUDE (q75, run_id) FROM dataset_columns ORDER BY position"
    ) == [
        ("rows:1", 1, "weight", "DOUBLE", 1, 2, "1.5", "2.5", 2.0, 0.5, 1.75, 2.0),
        ("rows:1", 2, "colour", "VARCHAR", 0, 3, "blue", "red", None, None, None, None),
    ]
    assert rows(house, "SELECT isnan(q75) FROM dataset_columns WHERE position = 1") == [(True,)]


@pytest.mark.slow
@pytest.mark.file_only
def test_datasets_come_back_by_a_rebuild(house: House, rows: Ask) -> None:
    lines = records("run-1")
    house.write([lines[0], dataset("run-1"), *lines[1:], *ending("run-1")])
    warehouse.sync(house.results)
    before = rows(house, "SELECT * EXCLUDE (q75) FROM dataset_columns ORDER BY position")
    assert house.command("rebuild").returncode == 0
    assert rows(house, "SELECT * EXCLUDE (q75) FROM dataset_columns ORDER BY position") == before
    assert rows(house, "SELECT rows FROM datasets") == [(3,)]


def test_a_run_tells_of_its_data_once(house: House, rows: Ask) -> None:
    lines = records("run-1")
    house.write(
        [lines[0], dataset("run-1"), dataset("run-1", rows=4), *lines[1:], *ending("run-1")]
    )
    warehouse.sync(house.results)
    assert rows(house, "SELECT rows FROM datasets") == [(3,)]
