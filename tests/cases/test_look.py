"""`look`: all that is odd about data at once, and a command that trains on them."""

from __future__ import annotations

import json
import random
import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from runner import Data, DataError
from runner.commands.table import run_command
from runner.config.compose import compose
from runner.data.prepare import load
from runner.errors import ConfigError
from tests.cases import messy
from tests.servers import writing_sqlite

Look = Callable[..., dict[str, Any]]
FEATURES = ["Alter (J.)", "Datum", "Umsatz", "order", "Stadt", "Aktiv", "größe"]


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Look:
    def look(source: object, *words: str) -> dict[str, Any]:
        assert run_command(["look", str(source), "--format", "json", *words]) == 0
        body: dict[str, Any] = json.loads(capsys.readouterr().out)
        return body

    return look


def loaded(command: str) -> Data:
    """The data of the command that was printed, as a run would load them."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "runner"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = load(compose(words[3:])[0])
    assert isinstance(data, Data)
    return data


def kinds(body: dict[str, Any], kind: str) -> list[str]:
    """The columns of the remarks of one kind."""
    return [one["column"] for one in body["remarks"] if one["kind"] == kind]


def write(file: Path, lines: Sequence[str]) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_a_messy_table_is_read_as_it_is_meant_and_trained_on_by_the_command(
    look: Look, tmp_path: Path
) -> None:
    file = tmp_path / "kunden (neu).csv"
    messy.write(file, rows=300)
    body = look(file)
    types = {column["name"]: column["type"] for column in body["columns"]}
    assert types == {
        "Kunde": "integer",
        "Alter (J.)": "integer",
        "Datum": "date",
        "Umsatz": "float",
        "order": "integer",
        "Stadt": "text",
        "Aktiv": "boolean",
        "größe": "float",
        "gekauft": "text",
    }
    assert body["options"]["decimal"] == "," and body["options"]["thousands"] == " "
    assert set(body["options"]["missing"]) == {"NA", "?", "-"}
    assert kinds(body, "row number") == ["Kunde"]
    assert set(kinds(body, "missing")) == {"Alter (J.)", "Umsatz", "Stadt"}
    assert (body["label"], body["label_is_guessed"], body["task"]) == ("gekauft", True, "binary")
    data = loaded(body["command"])
    assert isinstance(data.features, dict)
    assert sorted(data.features) == sorted(name.replace("größe", "größe") for name in FEATURES)
    assert data.features["Umsatz"].dtype.kind == "f"
    assert data.task.names == ("no", "yes")


def test_the_text_shows_rows_columns_and_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "k.csv"
    messy.write(file, rows=100)
    assert run_command(["look", str(file)]) == 0
    text = capsys.readouterr().out
    assert f"{file}: 100 rows, 9 columns; parted by ';', names in the first line" in text
    assert "  Aktiv " in text and "2023-" in text
    assert "the label: 'gekauft', 2 classes: no, yes (binary) (a guess; --label" in text
    assert "\npython -m runner dataset=csv" in text


# --- What is odd ---------------------------------------------------------------------------------


def odd_table() -> list[str]:
    draw = random.Random(0)
    lines = ["nr,konto,fest,leer,a,a2,code,b,name,seit,notiz,klasse"]
    for i in range(300):
        y = "selten" if i % 50 == 7 else draw.choice(["p", "q"])
        code = {"p": 7, "q": 8, "selten": 9}[y]
        a = -999 if i % 60 == 3 else draw.randint(10, 30)
        b = "kaputt" if i == 5 else f"{draw.random():.3f}"
        label = "" if i == 11 else y
        lines.append(
            f"{i},K{i * 7919},3,,{a},{a},{code},{b},{draw.choice('uvw')},2024-01-{1 + i % 28:02},"
            f"das ist der {i}. freie Text,{label}"
        )
    return [*lines, lines[-1].replace("299,K", "300,K1")]


def test_all_that_is_odd_is_told_at_once(look: Look, tmp_path: Path) -> None:
    body = look(write(tmp_path / "odd.csv", odd_table()))
    assert body["label"] == "klasse" and body["task"] == "classification"
    assert kinds(body, "row number") == ["nr"]
    assert kinds(body, "id") == ["konto"]
    assert kinds(body, "constant") == ["fest"]
    assert kinds(body, "empty") == ["leer"]
    assert kinds(body, "same column") == ["a2"]
    assert kinds(body, "leak") == ["code"]
    assert kinds(body, "text") == ["notiz"]
    assert kinds(body, "missing label") == ["klasse"]
    assert kinds(body, "rare classes") or kinds(body, "imbalance")
    assert kinds(body, "time") == ["seit"]
    [outliers] = [one["text"] for one in body["remarks"] if one["kind"] == "outliers"]
    assert "-999" in outliers and "dataset.missing=[-999]" in outliers
    assert any(one["kind"] == "equal rows" for one in body["remarks"])
    assert body["options"]["missing"] == ["kaputt"]
    data = loaded(body["command"])
    assert sorted(data.features) == ["a", "b", "name", "seit"]
    assert len(data.targets) == 300


TABLES = {
    "quotes in the header": ['"a ""x""","b;c",y', *('"1.5","u",p', '"2.5","v",q') * 20],
    "names that come twice": ["x,x,y", *("1,2,p", "3,4,q") * 20],
    "a delimiter behind each line": ["a,b,y,", *("1,2,p,", "3,4,q,") * 20],
    "lines of comment": ["# by X", "a,b,y", *("1,2,p", "3,4,q") * 20],
    "two ways of decimals": ["a;b;y", *("0,5;1.25;p", "1,5;2.75;q") * 20],
    "tabs": ["a\tb\ty", *("1\tu x\tp", "2\tv\tq") * 20],
    "a name such as null": ["null,true,y", *("1,2,p", "3,4,q") * 20],
    "numbers as names": ["0,1,2,3", *("0.5,7,1,0", "1.5,8,0,1") * 20],
    "few rows": ["a,b,y", *("1,2,p", "3,4,q") * 5],
    "whole numbers to predict": ["a,y", *(f"{i % 7},{i * 3}" for i in range(60))],
}


