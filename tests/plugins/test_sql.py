"""Rows by a query: the datasets sql and csv over files and databases of every kind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from runner import Data, DataError, SplitPlan, Splits, Stream, Task
from runner.config.compose import compose
from runner.config.fingerprint import fingerprint
from runner.data.identity import data_identity
from runner.data.profile import complaints
from runner.errors import ConfigError
from tests import servers

ROWS = """
SELECT * FROM (VALUES
    (1, 0.5::DOUBLE, 'red', true, DATE '1970-01-02', 10.5::DOUBLE),
    (2, NULL, 'blue', false, DATE '1970-01-03', 20.25),
    (3, 2.5, NULL, true, DATE '1971-01-01', 30.0),
    (4, -1.5, 'red', NULL, DATE '1969-12-31', 40.0)
) AS t(number, part, colour, flag, day, price)
"""
PARAMS: dict[str, Any] = {
    "query": None,
    "features": None,
    "task": "auto",
    "text": "strings",
    "memory_rows": 1_000_000,
    "identity": None,
    "secret": None,
    "summary": True,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Writes the rows of a query as a file of some kind; its path."""
    folder = tmp_path_factory.mktemp("sources")

    def write(kind: str, rows: str, name: str = "rows") -> str:
        file = folder / f"{name}.{kind}"
        file.unlink(missing_ok=True)
        with duckdb.connect() as con:
            if kind == "duckdb":
                con.execute(f"ATTACH '{file}' AS made; CREATE TABLE made.rows AS {rows}")
            elif kind == "sqlite":
                with servers.writing_sqlite(file) as other:
                    other.execute(f"CREATE TABLE made.rows AS {rows}")
            else:
                con.execute(f"COPY ({rows}) TO '{file}'")
        return str(file)

    return write


def fill(uri: str, rows: str, table: str = "rows") -> None:
    with servers.writing(uri) as con:
        con.execute(f"DROP TABLE IF EXISTS server.{table}")
        con.execute(f"CREATE TABLE server.{table} AS {rows}")


@pytest.fixture
def source(request: pytest.FixtureRequest, sources: Any) -> Callable[[str, str], str]:
    """The rows of a query in a source of some kind, files and servers alike."""

    def of(kind: str, rows: str) -> str:
        if kind not in ("postgres", "mariadb"):
            return str(sources(kind, rows))
        uri = str(request.getfixturevalue(kind))
        fill(uri, rows)
        return uri

    return of


KINDS = ("parquet", "csv", "json", "duckdb", "sqlite", "postgres", "mariadb")


def table_of(kind: str) -> str:
    return "source" if kind in ("parquet", "csv", "json") else "rows"


@pytest.fixture
def identity_of(tmp_path: Path) -> Callable[..., str]:
    """What the runner takes the data of these overrides for."""

    def of(*overrides: str) -> str:
        chosen = compose(["dataset=sql", *overrides])[0].one("dataset")
        return data_identity(chosen, pytest.fail, tmp_path / "results")

    return of


# --- What rows become ----------------------------------------------------------------------------


@pytest.mark.many
@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_columns(make: Any, source: Any, kind: str) -> None:
    query = f"SELECT number, part, colour, price FROM {table_of(kind)}"
    data = make("dataset", "sql", source=source(kind, ROWS), query=query, label="price")
    assert isinstance(data, Data)
    assert data.task == Task.regression(1, ("price",))
    assert sorted(data.targets) == [10.5, 20.25, 30.0, 40.0]
    order = np.argsort(data.targets)
    assert isinstance(data.features, dict)
    assert data.features["number"][order].tolist() == [1, 2, 3, 4]
    assert data.features["number"].dtype == data.features["part"].dtype == np.float32
    assert np.isnan(data.features["part"][order]).tolist() == [False, True, False, False]
    assert data.features["colour"][order].tolist() == ["red", "blue", "", "red"]


def test_numbers_truth_values_and_dates_are_one_array(make: Any, sources: Any) -> None:
    data = make(
        "dataset",
        "sql",
        source=sources("parquet", ROWS),
        label="price",
        features=["number", "flag", "day"],
    )
    rows = data.features[np.argsort(data.targets)]
    assert rows.dtype == np.float32
    assert rows[:, 2].tolist() == [1, 2, 365, -1]
    assert rows[:3, 1].tolist() == [1, 0, 1]
    assert np.isnan(rows[3, 1])


