"""A series is read as tables are, and its steps are in the order of time."""

from __future__ import annotations

import datetime as dt
import gzip
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from runner import DataError
from tests.plugins.conftest import Door
from tests.servers import writing_sqlite

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(400)]


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


def steps(make: Door, file: Path, lines: Sequence[str] = (), **params: Any) -> list[float]:
    """All targets of windows of one step, in the order of the parts."""
    if lines:
        body = ("\n".join(lines) + "\n").encode()
        file.write_bytes(gzip.compress(body) if file.suffix == ".gz" else body)
    given = {"path": file, "target": "load", "window": 1} | params
    data = make("dataset", "series", **given)
    return [float(y) for _, targets in (data.train, data.val, data.test) for y in targets[:, 0]]


def ascending(values: Sequence[float]) -> bool:
    return values[0] == 1 and values[-1] == 399 and bool((np.diff(values) > 0).all())


@pytest.mark.parametrize("form", ["{d.month}/{d.day}/{d.year}", "{d.day}.{d.month}.{d.year}"])
def test_days_as_people_write_them_are_in_the_order_of_time(
    make: Door, tmp_path: Path, form: str
) -> None:
    rows = [f"{form.format(d=d)},{i}" for i, d in enumerate(DAYS)]
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(400)]
    file = tmp_path / "us.csv"
    assert ascending(steps(make, file, ["date,load", *shuffled], time="date"))
    with pytest.warns(UserWarning, match="'date' does not ascend: dataset.time=date sorts them"):
        steps(make, file)


def test_a_day_that_may_be_a_month_is_refused(make: Door, tmp_path: Path) -> None:
    rows = ["date,load", *(f"{1 + i % 12}/{1 + i // 12}/2024,{i}" for i in range(144))]
    with pytest.raises(DataError, match="the day cannot be told from the month"):
        steps(make, tmp_path / "us.csv", rows, time="date")
    first = steps(make, tmp_path / "us.csv", time="date", time_format="%m/%d/%Y")
    assert first[:2] == [12, 24]


def test_a_blank_time_names_its_line(make: Door, tmp_path: Path) -> None:
    rows = ["t,load", *(f"{'' if i == 7 else i},{i}" for i in range(400))]
    with pytest.raises(DataError, match=r"dataset.time=t is blank in 1 of 400 .* row 8, line 9"):
        steps(make, tmp_path / "hole.csv", rows, time="t")


def test_semicolons_decimal_commas_and_packed_files_are_read(make: Door, tmp_path: Path) -> None:
    rows = ["t;load", *(f"{i};{i},5" for i in range(400))]
    for name in ("semi.csv", "semi.csv.gz"):
        assert steps(make, tmp_path / name, rows, decimal=",")[:2] == [1.5, 2.5]
    with pytest.raises(DataError, match=r"looks like numbers such as '0,5'.*dataset\.decimal"):
        steps(make, tmp_path / "semi.csv")


def test_a_series_comes_from_parquet_and_databases_too(make: Door, tmp_path: Path) -> None:
    select = "SELECT DATE '2024-01-01' + i::INT AS date, i AS load FROM range(400) AS r(i)"
    select += " ORDER BY hash(i)"
    file = tmp_path / "rows.parquet"
    duckdb.sql(f"COPY ({select}) TO '{file}'")
    assert ascending(steps(make, file, time="date"))
    lite = tmp_path / "rows.sqlite"
    with writing_sqlite(lite) as con:
        con.execute(f"CREATE TABLE made.rows AS {select}")
    assert ascending(steps(make, file, path=None, source=str(lite), time="date"))
    asked = {"path": None, "source": str(file), "time": "date"}
    query = "SELECT date, load * 2 AS load FROM source"
    assert steps(make, file, query=query, **asked)[0] == 2


def test_a_name_goes_before_a_place_and_large_numbers_keep_their_values(
    make: Door, tmp_path: Path
) -> None:
    rows = [",0,1", *(f"{i},{20_000_000 + i},{i}" for i in range(400))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert steps(make, tmp_path / "p.csv", rows, target=0)[0] == 20_000_001


def test_a_line_with_other_cells_is_named(make: Door, tmp_path: Path) -> None:
    rows = ["a;b;load", *(f"{i};1;{i}" for i in range(50)), "7;8"]
    with pytest.raises(DataError, match=r"has 2 cells in line 52, and 3 columns"):
        steps(make, tmp_path / "ragged.csv", rows)
