"""What `python -m warehouse sql` prints of any value, in every form."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.__main__ import main
from warehouse.commands.answer import ask
from warehouse.commands.output import emit, told_apart

UUID = "6b5d4b0e-0000-4000-8000-000000000000"
# An expression, what text forms show of it, and what JSON does.
VALUES: list[tuple[str, str, Any]] = [
    ("true", "True", True),
    ("170141183460469231731687303715884105727::HUGEINT", str(2**127 - 1), 2**127 - 1),
    ("'nan'::DOUBLE", "nan", "NaN"),
    ("'-inf'::FLOAT", "-inf", "-Infinity"),
    ("1.50::DECIMAL(9,2)", "1.50", 1.5),
    ("0.12345678901234567891::DECIMAL(38,20)", "0.12345678901234567891", "0.12345678901234567891"),
    ("DATE 'infinity'", "infinity", "infinity"),
    ("DATE '2020-01-31'", "2020-01-31", "2020-01-31"),
    ("'0044-03-15 (BC)'::DATE", "0044-03-15 (BC)", "0044-03-15 (BC)"),
    ("TIMESTAMP '2020-01-31 10:00:00.5'", "2020-01-31 10:00:00.5", "2020-01-31T10:00:00.5"),
    ("TIMESTAMP '-infinity'", "-infinity", "-infinity"),
    (
        "TIMESTAMPTZ '2020-01-31 10:00:00+09'",
        "2020-01-31 01:00:00+00",
        "2020-01-31T01:00:00+00:00",
    ),
    (
        "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'",
        "2020-01-01 00:00:00.123456789",
        "2020-01-01T00:00:00.123456789",
    ),
    ("TIME '24:00:00'", "24:00:00", "24:00:00"),
    ("'10:00:00+02'::TIMETZ", "10:00:00+02", "10:00:00+02"),
    ("INTERVAL '1 month 3 days'", "1 month 3 days", "1 month 3 days"),
    ("INTERVAL 178956970 YEARS", "178956970 years", "178956970 years"),
    ("'\\xAAb'::BLOB", "\\xAAb", "\\xAAb"),
    ("'101'::BIT", "101", "101"),
    (f"'{UUID}'::UUID", UUID, UUID),
    ("'b'::ENUM('a', 'b')", "b", "b"),
    ("union_value(k := 2)", "2", "2"),
    ("row(1, INTERVAL 1 DAY)", "(1, 1 day)", "(1, 1 day)"),
    ("[1, NULL, 2]", "[1, null, 2]", [1, None, 2]),
    ("[1, 2]::INTEGER[2]", "[1, 2]", [1, 2]),
    ("['nan'::DOUBLE]", '["NaN"]', ["NaN"]),
    ("[INTERVAL 1 MONTH]", '["1 month"]', ["1 month"]),
    ("[TIMESTAMP '2020-01-01']", '["2020-01-01 00:00:00"]', ["2020-01-01T00:00:00"]),
    (
        "{'day': DATE 'infinity', 'sum': [1.5::DECIMAL(9,2)]}",
        '{"day": "infinity", "sum": [1.5]}',
        {"day": "infinity", "sum": [1.5]},
    ),
    ("MAP {[1, 2]: INTERVAL 1 DAY}", '{"[1, 2]": "1 day"}', {"[1, 2]": "1 day"}),
    (
        "MAP {'a': TIMESTAMP '2020-01-01'}",
        '{"a": "2020-01-01 00:00:00"}',
        {"a": "2020-01-01T00:00:00"},
    ),
    ("""'{"a": NaN}'""", '{"a": NaN}', '{"a": NaN}'),
]


@pytest.fixture(scope="module")
def con() -> Any:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def strict(text: str) -> Any:
    """JSON as the standard has it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def printed(con: Any, query: str, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    answer = ask(con, query)
    emit(answer.columns, map(answer.iso, answer.rows) if form == "json" else answer.rows, form)
    return capsys.readouterr().out


@pytest.mark.parametrize(("value", "text", "plain"), VALUES, ids=[v[0] for v in VALUES])
def test_every_value_comes_out_right(
    con: Any, capsys: pytest.CaptureFixture[str], value: str, text: str, plain: Any
) -> None:
    query = f"SELECT {value} AS v, NULL AS n"
    assert strict(printed(con, query, "json", capsys)) == [{"v": plain, "n": None}]
    assert list(csv.reader(io.StringIO(printed(con, query, "csv", capsys)))) == [
        ["v", "n"],
        [text, ""],
    ]
    assert printed(con, query, "markdown", capsys).splitlines()[2] == f"| {text} |  |"
    row = printed(con, query, "table", capsys).splitlines()[3]
    assert row.split("   ")[0].strip() == text and row.rstrip().endswith("-")


def test_columns_of_one_name_are_all_there(con: Any, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT 1 AS a, 2 AS a, now() IS NULL AS b, 3 AS a_2, 4 AS a"
    assert strict(printed(con, query, "json", capsys)) == [
        {"a": 1, "a_3": 2, "b": False, "a_2": 3, "a_4": 4}
    ]
    assert printed(con, query, "csv", capsys) == "a,a,b,a_2,a\n1,2,False,3,4\n"


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "A", "b", ""])))
def test_names_are_told_apart(columns: list[str]) -> None:
    names = told_apart(columns)
    assert len(set(names)) == len(names) == len(columns)
    if len(set(columns)) == len(columns):
        assert names == columns