def test_times_are_days_with_their_fraction(make: Any, sources: Any) -> None:
    rows = "SELECT TIMESTAMP '1970-01-02 12:00:00' AS at, TIME '06:00:00' AS clock, 1.5 AS y"
    rows += " UNION ALL SELECT NULL, NULL, 2.5"
    data = make("dataset", "sql", source=sources("parquet", rows), label="y")
    assert data.features[data.targets == 1.5].tolist() == [[1.5, 0.25]]
    assert np.isnan(data.features[data.targets == 2.5]).all()


def test_text_as_codes_says_how_many_there_are(make: Any, sources: Any) -> None:
    data = make(
        "dataset",
        "sql",
        source=sources("parquet", ROWS),
        label="price",
        features=["colour"],
        text="codes",
    )
    assert data.vocabulary == {"colour": 3}
    assert data.features["colour"][np.argsort(data.targets)].tolist() == [2, 1, 0, 2]


LABELS = {
    "text": ("(['b', 'a', 'c'])[1 + i % 3]", {}, Task.classification(3, ("a", "b", "c"))),
    "two words": ("(['no', 'yes'])[1 + i % 2]", {}, Task.binary(("no", "yes"))),
    "truth values": ("i % 2 = 0", {}, Task.binary(("false", "true"))),
    "few whole numbers": ("5 + i % 3", {}, Task.classification(3, ("5", "6", "7"))),
    "floats": ("i / 7", {}, Task.regression(1, ("y",))),
    "0.0 and 1.0": ("(i % 2)::DOUBLE", {}, Task.binary(("0", "1"))),
    "0.0 and 1.0 that are values": (
        "(i % 2)::DOUBLE",
        {"task": "regression"},
        Task.regression(1, ("y",)),
    ),
    "whole floats that are classes": (
        "(i % 2)::DOUBLE",
        {"task": "binary"},
        Task.binary(("0", "1")),
    ),
    "whole numbers that are values": ("i", {"task": "regression"}, Task.regression(1, ("y",))),
    "two classes that are to be two": (
        "i % 2",
        {"task": "classification"},
        Task.classification(2, ("0", "1")),
    ),
}


@pytest.mark.filterwarnings("ignore:the label 'y' holds the whole numbers 5, 6, 7")
@pytest.mark.parametrize(("label", "params", "task"), LABELS.values(), ids=LABELS)
def test_the_task_follows_from_the_label(
    make: Any, sources: Any, label: str, params: dict[str, str], task: Task
) -> None:
    rows = f"SELECT i AS x, {label} AS y FROM range(30) AS r(i)"
    data = make("dataset", "sql", source=sources("parquet", rows), label="y", **params)
    assert data.task == task
    if task.kind in ("classification", "binary"):
        with duckdb.connect() as con:
            said = dict(con.execute(f"SELECT x, y::VARCHAR FROM ({rows})").fetchall())
        for x, y in zip(data.features[:, 0], data.targets, strict=True):
            assert task.names[y] == said[int(x)].removesuffix(".0")


def test_several_labels_are_values_or_flags(make: Any, sources: Any) -> None:
    rows = "SELECT i AS x, i * 2.5 AS a, i AS b, i % 2 AS c, i % 3 = 0 AS d FROM range(9) AS r(i)"
    file = sources("parquet", rows)
    values = make("dataset", "sql", source=file, label=["a", "b"], features=["x"])
    assert values.task == Task.regression(2, ("a", "b"))
    assert values.targets.shape == (9, 2)
    flags = make("dataset", "sql", source=file, label=["c", "d"], features=["x"])
    assert flags.task == Task.multilabel(2, ("c", "d"))