@pytest.mark.many
@pytest.mark.parametrize("name", TABLES)
def test_the_command_loads_what_was_looked_at(look: Look, tmp_path: Path, name: str) -> None:
    body = look(write(tmp_path / "rows.csv", TABLES[name]))
    data = loaded(body["command"])
    assert len(data.targets) == len(TABLES[name]) - 1 - (name == "lines of comment")


def test_days_that_may_be_months_go_by_the_order_of_the_rows(look: Look, tmp_path: Path) -> None:
    rows = [f"{m}/{d}/2024,{m % 3},{'pq'[d % 2]}" for m in range(1, 13) for d in range(1, 13)]
    body = look(write(tmp_path / "us.csv", ["d,a,y", *rows]))
    assert body["options"]["time_format"] == ["%m/%d/%Y"]
    assert any("the day cannot be told from the month" in note for note in body["notes"])
    loaded(body["command"])


def test_a_table_that_is_not_utf_8_is_looked_at_all_the_same(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "lat.csv"
    file.write_bytes("\n".join(["Größe,y", *("Köln,p", "Bonn,q") * 20]).encode("latin-1"))
    body = look(file)
    assert body["options"]["encoding"] == "latin-1"
    assert loaded(body["command"]).features["Größe"].tolist()[0] == "Köln"  # type: ignore[call-overload]


@pytest.mark.many
@pytest.mark.parametrize("ending", ["parquet", "duckdb", "sqlite", "json"])
def test_other_sources_are_looked_at_alike(look: Look, tmp_path: Path, ending: str) -> None:
    select = "SELECT (i % 7) / 2 AS a, 'x' || (i % 3) AS b, i % 2 AS y FROM range(60) r(i)"
    file = tmp_path / f"rows.{ending}"
    with duckdb.connect() as con:
        if ending == "duckdb":
            con.execute(f"ATTACH '{file}' AS made; CREATE TABLE made.rows AS {select}")
        elif ending == "sqlite":
            with writing_sqlite(file) as other:
                other.execute(f"CREATE TABLE made.rows AS {select}")
        else:
            con.execute(f"COPY ({select}) TO '{file}'")
    body = look(file)
    assert [column["name"] for column in body["columns"]] == ["a", "b", "y"]
    assert (body["rows"], body["task"]) == (60, "binary")
    assert len(loaded(body["command"]).targets) == 60
    table = "source" if ending in ("parquet", "json") else "rows"
    body = look(file, "--query", f"SELECT a, y FROM {table} WHERE b <> 'x0'", "--label", "a")
    assert (body["rows"], body["label"], body["label_is_guessed"]) == (40, "a", False)
    assert len(loaded(body["command"]).targets) == 40


@pytest.mark.slow
def test_a_server_is_looked_at_by_a_query(look: Look, postgres: str) -> None:
    from tests.servers import writing

    with writing(postgres) as con:
        con.execute("DROP TABLE IF EXISTS server.looked")
        con.execute(
            "CREATE TABLE server.looked AS SELECT i % 7 AS a, 'x' || (i % 3) AS b, "
            "i % 2 = 0 AS y FROM range(60) r(i)"
        )
    body = look(postgres, "--query", "SELECT * FROM looked")
    assert (body["rows"], body["kind"], body["task"]) == (60, "postgres", "binary")
    assert len(loaded(body["command"]).targets) == 60


def test_lists_and_structs_are_left_out(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "types.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT (i % 17)::DECIMAL(9, 2) / 10 AS p, [i] AS l, {'a': i} AS s, "
            f"i % 2 = 0 AS y FROM range(200) r(i)) TO '{file}'"
        )
    body = look(file)
    assert kinds(body, "type") == ["l", "s"]
    assert loaded(body["command"]).features.shape == (200, 1)  # type: ignore[union-attr]


def test_arrays_and_folders_get_a_short_look(look: Look, tmp_path: Path) -> None:
    np.savez(tmp_path / "stars.npz", x=np.random.rand(90, 3), y=np.arange(90) % 5 + 1)
    body = look(tmp_path / "stars.npz")
    assert body["arrays"]["x"]["shape"] == [90, 3]
    assert any("5 classes" in line for line in body["remarks"])
    assert len(loaded(body["command"]).targets) == 90
    for kind in ("x", "y"):
        (tmp_path / "texts" / kind).mkdir(parents=True)
        for i in range(8):
            (tmp_path / "texts" / kind / f"{i}.txt").write_text(f"{kind} {i}", encoding="utf-8")
    body = look(tmp_path / "texts")
    assert body["files"] == {"x": 8, "y": 8}
    assert len(loaded(body["command"]).targets) == 16


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "words", "match"),
    [
        (["a,y", "1,p", "2,q"], ["--label", "z"], "--label=z names no column"),
        (["a,y", "1,p", "2,q"], ["dataset.decimals=,"], "did you mean 'decimal'"),
        (["a,y", "1,p", "2,q"], ["dataset.header=maybe"], "dataset.header"),
        (["a,y", "1,p", "2,q"], ["--query", "SELECT b FROM source"], "--query names the column"),
        (["a,y", "1,p", "2,q"], ["--query", "DROP TABLE x"], "begins with DROP"),
        (["a", "1", "2"], [], "has one column, 'a'"),
        (["a,y"], [], "gives no rows"),
        (["a,b,y", *["1,2,p", "3,q"] * 5], [], r"2 cells in line 3"),
    ],
)
def test_bad_input_is_one_sentence(
    look: Look, tmp_path: Path, lines: list[str], words: list[str], match: str
) -> None:
    file = write(tmp_path / "rows.csv", lines)
    with pytest.raises((DataError, ConfigError), match=match) as told:
        look(file, *words)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["book.xlsx", "book.csv", "model.pkl"])
