"""New rows are read as training read its own: types, dates, words, delimiter, encoding."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import runner
from runner import Trained
from runner.commands import predict as command
from runner.commands.evaluation import evaluate
from runner.commands.prediction import predict
from runner.data.sources.reading import Reading
from runner.data.sources.rows import opened
from runner.errors import DataError
from runner.sweep.earlier import earlier_run


def lines(file: Path, rows: Sequence[str], encoding: str = "utf-8") -> Path:
    file.write_bytes(("\n".join(rows) + "\n").encode(encoding))
    return file


# --- Without a model -----------------------------------------------------------------------------


@pytest.fixture
def again(make: Any, tmp_path: Path) -> Callable[..., list[Any]]:
    """Reads a column of new rows as a dataset has read it in training."""

    def read(
        train: Sequence[str],
        new: Sequence[str] | Path,
        column: str,
        text: bool = False,
        **more: Any,
    ) -> list[Any]:
        label = more.pop("label", "y")
        file = lines(tmp_path / "train.csv", train, more.get("encoding") or "utf-8")
        data = make("dataset", "csv", path=file, label=label, **more)
        # By way of a journal.
        known = Reading.recorded(json.loads(json.dumps(data.reading)))
        assert known is not None and known.plain == data.reading
        if not isinstance(new, Path):
            new = lines(tmp_path / "new.csv", new, more.get("encoding") or "utf-8")
        with opened(str(new), None, known, [label], more.get("query")) as table:
            [[values]] = table.blocks([column], [column] if text else [])
        return list(values.tolist())

    return read


@pytest.fixture(scope="module")
def make() -> Any:
    from tests.plugins.conftest import Door

    return Door()


def day(*date: int) -> float:
    return float((dt.date(*date) - dt.date(1970, 1, 1)).days)


YES_NO = ["a,y", *(f"{('Yes', 'No', 'Maybe')[i % 3]},{i % 2}" for i in range(30))]
VERSIONS = ["v,y", *(f"3.{i % 12}{'.1' if i % 4 else ''},{i % 2}" for i in range(30))]
AMERICAN = ["d,y", *(f"{1 + i % 12:02}/{1 + i % 28:02}/2024,{i % 2}" for i in range(80))]
COMMAS = ["x;y", *(f"{i},5;{i % 2}" for i in range(30))]


def test_new_rows_are_read_as_those_of_training(again: Any) -> None:
    assert again(YES_NO, ["a", "Yes", "No"], "a", text=True) == ["Yes", "No"]
    assert again(VERSIONS, ["v", "3.10", "3.1"], "v", text=True) == ["3.10", "3.1"]
    assert again(AMERICAN, ["d", "03/04/2024"], "d") == [day(2024, 3, 4)]
    assert again(COMMAS, ["x", "1,5", ""], "x", decimal=",")[0] == 1.5
    gaps = ["x,y", *(f"{'NA' if i % 5 == 0 else i},{i % 2}" for i in range(30))]
    assert np.isnan(again(gaps, ["x", "NA", "7"], "x", missing=["NA"])[0])
    counted = ["0,1,2", *(f"{i},{i * 2},{i % 2}" for i in range(30))]
    with pytest.warns(UserWarning, match="the first line, 0,1,2"):
        assert again(counted, ["0,1", "5,6"], "1", label="2") == [6]
    bare = [f"{i},{i * 0.5},{i % 2}" for i in range(3, 30)]
    given = {"label": "column2", "header": False}
    assert again(bare, ["4,0.5,1", "5,1.5,0"], "column1", **given) == [0.5, 1.5]


@pytest.mark.slow
def test_other_new_rows_are_read_or_refused(again: Any, tmp_path: Path) -> None:
    numbers = ["x,z,y", *(f"{i},{i},{i % 2}" for i in range(30))]
    assert again(numbers, ["z;x", "8;3", "9;4"], "x") == [3, 4]
    assert again(numbers, ["x,z", "2.5,1"], "x") == [2.5]
    with pytest.raises(DataError, match=r"'x' holds 'many', which is no whole number"):
        again(numbers, ["x,z", "many,1"], "x")
    with pytest.raises(DataError, match=r"'d' holds '31/12/2024', which is no date or time like"):
        again(AMERICAN, ["d", "31/12/2024"], "d")
    parquet = tmp_path / "new.parquet"
    duckdb.sql(f"COPY (SELECT 3.1 AS v, DATE '2024-03-04' AS d, 7 AS x) TO '{parquet}'")
    assert again(AMERICAN, parquet, "d") == [day(2024, 3, 4)]
    assert again(numbers, parquet, "x") == [7]
    with pytest.raises(DataError, match=r"'v' of type DECIMAL.*, which was text \(VARCHAR\)"):
        again(VERSIONS, parquet, "v", text=True)
    text = tmp_path / "text.parquet"
    duckdb.sql(f"COPY (SELECT '03/04/2024' AS d, '7' AS x) TO '{text}'")
    assert again(AMERICAN, text, "d") == [day(2024, 3, 4)]
    assert again(numbers, text, "x") == [7]


def test_the_encoding_and_the_query_are_those_of_training(again: Any) -> None:
    cities = ["stadt,y", *(f"{'Köln' if i % 2 else 'Bonn'},{i % 2}" for i in range(30))]
    for encoding in ("latin-1", "cp1252"):
        new = again(cities, ["stadt", "Köln"], "stadt", text=True, encoding=encoding)
        assert new == ["Köln"]
    squares = ["x,y", *(f"{i},{i % 2}" for i in range(30))]
    query = "SELECT x * x AS xx, y FROM source"
    assert again(squares, ["x", "3"], "xx", query=query) == [9]


def test_what_is_said_when_evaluating_holds_for_the_new_rows(make: Any, tmp_path: Path) -> None:
    rows = ["d,x,y", *(f"2024-01-{1 + i % 28:02},{i}.5,{i % 2}" for i in range(40))]
    data = make("dataset", "csv", path=lines(tmp_path / "train.csv", rows), label="y")
    numbers = ["NA" if i % 9 == 0 else f"{i},5" for i in range(40)]
    new = [f"{1 + i % 28:02}.01.2024;{x};{i % 2}" for i, x in enumerate(numbers)]
    file = lines(tmp_path / "new.csv", ["d;x;y", *new])
    earlier = Trained(data.task, data.reading)
    how = {"decimal": ",", "missing": ["NA"], "time_format": "%d.%m.%Y"}
    again = make("dataset", "csv", trained=earlier, path=file, label="y", **how)
    assert set(again.features[:, 0]) == set(data.features[:, 0])
    assert np.nanmax(again.features[:, 1]) == 39.5 and np.isnan(again.features).sum() == 5
    with pytest.raises(DataError, match=r"mixes types in a column: '.' holds "):
        make("dataset", "csv", trained=earlier, path=file, label="y")


# --- With one ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predicting") / "results"


def trained(results: Path, file: Path, *more: str) -> str:
    outcome = runner.run(
        [
            "dataset=csv",
            f"dataset.path={file}",
            "dataset.label=y",
            "epochs=1",
            f"results={results}",
            *more,
        ]
    )
    assert outcome.status == "finished", outcome
    return outcome.run_id


def predicted(results: Path, run_id: str, source: Path, to: Path) -> list[dict[str, Any]]:
    predict(run_id, str(source), to, results=results)
    with duckdb.connect() as con:
        rows = con.execute(f"FROM '{to}' ORDER BY row")
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


@pytest.mark.slow
def test_a_run_records_how_its_table_was_read_and_predict_goes_by_it(
    results: Path, tmp_path: Path
) -> None:
    rows = [f"{('Yes', 'No', 'Maybe')[i % 3]},{i},{'ab'[i % 2]}" for i in range(90)]
    file = lines(tmp_path / "survey.csv", ["a,km/h,y", *rows])
    run_id = trained(results, file, "preprocessing=[encode]")
    assert earlier_run(run_id, results).data["reading"]["columns"]["a"] == "VARCHAR"
    whole = predicted(results, run_id, file, tmp_path / "whole.parquet")
    two = [row for row in rows if not row.startswith("Maybe")]
    new = lines(tmp_path / "new.csv", ["a,km/h", *(row.rpartition(",")[0] for row in two)])
    some = predicted(results, run_id, new, tmp_path / "some.parquet")
    kept = [p["probability"] for p, row in zip(whole, rows, strict=True) if row in two]
    assert [p["probability"] for p in some] == pytest.approx(kept, abs=1e-6)
    turned = lines(
        tmp_path / "turned.csv",
        ["more,y,km/h,a", *(",".join(["7", *row.split(",")[::-1]]) for row in rows)],
    )
    evaluated = evaluate(run_id, [f"dataset.path={turned}"], ["all"], results)
    right = [p["predicted"] == row[-1] for p, row in zip(whole, rows, strict=True)]
    assert evaluated.metrics["all"]["accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.slow
def test_classes_that_differ_in_case_and_rows_without_a_prediction(
    results: Path, tmp_path: Path
) -> None:
    file = lines(tmp_path / "case.csv", ["x,y", *(f"{i},{'aAb'[i % 3]}" for i in range(90))])
    run_id = trained(results, file)
    new = lines(tmp_path / "new.csv", ["x", "1", "NaN", "3"])
    to = tmp_path / "out" / "said.csv"
    with pytest.raises(DataError, match="lacks a column"):
        predict(run_id, str(file), to, results=results, keep=["z"])
    assert not to.parent.exists()
    with (
        pytest.warns(UserWarning, match="the column p_a is called p_a_1"),
        pytest.warns(UserWarning, match="1 of 3 rows gave outputs that are no numbers"),
    ):
        rows = predicted(results, run_id, new, to)
    assert list(rows[0]) == ["row", "predicted", "probability", "p_A", "p_a_1", "p_b"]
    assert rows[1]["predicted"] is None and rows[1]["probability"] is None
    asked = argparse.Namespace(
        run_id=run_id, source=str(new), to=to, query=None, columns=[], keep=[], results=results
    )
    with pytest.warns(UserWarning):
        assert command.run(asked) == 1