def test_csv_finds_out_delimiter_and_types(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("size;colour;kind\n1,5;red;a\n2,5;blue;b\n3,5;red;a\n", encoding="utf-8")
    data = make("dataset", "csv", path=file, label="kind", delimiter=";", features=["colour"])
    assert sorted(data.features["colour"]) == ["blue", "red", "red"]
    assert data.task == Task.binary(("a", "b"))
    assert make.registry.find("dataset", "csv").marks.identity(
        path=file,
        label="kind",
        features=None,
        delimiter=";",
        task="auto",
        text="strings",
        memory_rows=9,
    ) == (file,)


def test_a_pattern_reads_all_that_it_matches(make: Any, tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"part-{i}.csv").write_text(f"x,y\n{i},0.5\n{i},1.5\n", encoding="utf-8")
    data = make("dataset", "csv", path=tmp_path / "part-*.csv", label="y")
    assert sorted(data.features[:, 0]) == [0, 0, 1, 1, 2, 2]


# --- What cannot be read -------------------------------------------------------------------------

MISTAKES = {
    "no such file": ({"source": "{file}x"}, r"does not exist: .*near it: rows\.parquet"),
    "no such pattern": ({"source": "{file}*.csv"}, "matches no file"),
    "unknown scheme": ({"source": "oracle://h/db"}, "of no kind known here: give postgres://"),
    "unknown label": ({"label": "prize"}, r"label=prize names no column .*did you mean price\?"),
    "unknown feature": ({"features": ["colr"]}, r"features=colr .*did you mean colour\?"),
    "unknown table": ({"query": "FROM sorce"}, r"table 'sorce', .*did you mean source\?"),
    "unknown column": ({"query": "SELECT prize FROM source"}, r"column 'prize', .*price"),
    "no SQL": ({"query": "SELECT FROM WHERE"}, "dataset.query is no valid SQL"),
    "no rows": ({"query": "FROM source WHERE false"}, "gives no rows"),
    "other files": (
        {"query": "SELECT * FROM read_csv('/etc/passwd')"},
        "reads more than .*: a query is over its own source alone",
    ),
    "a label that is missing": ({"label": "part"}, r"'part' is missing in 1 rows.*IS NOT NULL"),
    "a constant label": (
        {"query": "SELECT number, 1.5 AS y FROM source", "label": "y"},
        r"label 'y' is 1.5 in every row",
    ),
    "one class": (
        {"query": "SELECT number, 'a' AS y FROM source", "label": "y"},
        "label 'y' is a in every row",
    ),
    "a date as label": ({"label": "day"}, "of type DATE: a label is a number"),
    "text as value": ({"label": "colour", "task": "regression"}, "is text: regression needs"),
    "too many for binary": (
        {"query": "FROM source WHERE price > 0", "label": "number", "task": "binary"},
        "has 4 values: dataset.task=binary takes 2",
    ),
    "whole numbers, classes or values": (
        {"query": "SELECT i, i AS y FROM range(99) AS r(i), source", "label": "y"},
        "99 different whole numbers from 0 to 98, .* say dataset.task=",
    ),
    "an all-missing column": (
        {"query": "SELECT NULL::INT AS x, price FROM source"},
        "column 'x' is missing in all 4 rows",
    ),
    "a list": ({"query": "SELECT [1, 2] AS x, price FROM source"}, r"'x' is of type INTEGER\[\]"),
    "the label as feature": ({"features": ["price"]}, "'price' is both in dataset.features and"),
    "numbers too large": (
        {"query": "SELECT 1e300 AS x, price FROM source"},
        "mixes types in a column: .*out of range",
    ),
}


@pytest.mark.parametrize(("params", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence(
    make: Any, sources: Any, params: dict[str, Any], said: str
) -> None:
    file = sources("parquet", ROWS)
    given = {"source": file, "label": "price"} | params
    given["source"] = given["source"].format(file=file)
    with pytest.raises(DataError, match=said) as refused:
        make("dataset", "sql", **given)
    assert "\n" not in str(refused.value)


def test_a_column_of_numbers_with_some_text_is_told(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "mixed.csv"
    lines = [*(f"{i},{i}.5" for i in range(99)), "unknown,3.5"]
    file.write_text("x,y\n" + "\n".join(lines), encoding="utf-8")
    said = "'x' mixes types: 99 of its values are numbers.*'unknown'.*TRY_CAST"
    with pytest.raises(DataError, match=said):
        make("dataset", "csv", path=file, label="y")


@pytest.mark.parametrize("memory_rows", [0, 1_000_000])
def test_text_far_down_in_a_column_of_numbers_is_told(
    make: Any, tmp_path: Path, memory_rows: int
) -> None:
    file = tmp_path / "late.csv"
    lines = [f"{i},{i}.5" for i in range(150_000)]
    lines[140_000] = "unknown,3.5"
    file.write_text("x,y\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"mixes types in a column: .*unknown") as told:
        make("dataset", "csv", path=file, label="y", memory_rows=memory_rows)
    assert "\n" not in str(told.value)


def test_sqlite_that_holds_text_in_a_column_of_numbers_is_told(make: Any, sources: Any) -> None:
    file = sources("sqlite", "SELECT 1 AS x, 1.5 AS y UNION ALL SELECT 2, 2.5")
    with sqlite3.connect(file) as con:
        con.execute("INSERT INTO rows VALUES ('three', 3.5)")
    con.close()
    with pytest.raises(DataError, match=r"mixes types in the column 'x': .*'three'"):
        make("dataset", "sql", source=file, label="y")


WRITES = (
    "DELETE FROM rows",
    "INSERT INTO rows SELECT * FROM rows RETURNING *",
    "DROP TABLE rows",
    "FROM rows; DELETE FROM rows",
    "COPY rows TO 'stolen.csv'",
    "CREATE TABLE more AS FROM rows",
    "ATTACH 'other.db'",
)


@pytest.mark.many
@pytest.mark.parametrize("query", WRITES)
@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_query_that_writes_is_refused(make: Any, source: Any, kind: str, query: str) -> None:
    place = source(kind, ROWS)
    with pytest.raises(DataError, match="give exactly one SELECT, which only reads"):
        make("dataset", "sql", source=place, query=query, label="price")
    assert len(make("dataset", "sql", source=place, query="FROM rows", label="price").targets) == 4


@pytest.mark.slow
def test_a_select_that_would_write_on_the_server_is_refused_there(make: Any, source: Any) -> None:
    place = source("postgres", ROWS)
    query = "SELECT * FROM postgres_execute('origin', 'DELETE FROM rows'), (FROM rows)"
    with pytest.raises(DataError, match="read-only"):
        make("dataset", "sql", source=place, query=query, label="price", features=["number"])
    assert len(make("dataset", "sql", source=place, query="FROM rows", label="price").targets) == 4


# --- Servers and passwords -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "variable"), [("postgres", "PGPASSWORD"), ("mariadb", "MYSQL_PWD")]
)
def test_a_wrong_password_is_told_and_not_shown(
    make: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    variable: str,
) -> None:
    uri = request.getfixturevalue(kind)
    monkeypatch.setenv(variable, "open-sesame")
    with pytest.raises(DataError, match=f"environment variable {variable}, which is set but") as e:
        make("dataset", "sql", source=uri, label="x")
    assert "open-sesame" not in str(e.value)
    monkeypatch.delenv(variable)
    with pytest.raises(DataError, match=f"{variable}, which is not set"):
        make("dataset", "sql", source=uri, label="x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "variable"), [("postgres", "PGPASSWORD"), ("mariadb", "MYSQL_PWD")]
)
def test_a_password_may_be_in_a_secret_of_duckdbs(
    make: Any,
    source: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    variable: str,
) -> None:
    place = source(kind, ROWS)
    monkeypatch.setenv("HOME", str(tmp_path))
    with servers.writing(place) as con:
        scheme = place.partition(":")[0]
        con.execute(
            f"CREATE PERSISTENT SECRET shop (TYPE {scheme}, PASSWORD '{servers.PASSWORD}')"
        )
    monkeypatch.delenv(variable)
    given = {"source": place, "query": "FROM rows", "label": "price"}
    assert len(make("dataset", "sql", **given, secret="shop").targets) == 4
    with pytest.raises(DataError, match=f"{variable}, which is not set"):
        make("dataset", "sql", **given)
    with pytest.raises(DataError, match="ship"):
        make("dataset", "sql", **given, secret="ship")


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_a_server_that_does_not_answer_is_told(make: Any, scheme: str) -> None:
    pytest.importorskip(f"duckdb_extension_{scheme}")
    with pytest.raises(DataError, match=r"source=.*127\.0\.0\.1:1/db cannot be reached: ") as e:
        make("dataset", "sql", source=f"{scheme}://me@127.0.0.1:1/db", label="x")
    assert "\n" not in str(e.value)


def test_a_reader_that_is_not_installed_is_named_with_its_extra(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"duckdb-extension-postgres .*'sweephouse\[databases\]'"):
        make("dataset", "sql", source="postgres://me@127.0.0.1:1/db", label="x")


@pytest.mark.many
@pytest.mark.parametrize(
    "uri",
    [
        "postgres://me:open-sesame@host/db",
        "mysql://me:open/sesame@127.0.0.1:3306/db",
        "postgres://me@host/db?password=open-sesame",
    ],
)
def test_a_password_in_the_config_is_refused_and_not_shown(uri: str) -> None:
    with pytest.raises(ConfigError, match="PGPASSWORD") as refused:
        compose(["dataset=sql", f'dataset.source="{uri}"', "dataset.label=y"])
    assert "sesame" not in str(refused.value)


@pytest.mark.slow
def test_a_password_leaves_no_trace_wherever_it_was_written(tmp_path: Path) -> None:
    from tests.runner.session import session

    uri = "postgres://me:open-sesame@127.0.0.1:1/db"
    typed = [f"dataset.source={uri}", "dataset=sql", "dataset.label=y"]
    presets = tmp_path / "mine" / "experiment"
    presets.mkdir(parents=True)
    for name, source in (("hidden", "${oc.env:MINE}"), ("open", uri)):
        (presets / f"{name}.yaml").write_text(
            "# @package _global_\ndefaults:\n  - override /dataset: sql\n"
            f"dataset:\n  source: {source}\n  label: y\n",
            encoding="utf-8",
        )
    mine = ["--config-dir", "mine"]
    commands = [typed, [*typed, "-m"], ["experiment=hidden", *mine], ["experiment=open", *mine]]
    commands.append(["experiment=open", *mine, "-m"])
    commands.append(["experiment=open", "seed=1,2", "hydra/launcher=basic", *mine, "-m"])
    for done in session(commands, tmp_path, {"MINE": uri}):
        assert done.code == 2, done
        assert "sesame" not in done.out + done.err
        assert "PGPASSWORD" in done.err
    files = [file for file in set(tmp_path.rglob("*")) - set(presets.iterdir()) if file.is_file()]
    assert [file for file in files if b"sesame" in file.read_bytes()] == []


# --- What the data are ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_databases_identity_is_its_rows_in_any_order(
    source: Any, identity_of: Any, kind: str
) -> None:
    def identity(rows: str, query: str = "FROM rows") -> str:
        from runner_plugins.dataset import sql

        sql._checksum.cache_clear()  # as another command would begin
        place = source(kind, rows)
        return identity_of(
            f"dataset.source={place}", f"dataset.query='{query}'", "dataset.label=y"
        )

    base = "SELECT i AS x, i / 3 AS y, {} AS z FROM range(50) AS r(i) ORDER BY {}"
    first = identity(base.format("'a'", "i"))
    assert identity(base.format("'a'", "-i")) == first
    assert identity(base.format("'a'", "i"), "  FROM\trows") == first
    seen = {
        first,
        identity(base.format("'b'", "i")),
        identity(base.format("NULL", "i")),
        identity(base.format("'a'", "i") + " LIMIT 49"),
        identity(base.format("'a'", "i"), "SELECT x, y FROM rows"),
    }
    assert len(seen) == 5


def test_a_sweep_scans_a_database_once(
    source: Any, identity_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (f"dataset.source={source('duckdb', ROWS)}", "dataset.label=price")
    first = identity_of(*words)
    monkeypatch.setattr(duckdb, "connect", pytest.fail)
    assert identity_of(*words) == first


def test_files_are_known_by_content_and_query(
    sources: Any, identity_of: Any, tmp_path: Path
) -> None:
    file = Path(sources("parquet", ROWS))
    moved = tmp_path / "elsewhere.parquet"
    moved.write_bytes(file.read_bytes())
    first = identity_of(f"dataset.source={file}", "dataset.label=price")
    assert identity_of(f"dataset.source={moved}", "dataset.label=price") == first
    query = "dataset.query='SELECT number, price FROM source'"
    assert identity_of(f"dataset.source={file}", query, "dataset.label=price") != first


def test_what_the_user_vouches_for_is_not_read(identity_of: Any, tmp_path: Path) -> None:
    words = (f"dataset.source={tmp_path}/none.parquet", "dataset.label=y")
    assert identity_of(*words, "dataset.identity=june") == "vouched:june"


def test_where_the_rows_lie_is_no_part_of_the_fingerprint(sources: Any, tmp_path: Path) -> None:
    def of(*overrides: str) -> str:
        return fingerprint(compose(["dataset=sql", "dataset.label=y", *overrides])[0], "the rows")

    first = of("dataset.source=postgres://me@here/db")
    assert of("dataset.source=postgres://you@there:5432/db") == first
    assert of(f"dataset.source={tmp_path}/rows.parquet") == first
    assert of("dataset.source=postgres://me@here/db", "dataset.query='FROM rows'") != first


def test_a_relative_source_counts_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = compose(["dataset=sql", "dataset.source=rows/*.csv", "dataset.label=y"])[0]
    assert config.one("dataset").params["source"] == str(tmp_path / "rows" / "*.csv")


def test_rows_in_another_order_are_the_same_data_in_the_same_order(make: Any, source: Any) -> None:
    given = {"query": "FROM rows", "label": "price", "features": ["number", "colour"]}
    one = make("dataset", "sql", source=source("postgres", f"{ROWS} ORDER BY price"), **given)
    other = make("dataset", "sql", source=source("postgres", f"{ROWS} ORDER BY -price"), **given)
    assert one.targets.tolist() == other.targets.tolist()
    assert one.features["colour"].tolist() == other.features["colour"].tolist()


# --- Larger than memory --------------------------------------------------------------------------

MANY = """
SELECT i AS number, sin(i) AS wave, (['red', 'blue', 'green'])[1 + i % 3] AS colour,
    i // 50 AS owner, DATE '2020-01-01' + (i * 7919 % 1000)::INT AS day, i % 4 AS kind
FROM range(3000) AS r(i)
"""
BY_NUMBER = {"features": ["number", "wave"], "label": "kind", "memory_rows": 0}


def blocks(part: Any, seed: int | None = None) -> list[tuple[Any, Any]]:
    assert isinstance(part, Stream)
    return list(part.read(None if seed is None else np.random.default_rng(seed)))


def numbers(part: Any, seed: int | None = None) -> list[int]:
    """The numbers of a part's rows, in the order in which they are read."""
    return [int(x) for features, _ in blocks(part, seed) for x in features[:, 0]]


def parts(splits: Any) -> list[set[int]]:
    assert isinstance(splits, Splits)
    return [set(numbers(part)) for part in (splits.train, splits.val, splits.test)]


@pytest.mark.many
@pytest.mark.parametrize("kind", KINDS)
def test_streamed_parts_are_disjoint_whole_and_the_same_from_every_source(
    make: Any, source: Any, kind: str
) -> None:
    query = f"SELECT number, wave, kind FROM {table_of(kind)}"
    splits = make("dataset", "sql", source=source(kind, MANY), query=query, **BY_NUMBER)
    found = parts(splits)
    assert sorted(x for part in found for x in part) == list(range(3000))
    assert [len(part) for part in found] == [splits.train.rows, splits.val.rows, splits.test.rows]
    # Fixed for ever: the parts of the first rows, by content.
    place = [next(i for i, part in enumerate(found) if number in part) for number in range(12)]
    assert place == FIRST
    for features, targets in blocks(splits.train):
        assert features.dtype == np.float32
        assert (targets == features[:, 0] % 4).all()


FIRST = [0, 0, 1, 2, 1, 0, 0, 0, 0, 2, 0, 1]


def test_rows_in_memory_and_streamed_divide_alike_by_content(make: Any, sources: Any) -> None:
    from runner.data.splitting import divide

    split = SplitPlan(val=0.2, test=0.1, seed=3, by="hash")
    file = sources("parquet", MANY)
    streamed = make("dataset", "sql", source=file, split=split, **BY_NUMBER)
    data = make("dataset", "sql", source=file, split=split, **BY_NUMBER | {"memory_rows": 9999})
    places = divide(data, split)
    assert parts(streamed) == [set(data.features[place, 0].astype(int)) for place in places]


def test_another_split_seed_divides_otherwise(make: Any, sources: Any) -> None:
    file = sources("parquet", MANY)
    one, other = (
        make("dataset", "sql", source=file, split=SplitPlan(0.2, 0.2, seed), **BY_NUMBER)
        for seed in (0, 1)
    )
    assert parts(one) != parts(other)


def test_groups_stay_together(make: Any, sources: Any) -> None:
    split = SplitPlan(val=0.2, test=0.2, seed=0, by="group:owner")
    splits = make("dataset", "sql", source=sources("parquet", MANY), split=split, **BY_NUMBER)
    owners = [{number // 50 for number in part} for part in parts(splits)]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 60


def test_the_latest_rows_are_the_test_part(make: Any, sources: Any) -> None:
    split = SplitPlan(val=0.2, test=0.1, seed=0, by="time:day")
    splits = make("dataset", "sql", source=sources("parquet", MANY), split=split, **BY_NUMBER)
    train, val, test = (sorted(n * 7919 % 1000 for n in part) for part in parts(splits))
    assert train[-1] < val[0] <= val[-1] < test[0]
    assert [splits.train.rows, splits.val.rows, splits.test.rows] == [2100, 600, 300]


def test_folds_validate_on_every_row_once(make: Any, sources: Any) -> None:
    file = sources("parquet", MANY)
    found = [
        parts(
            make(
                "dataset",
                "sql",
                source=file,
                split=SplitPlan(val=0.2, test=0.2, seed=0, folds=3, fold=fold),
                **BY_NUMBER,
            )
        )
        for fold in range(3)
    ]
    assert len({frozenset(test) for _, _, test in found}) == 1
    validated = sorted(x for _, val, _ in found for x in val)
    assert validated == sorted(set(range(3000)) - found[0][2])


def test_the_column_that_divides_is_no_feature(make: Any, sources: Any) -> None:
    split = SplitPlan(val=0.2, test=0.2, seed=0, by="group:owner")
    data = make("dataset", "sql", source=sources("parquet", MANY), split=split, label="kind")
    assert set(data.features) == {"number", "wave", "colour", "day"}
    assert set(data.columns) == {"owner"}


@pytest.mark.many
@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_an_epochs_order_of_blocks_is_drawn(make: Any, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"large.{kind}"
    rows = "SELECT i AS number, i % 2 AS kind FROM range(400000) AS r(i)"
    with duckdb.connect() as con:
        if kind == "parquet":
            con.execute(f"COPY ({rows}) TO '{file}' (ROW_GROUP_SIZE 10240)")
        else:
            con.execute(f"ATTACH '{file}' AS made; CREATE TABLE made.rows AS {rows}")
    query = {"parquet": None, "duckdb": "SELECT number, kind FROM rows WHERE number >= 100"}[kind]
    splits = make("dataset", "sql", source=str(file), query=query, label="kind", memory_rows=0)
    plain, one, again, other = (numbers(splits.train, seed) for seed in (None, 2, 2, 3))
    assert one == again
    assert len({tuple(order) for order in (plain, one, other)}) == 3
    assert plain == sorted(plain) == sorted(one) == sorted(other)


def test_a_query_over_the_whole_source_keeps_its_meaning(make: Any, sources: Any) -> None:
    query = (
        "SELECT owner AS number, count(*) AS rows, owner % 2 AS kind FROM source GROUP BY owner"
    )
    splits = make(
        "dataset",
        "sql",
        source=sources("parquet", MANY),
        query=query,
        label="kind",
        memory_rows=0,
    )
    assert sorted(x for part in parts(splits) for x in part) == list(range(60))


def test_a_sample_is_drawn_over_all_of_the_training_part(make: Any, sources: Any) -> None:
    rows = "SELECT i AS number, i % 2 AS kind FROM range(250000) AS r(i)"
    splits = make("dataset", "sql", source=sources("csv", rows), label="kind", memory_rows=0)
    features, targets = splits.train.sample
    assert 40_000 < len(features) == len(targets) <= 100_000
    assert abs(features.mean() - 125_000) < 1000
    assert set(features[:, 0].astype(int)) <= set(numbers(splits.train))


def test_a_source_that_changes_between_epochs_is_told(make: Any, sources: Any) -> None:
    file = sources("sqlite", "SELECT i AS x, i % 2 AS y FROM range(1000) AS r(i)")
    splits = make("dataset", "sql", source=file, label="y", memory_rows=0)
    blocks(splits.train)
    con = sqlite3.connect(file)
    con.execute("UPDATE rows SET x = x + 5000 WHERE x < 400")
    con.commit()
    with pytest.raises(DataError, match=r"has changed while the run trained: train has"):
        blocks(splits.train)
    con.execute("UPDATE rows SET y = 7")
    con.commit()
    con.close()
    with pytest.raises(DataError, match="a value that it did not have when the run began"):
        blocks(splits.train)


def test_rows_that_came_after_the_identity_was_taken_are_told(
    make: Any, sources: Any, identity_of: Any
) -> None:
    file = sources("sqlite", "SELECT i AS x, i % 2 AS y FROM range(10) AS r(i)", "growing")
    identity_of(f"dataset.source={file}", "dataset.label=y")
    con = sqlite3.connect(file)
    con.execute("INSERT INTO rows VALUES (77, 1)")
    con.commit()
    con.close()
    with pytest.raises(DataError, match="the query gave 10 rows, now it gives 11"):
        make("dataset", "sql", source=file, label="y")


@pytest.mark.slow
def test_a_million_rows_of_postgres_are_streamed(make: Any, source: Any) -> None:
    rows = "SELECT i AS number, random() AS noise, i % 2 AS kind FROM range(1000000) AS r(i)"
    splits = make(
        "dataset",
        "sql",
        source=source("postgres", rows),
        query="FROM rows",
        label="kind",
        memory_rows=999_999,
        identity="a million",
    )
    assert splits.train.rows + splits.val.rows + splits.test.rows == 1_000_000
    sizes = [len(targets) for _, targets in splits.train.read(np.random.default_rng(0))]
    assert sum(sizes) == splits.train.rows
    assert max(sizes) < 65_536


# --- A first look --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "postgres"])
def test_a_first_look_counts_every_column(make: Any, source: Any, kind: str) -> None:
    query = f"SELECT number, part, colour, price FROM {table_of(kind)}"
    given = PARAMS | {"source": source(kind, ROWS), "query": query, "label": "colour"}
    profile = make.registry.find("dataset", "sql").marks.profile(**given)
    assert (profile.rows, profile.query, profile.label) == (4, query, ("colour",))
    number, part, colour, _ = profile.columns
    assert (number.missing, number.distinct, number.min, number.max) == (0, 4, "1", "4")
    assert (number.mean, number.q50) == (2.5, pytest.approx(2.5, abs=0.5))
    assert (part.missing, part.min, part.max) == (1, "-1.5", "2.5")
    assert (colour.name, colour.type, colour.missing, colour.distinct) == (
        "colour",
        "VARCHAR",
        1,
        2,
    )
    assert make.registry.find("dataset", "sql").marks.profile(**given | {"summary": False}) is None


def test_what_seems_wrong_is_a_line_each(make: Any, sources: Any) -> None:
    rows = (
        "SELECT CASE WHEN i < 30 THEN NULL ELSE i END AS holes, 5 AS same, "
        "i = 7 AS y FROM range(100) AS r(i)"
    )
    given = PARAMS | {"source": sources("parquet", rows), "label": "y"}
    profile = make.registry.find("dataset", "sql").marks.profile(**given)
    assert list(complaints(profile)) == [
        "data: values are missing in holes (30 of 100)",
        "data: the same value in every row of same",
        "data: rare classes of y: true (1 of 100)",
    ]


@pytest.mark.slow
def test_a_run_tells_the_warehouse_of_its_data_once(
    train: Any, results: Path, sources: Any
) -> None:
    import warehouse

    words = (
        "dataset=sql",
        f"dataset.source={sources('parquet', MANY)}",
        "dataset.features=[number,wave]",
        "dataset.label=kind",
        "dataset.memory_rows=0",
        "preprocessing=[standardize]",
        "epochs=1",
    )
    outcomes = [train(*words, f"seed={seed}") for seed in (0, 1)]
    assert [outcome.status for outcome in outcomes] == ["finished", "finished"]
    with warehouse.connect(results) as con:
        assert con.execute("SELECT name, rows, run_id FROM datasets").fetchall() == [
            ("sql", 3000, outcomes[0].run_id)
        ]
        assert con.execute("SELECT count(*) FROM dataset_columns").fetchall() == [(6,)]
        identities = con.execute("SELECT DISTINCT data->>'identity' FROM runs").fetchall()
        assert identities == con.execute("SELECT identity FROM datasets").fetchall()
    remembered = json.loads((results / "data-profiles.json").read_text(encoding="utf-8"))
    assert len(remembered) == 1