def test_what_is_no_text_is_no_table(look: Look, tmp_path: Path, name: str) -> None:
    head = b"\x80\x04\x95\x06\0\0" if name == "model.pkl" else b"PK\x03\x04\x14\0\0"
    (tmp_path / name).write_bytes(head + bytes(range(256)))
    match = "of no kind known" if name == "model.pkl" else "is a workbook .* save the sheet as CSV"
    with pytest.raises(DataError, match=match):
        look(tmp_path / name)
    with pytest.raises(DataError, match=match):
        loaded(f"python -m runner dataset=csv dataset.path={tmp_path / name} dataset.label=y")


def test_where_nothing_can_be_learnt_it_says_why(look: Look, tmp_path: Path) -> None:
    body = look(write(tmp_path / "rows.csv", ["a,y", *["1,p"] * 20]), "--label", "y")
    assert body["command"] is None and body["task"] is None
    assert any("there is nothing to learn" in one["text"] for one in body["remarks"])


NAMES = [
    "it's",
    'say "hi"',
    "a`b$c",
    "back\\slash",
    "end\\",
    "[x]",
    "{y:1}",
    "k=1",
    "#1",
    "50 %",
    "null",
    "1e5",
    "~z",
    "a,b",
    "größe (cm)",
    "true",
    "${oc.env:HOME}",
    "-x",
]


@pytest.mark.slow
def test_the_command_names_columns_of_any_name(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "it's [1].parquet"
    columns = ", ".join(
        "hash(i * 100 + {}) % 9 AS {}".format(number, '"' + name.replace('"', '""') + '"')
        for number, name in enumerate(NAMES)
    )
    with duckdb.connect() as con:
        con.execute("CREATE TABLE made AS " + f"SELECT i AS nr, {columns} FROM range(100) r(i)")
        con.execute("COPY made TO $file", {"file": str(file)})
    for label in (NAMES[1], NAMES[4], NAMES[7], NAMES[-2]):
        body = look(file, "--label", label, "dataset.task=regression")
        data = loaded(body["command"])
        assert data.feature_names == tuple(name for name in NAMES if name != label)