LEAVES = st.sampled_from([value for value, *_ in VALUES])
NESTED: st.SearchStrategy[str] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda item: f"[{item}, NULL]"),
        st.tuples(inner, inner).map(lambda two: f"{{'x y': {two[0]}, '\"q': {two[1]}}}"),
        inner.map(lambda item: f"MAP {{'k': {item}}}"),
        inner.map(lambda item: f"row({item}, 1)"),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(NESTED)
def test_whatever_is_nested_can_be_shown(value: str) -> None:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        answer = ask(con, f"SELECT {value} AS v -- and a comment;")
        [row] = answer.rows
    assert "datetime" not in repr(row) and "timedelta" not in repr(row)
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        for form in ("json", "csv", "markdown", "table"):
            emit(answer.columns, [answer.iso(row) if form == "json" else row], form)
            if form == "json":
                strict(sys.stdout.getvalue())
    finally:
        sys.stdout = out


def test_a_pipe_gets_every_row_and_the_widths_of_the_first(
    con: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(con, "SELECT i, 'ä' || i AS t FROM range(3000) AS r(i)", "table", capsys)
    assert len(lines.splitlines()) == 3000 + 4
    assert lines.splitlines()[-2].split() == ["2999", "ä2999"]


def test_rows_are_printed_as_they_come(con: Any) -> None:
    """The first of two billion is there at once."""
    answer = ask(con, "SELECT i, DATE '2020-01-01' AS d FROM range(2_000_000_000) AS r(i)")
    assert next(answer.rows) == (0, "2020-01-01")


def on_a_terminal(words: list[str], lines: int) -> str:
    master, slave = pty.openpty()
    environment = os.environ | {"LINES": str(lines), "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", *words],
        stdout=slave,
        stderr=slave,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    os.close(slave)
    read: Callable[[], bytes] = lambda: os.read(master, 65536)  # noqa: E731
    output = b""
    try:
        while piece := read():
            output += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(30) == 0
    return output.decode()


@pytest.mark.slow
def test_a_terminal_gets_what_fits_and_how_many_more(tmp_path: Path) -> None:
    words = ["--results", str(tmp_path / "none"), "sql"]
    text = on_a_terminal([*words, "FROM range(2100)"], 30)
    assert " 23 " in text and " 24 " not in text
    assert "and 2076 more rows" in text
    assert "more rows" not in on_a_terminal([*words, "FROM range(24)"], 30)


def test_a_query_that_breaks_late_is_still_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "SELECT CASE WHEN i = 50000 THEN error('late') END FROM range(100000) AS r(i)"
    assert main(["--results", str(tmp_path / "none"), "sql", query, "--format", "csv"]) == 2
    assert capsys.readouterr().err.startswith("the query does not work: Invalid Input Error: late")


def test_a_pivot_is_answered_and_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--results", str(tmp_path / "none"), "sql", "--format", "json"]
    pivot = "PIVOT (SELECT 3 AS a, 'x' AS b {}) ON b USING sum(a)"
    assert main([*asked, pivot.format("")]) == 0
    assert json.loads(capsys.readouterr().out) == [{"x": 3}]
    assert main([*asked, pivot.format("FROM enable_logging()")]) == 2
    assert main([*asked, f"SELECT 1; {pivot.format('')}"]) == 2
    assert "a PIVOT stands alone" in capsys.readouterr().err
