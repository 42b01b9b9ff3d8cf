"""Tables with the quirks of real files: the values that reach the model, or one sentence."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from runner import Data, DataError, SplitPlan
from runner.data.profile import complaints
from runner.data.sources.columns import counts_up, date_formats, numbers_written
from runner.data.splitting import divide
from tests.plugins.conftest import Door
from tests.servers import writing_sqlite


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


class Csv:
    """Reads lines as a CSV file by the dataset of that name; what is said meanwhile is kept."""

    def __init__(self, make: Door, folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.lines: list[str] = []

    def __call__(self, rows: Sequence[str] | bytes, label: str = "y", **params: Any) -> Any:
        file = self.folder / "rows.csv"
        body = rows if isinstance(rows, bytes) else ("\n".join(rows) + "\n").encode()
        file.write_bytes(body)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            data = self.make("dataset", "csv", path=file, label=label, **params)
        self.lines = [str(line.message) for line in said]
        return data


@pytest.fixture
def read(make: Door, tmp_path: Path) -> Csv:
    return Csv(make, tmp_path)


# --- What is missing -----------------------------------------------------------------------------

MISSING = ["x,who,y", *(f"{i},{'pq'[i % 2]},{'' if i == 3 else 'ab'[i % 2]}" for i in range(40))]
KINDS = ("csv", "parquet", "duckdb", "sqlite", "postgres")


def source_of(kind: str, select: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """The rows of a SELECT in a source of this kind."""
    if kind == "postgres":
        from tests.servers import writing

        uri = str(request.getfixturevalue("postgres"))
        with writing(uri) as con:
            con.execute("DROP TABLE IF EXISTS server.holes")
            con.execute(f"CREATE TABLE server.holes AS {select}")
        return uri
    file = folder / f"holes.{kind}"
    with duckdb.connect() as con:
        if kind == "duckdb":
            con.execute(f"ATTACH '{file}' AS made; CREATE TABLE made.holes AS {select}")
        elif kind == "sqlite":
            with writing_sqlite(file) as other:
                other.execute(f"CREATE TABLE made.holes AS {select}")
        else:
            con.execute(f"COPY ({select}) TO '{file}'")
    return str(file)


@pytest.mark.many
@pytest.mark.parametrize("memory_rows", [1_000_000, 0], ids=["memory", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_label_or_key_is_told_with_its_rows_or_left_out(
    make: Door, tmp_path: Path, request: pytest.FixtureRequest, kind: str, memory_rows: int
) -> None:
    select = (
        "SELECT i AS x, CASE WHEN i = 5 THEN '' WHEN i % 50 = 7 THEN NULL ELSE 'p' || i % 9 END "
        "AS who, CASE WHEN i % 40 = 3 THEN NULL WHEN i = 9 THEN '' ELSE (['a', 'b'])[1 + i % 2] "
        "END AS y FROM range(200) AS r(i) ORDER BY i"
    )
    given: dict[str, Any] = {
        "source": source_of(kind, select, tmp_path, request),
        "label": "y",
        "features": ["x"],
        "memory_rows": memory_rows,
        "query": "FROM holes" if kind == "postgres" else None,
    }
    with pytest.raises(DataError, match=r"'y' is missing in 6 rows of 200 \(rows 4, 10, 44, 84, "):
        make("dataset", "sql", **given)
    by_who = {**given, "split": SplitPlan(0.2, 0.2, 0, by="group:who")}
    with pytest.warns(UserWarning, match="6 of 200 rows are left out"):
        data = make("dataset", "sql", **given, missing_label="drop")
    assert data.task.names == ("a", "b")
    with pytest.warns(UserWarning, match="11 of 200 rows are left out"):
        data = make("dataset", "sql", **by_who, missing_label="drop")
    rows = sum(p.rows for p in (data.train, data.val, data.test)) if not memory_rows else 0
    assert (rows or len(data.targets)) == 189


def test_a_missing_key_is_told(read: Csv) -> None:
    rows = ["x,who,y", *(f"{i},{'' if i % 10 == 3 else 'p'},{'ab'[i % 2]}" for i in range(40))]
    by_who = SplitPlan(0.2, 0.2, 0, by="group:who")
    with pytest.raises(
        DataError, match=r"'who', by which .* in 4 rows of 40 \(rows 4, 14, 24, 34"
    ):
        read(rows, split=by_who)


# --- Numbers -------------------------------------------------------------------------------------


def test_whole_numbers_and_times_keep_their_values(read: Csv) -> None:
    ids = read(["pid,y", *(f"{20_000_000 + i},{i % 2}" for i in range(400))])
    assert len(np.unique(ids.features)) == 400
    start = dt.datetime(2024, 1, 1)
    times = [start + dt.timedelta(seconds=i) for i in range(100)]
    data = read(["at,y", *(f"{at},{i % 2}" for i, at in enumerate(times))])
    assert len(np.unique(data.features)) == 100
    small = read(["n,y", *(f"{i},{i % 2}" for i in range(100))])
    assert small.features.dtype == np.float32


def test_whole_numbers_that_no_float_tells_apart_are_told(read: Csv) -> None:
    read(["pid,y", *(f"{2**60 + i},{i % 2}" for i in range(40))])
    assert any("'pid' holds whole numbers beyond 2^53" in line for line in read.lines)


NUMBERS = {
    "a decimal comma": (["0,5", "1,25", "-3,0"], {"decimal": ","}, [0.5, 1.25, -3.0]),
    "points between thousands": (
        ["1.234", "1.234.567,5", "17"],
        {"decimal": ",", "thousands": "."},
        [1234, 1234567.5, 17],
    ),
    "blanks between thousands": (
        ["1 234,50 €", "12\u00a0345,00 €", "9,00 €"],
        {"decimal": ",", "thousands": " "},
        [1234.5, 12345, 9],
    ),
    "commas between thousands": (
        ["$1,234.50", "$9.00", "$12"],
        {"thousands": ","},
        [1234.5, 9, 12],
    ),
    "percent": (["12%", "3.5 %", "-4%"], {}, [12, 3.5, -4]),
    "words for nothing": (["NA", "1.5", "?"], {"missing": ["NA", "?"]}, [np.nan, 1.5, np.nan]),
    "a number for nothing": (["-999", "1.5", "2"], {"missing": [-999]}, [np.nan, 1.5, 2]),
    "apostrophes": (["1'234", "2'345'678", "5"], {"thousands": "'"}, [1234, 2345678, 5]),
}


@pytest.mark.parametrize(("texts", "params", "values"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_written_by_people_are_numbers(
    read: Csv, texts: list[str], params: dict[str, Any], values: list[float]
) -> None:
    rows = ["x;y", *(f"{texts[i % len(texts)]};{'ab'[i % 3 == 0]}" for i in range(30))]
    data = read(rows, **params)
    assert np.array_equal(np.unique(data.features), np.unique(np.float32(values)), equal_nan=True)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["0,5", "1,25"], """'0,5': to read them so, add 'dataset.decimal=","'"""),
        (["NA", "1.5"], "beside 'NA': to read them so, add 'dataset.missing=[NA]'"),
        (["1 234,50 €", "1,00 €"], """add 'dataset.decimal=","' 'dataset.thousands=" "'"""),
        (["1,234", "999"], """'1,234': to read them so, add 'dataset.thousands=","'"""),
        (["1,234", "0,5"], """add 'dataset.decimal=","'"""),
        (["1.234", "999"], """if 1.234 is more than a thousand, say 'dataset.decimal=","'"""),
        (["-", "01.05.2024"], "dates such as '01.05.2024' beside '-': to read them so"),
    ],
)
def test_what_looks_like_a_number_is_told_with_the_option_that_reads_it(
    read: Csv, texts: list[str], said: str
) -> None:
    read(["x;y", *(f"{texts[i % 2]};{'ab'[i % 3 == 0]}" for i in range(30))])
    assert said in ": ".join(read.lines)


def test_the_options_that_are_told_read_the_whole_table(read: Csv) -> None:
    rows = [
        "Alter (J.);preis;tag;y",
        *(f"{i};{1 + i % 9} {i % 900 + 100},50 €;{1 + i % 28:02}.12.2024;ja" for i in range(60)),
        *["NA;?;-;nein"] * 9,
    ]
    data = read(rows)
    assert isinstance(data.features, dict)
    told = read.lines[-1]
    assert """'dataset.decimal=","' 'dataset.thousands=" "'""" in told
    assert "'dataset.missing=[NA,\"?\",-]'" in told
    data = read(rows, decimal=",", thousands=" ", missing=["NA", "?", "-"])
    assert data.features.shape == (69, 3)
    assert np.isnan(data.features).sum() == 27


def test_one_decimal_point_among_decimal_commas_is_no_thousand(read: Csv) -> None:
    rows = ["x;y", *(f"{i},5;{i % 2}" for i in range(30)), "1.234;1"]
    with pytest.raises(DataError, match=r"mixes types|looks like numbers") as told:
        read(rows, decimal=",", missing=[])
        raise DataError(": ".join(read.lines))
    assert "thousands" in str(told.value) or "1.234" in str(told.value)


def test_text_of_a_parquet_file_that_looks_like_numbers_is_told(
    make: Door, tmp_path: Path
) -> None:
    file = tmp_path / "rows.parquet"
    select = "SELECT (['1,5', 'NA'])[1 + i % 2] AS x, i % 3 = 0 AS y FROM range(30) AS r(i)"
    duckdb.sql(f"COPY ({select}) TO '{file}'")
    with pytest.warns(UserWarning) as told:
        make("dataset", "sql", source=str(file), label="y")
    assert "'dataset.decimal=\",\"' 'dataset.missing=[NA]'" in str(told[-1].message)
    data = make("dataset", "sql", source=str(file), label="y", decimal=",", missing=["NA"])
    assert np.nanmax(data.features) == 1.5 and np.isnan(data.features).sum() == 15


# --- Dates ---------------------------------------------------------------------------------------


def test_a_date_is_the_day_that_was_meant(read: Csv) -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(60)]
    rows = ["d,y", *(f"{d.month}/{d.day}/{d.year},{i % 2}" for i, d in enumerate(days))]
    data = read(rows)
    epoch = dt.date(1970, 1, 1)
    assert sorted(data.features[:, 0]) == [(day - epoch).days for day in days]


def test_a_day_that_may_be_a_month_is_refused_until_it_is_said(read: Csv) -> None:
    rows = ["d,y", *(f"0{1 + i % 9}/0{1 + i % 7}/2024,{i % 2}" for i in range(60))]
    with pytest.raises(
        DataError, match=r"day cannot be told from the month.*time_format=%d/%m/%Y"
    ):
        read(rows)
    data = read(rows, time_format="%m/%d/%Y")
    assert data.features.min() == (dt.date(2024, 1, 1) - dt.date(1970, 1, 1)).days
    # A column that is not used may be in doubt.
    read(["d,x,y", *(f"01/02/2024,{i},{i % 2}" for i in range(20))], features=["x"])


def test_a_database_that_has_no_type_for_dates_is_divided_by_time(
    make: Door, tmp_path: Path
) -> None:
    file = tmp_path / "rows.sqlite"
    with writing_sqlite(file) as con:
        con.execute(
            "CREATE TABLE made.rows AS SELECT strftime(DATE '2024-01-01' + i::INT, '%d.%m.%Y') "
            "AS day, i AS x, i % 2 AS y FROM range(100) AS r(i) ORDER BY hash(i)"
        )
    split = SplitPlan(0.2, 0.2, 0, by="time:day")
    data = make("dataset", "sql", source=str(file), label="y", split=split)
    days = data.columns["day"]
    assert np.array_equal(data.features[np.argsort(days), 0], np.arange(100))


def test_a_class_that_may_be_a_missing_label_is_told(read: Csv) -> None:
    rows = ["x,y", *(f"{i},{'NA' if i % 9 == 0 else 'ab'[i % 2]}" for i in range(40))]
    assert read(rows).task.names == ("NA", "a", "b")
    assert "a class called 'NA'" in read.lines[-1] and "'dataset.missing=[NA]'" in read.lines[-1]
    with pytest.raises(DataError, match="'y' is missing in 5 rows"):
        read(rows, missing=["NA"])


# --- Names ---------------------------------------------------------------------------------------


def test_numbers_that_count_up_are_names(read: Csv) -> None:
    rows = ["0,1,2,3", *(f"{i * 0.5},{i},{i % 7},{i % 2}" for i in range(50))]
    data = read(rows, label="3")
    assert len(data.targets) == 50
    assert "0,1,2,3, is taken for the names" in read.lines[0]
    assert len(read(rows, label="column3", header=False).targets) == 51


def test_a_name_goes_before_a_place(read: Csv) -> None:
    rows = [",0,1", *(f"{i},{i * 10},{i * 100}" for i in range(40))]
    data = read(rows, label="0", task="regression")
    assert sorted(data.targets)[-1] == 390


def test_names_that_are_asked_for_are_names(read: Csv) -> None:
    rows = ["2023,2025", *(f"{i * 0.5},{i % 2}" for i in range(50))]
    assert len(read(rows, label="2025").targets) == 50


def test_a_file_without_names_says_so(read: Csv) -> None:
    read([f"{i * 0.5},{i % 2}" for i in range(3, 50)], label="column1")
    assert "dataset.header=true" in read.lines[0]


def test_a_column_that_only_counts_is_told(make: Door, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = [f"{i + 1},{i % 9},{i * 3},{i % 2}" for i in range(100)]
    file.write_text("\n".join([",x,z,y", *rows]), encoding="utf-8")
    profile = make.registry.find("dataset", "csv").marks.profile(
        path=file, label="y", summary=True
    )
    [line] = [line for line in complaints(profile) if "only counts" in line]
    assert "data: column0 only counts the rows" in line


@pytest.mark.parametrize("name", ["km/h", "a b", "größe", "1a", 'a "b" c', "order", "it's"])
def test_any_name_will_do(read: Csv, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    data = read([f"{quoted},k,y", *(f"{i},{'uv'[i % 2]},{i % 2}" for i in range(20))])
    assert list(data.features) == [name, "k"]


# --- Files ---------------------------------------------------------------------------------------


def test_another_encoding_is_told_and_read(read: Csv) -> None:
    rows = ["stadt,y", *(f"{'Köln' if i % 2 else 'Bonn'},{i % 2}" for i in range(50))]
    body = "\n".join(rows).encode("latin-1")
    with pytest.raises(DataError, match=r"say dataset\.encoding=latin-1"):
        read(body)
    for encoding in ("latin-1", "cp1252"):
        assert set(read(body, encoding=encoding).features["stadt"]) == {"Köln", "Bonn"}
    euro = "\n".join(["preis,y", *(f"{i} €,{i % 2}" for i in range(50))]).encode("cp1252")
    with pytest.raises(DataError, match=r"say dataset\.encoding=cp1252"):
        read(euro)
    assert read(euro, encoding="cp1252").features.max() == 49
    with pytest.raises(DataError, match="no encoding that Python knows"):
        read(body, encoding="klingon")


def test_brackets_in_a_path_and_long_texts_are_read(make: Door, tmp_path: Path) -> None:
    file = tmp_path / "data[1].csv"
    texts = ["word " * (30_000 if i == 5 else 3) for i in range(60)]
    lines = [f'"{text.strip()}",{"ab"[i % 2]}' for i, text in enumerate(texts)]
    file.write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    data = make("dataset", "csv", path=file, label="label")
    assert max(map(len, data.features["text"])) == 149_999


def test_a_file_of_any_ending_is_a_csv_file_for_csv(make: Door, tmp_path: Path) -> None:
    file = tmp_path / "rows.data"
    file.write_text("x,y\n" + "\n".join(f"{i},{i % 2}" for i in range(20)), encoding="utf-8")
    assert make("dataset", "csv", path=file, label="y").features.shape == (20, 1)


def test_yes_and_no_keep_their_names(read: Csv) -> None:
    assert read(["x,y", *(f"{i},{'No' if i % 2 else 'Yes'}" for i in range(20))]).task.names == (
        "No",
        "Yes",
    )
    flags = read(["x,y", *(f"{i},{'false' if i % 2 else 'true'}" for i in range(20))])
    assert flags.task.names == ("false", "true")


def test_a_column_of_weights_is_no_feature(read: Csv) -> None:
    data = read(["x,w,y", *(f"{i},{i % 3 + 1},{i % 2}" for i in range(20))], weight="w")
    assert data.features.shape == (20, 1)
    assert np.array_equal(data.weights, data.features[:, 0] % 3 + 1)
    with pytest.raises(DataError, match=r"raise dataset\.memory_rows"):
        read(["x,w,y", *(f"{i},1,{i % 2}" for i in range(20))], weight="w", memory_rows=0)


def test_another_file_is_the_test_part(read: Csv, make: Door, tmp_path: Path) -> None:
    rows = ["d,x,y", *(f"{1 + i % 12}/{1 + i % 28}/2024,{i},{i % 2}" for i in range(60))]
    test = tmp_path / "test.csv"
    test.write_text("x,d,y\n" + "\n".join(f"{100 + i}.5,3/4/2024,{i % 2}" for i in range(9)))
    data = read(rows, test=test)
    assert isinstance(data, Data) and data.part is not None
    with pytest.warns(UserWarning, match="come in parts of their own"):
        train, val, held_out = divide(data, SplitPlan(0.2, 0.2, 0))
    assert len(train) == 48 and len(val) == 12
    assert sorted(data.features[held_out, 1]) == [100.5 + i for i in range(9)]
    day = (dt.date(2024, 3, 4) - dt.date(1970, 1, 1)).days
    assert set(data.features[held_out, 0]) == {day}
    say = make.registry.find("dataset", "csv").marks.identity
    first = tmp_path / "rows.csv"
    assert say(path=first, test=test) != say(path=test, test=first) != say(path=first)
    with pytest.raises(DataError, match="both say which rows are test"):
        read(rows, test=test, split=SplitPlan(0.2, 0.2, 0, by="column:x"))


# --- What texts look like ------------------------------------------------------------------------


def test_what_texts_look_like() -> None:
    assert date_formats(["1.2.2024", "31.2.2024"]) == []
    assert date_formats(["3.10.12", "3.9.1"]) == []
    assert date_formats(["13/02/2024 10:30", "01/02/2024 9:05"]) == ["%d/%m/%Y %H:%M"]
    assert numbers_written(["red", "blue"]) is None
    assert numbers_written(["NA", "NA"]) is None
    assert counts_up(["", "0", "1"]) and counts_up(["2019", "2020", "2021"])
    assert not counts_up(["0", "1"]) and not counts_up(["5", "3", "2"])


def test_digits_with_a_zero_before_them_are_codes(read: Csv) -> None:
    rows = [
        "zip,x,y",
        *(f"{1000 + i % 9:05d},{i / 4},{['01', '1', '2'][i % 3]}" for i in range(60)),
    ]
    data = read(rows)
    assert data.task.names == ("01", "1", "2")
    assert set(data.features["zip"].tolist()) == {f"{1000 + i:05d}" for i in range(9)}
    assert any("'zip' is read as text" in line and "'01000'" in line for line in read.lines)
    query = 'SELECT * REPLACE ("zip"::BIGINT AS "zip") FROM source'
    assert any(query in line.replace("\\", "") for line in read.lines)
    assert set(read(rows, query=query).features[:, 0].tolist()) == {1000.0 + i for i in range(9)}


# --- All at once ---------------------------------------------------------------------------------


def test_all_columns_that_cannot_be_used_are_named_at_once(read: Csv) -> None:
    rows = [
        "a,leer,b,auch,y",
        *(f"{i},,{'12 km' if i == 3 else i},,{'pq'[i % 2]}" for i in range(40)),
    ]
    with pytest.raises(DataError) as told:
        read(rows)
    assert "'leer' is missing in all 40 rows" in str(told.value)
    assert "'auch' is missing in all 40 rows" in str(told.value)
    assert "'b' mixes types" in str(told.value)


def test_utf_16_is_told_with_the_option_that_reads_it(read: Csv) -> None:
    rows = "\n".join(["Größe\ty", *("a\tp", "b\tq") * 20]).encode("utf-16")
    with pytest.raises(DataError, match=r"say dataset\.encoding=utf-16"):
        read(rows)
    assert len(read(rows, encoding="utf-16").targets) == 40


def test_names_that_come_twice_are_told(read: Csv) -> None:
    data = read(["x,X,y", *("1,2,p", "3,4,q") * 20])
    assert data.feature_names == ("x", "X_1")
    assert any("several columns are called 'x', 'X'" in line for line in read.lines)


def test_options_are_advised_that_hold_together(read: Csv) -> None:
    rows = [
        "a;b;y",
        *(f"{i % 9 + 1}.{i + 100},5;{i % 9 + 1},{i + 100}.5;{'pq'[i % 2]}" for i in range(40)),
    ]
    read(rows)
    assert """add 'dataset.decimal=","' 'dataset.thousands="."'""" in read.lines[-1]
    read(rows, decimal=",", thousands=".")
