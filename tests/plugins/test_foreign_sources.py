"""Files of data by whatever name, and databases from somebody else: what they are, and no more."""

from __future__ import annotations

import gc
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from runner import Database, DataError, RunnerError, find_source, load_extension, spill_folder
from runner.config.compose import compose
from runner.data.identity import data_identity
from runner.data.sources.rows import arrays_of, opened

HERE = "x,y\n1,0.5\n2,1.5\n"
ODD_NAMES = (
    "a*b",
    "a?b",
    "a[1]",
    "a[b",
    "~nobody",
    "it's",
    'a"b',
    "a b",
    "a#b",
    "a%20b",
    "a\nb",
    "a\\b",
    "k=v",
    "{a,b}",
    "é",
)


def write(file: Path, rows: str = "SELECT * FROM (VALUES (1, 0.5), (2, 1.5)) AS t(x, y)") -> Path:
    """The rows of a query as a file of the ending's kind, whatever it is called."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"plain{file.suffix}"
        duckdb.execute(f"COPY ({rows}) TO '{plain}'")
        shutil.copy(plain, file)
    return file


def features_of(make: Any, source: Path | str, **more: Any) -> Any:
    return make("dataset", "sql", source=str(source), label="y", **more).features


# --- Where a file lies ---------------------------------------------------------------------------


@pytest.mark.many
@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
@pytest.mark.parametrize("pattern", ["", "*"])
def test_a_folder_called_name_is_value_adds_no_column(
    make: Any, tmp_path: Path, ending: str, pattern: str
) -> None:
    plain = write(tmp_path / "plain" / f"rows.{ending}")
    for folder in ("day=2026-11-28", "y=7"):
        file = write(tmp_path / folder / f"rows.{ending}")
        source = file.parent / f"{pattern}{file.name}"
        data = make("dataset", "sql", source=str(source), label="y")
        assert data.features.tolist() == [[1.0], [2.0]]
        assert sorted(data.targets) == [0.5, 1.5]
        profile = make.registry.find("dataset", "sql").marks.profile(
            source=str(source), query=None, label="y", secret=None, summary=True
        )
        assert [column.name for column in profile.columns] == ["x", "y"]
        with opened(str(source), None) as table:
            assert list(table.types) == ["x", "y"]
        with pytest.raises(DataError, match="day"):
            make("dataset", "sql", source=str(source), label="day")
    assert features_of(make, plain).tolist() == [[1.0], [2.0]]


def test_ranges_of_parquet_files_in_such_a_folder_are_no_wider(make: Any, tmp_path: Path) -> None:
    rows = "SELECT i AS x, i % 7 / 7 AS y FROM range(40000) AS r(i)"
    file = write(tmp_path / "x=7" / "a[1].parquet", rows)
    splits = make("dataset", "sql", source=str(file), label="y", memory_rows=0)
    blocks = [block for block, _ in splits.train.read(np.random.default_rng(0))]
    assert {block.shape[1] for block in blocks} == {1}
    assert len(np.unique(np.concatenate(blocks))) == splits.train.rows > 20000


def test_equal_files_are_equal_data_wherever_they_lie(tmp_path: Path) -> None:
    def identity(file: Path) -> str:
        words = ["dataset=sql", f"dataset.source='{file}'", "dataset.label=y"]
        return data_identity(compose(words)[0].one("dataset"), pytest.fail, tmp_path / "results")

    assert identity(write(tmp_path / "a" / "rows.csv")) == identity(
        write(tmp_path / "y=1" / "b[2].csv")
    )


@pytest.mark.many
@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_existing_file_is_that_file_and_no_pattern(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    decoy = "SELECT 9 AS x, 9.5 AS y UNION ALL SELECT 8, 8.5"
    for near in ("aXb", "a1", "a"):
        write(tmp_path / f"{near}.csv", decoy)
    file = write(tmp_path / f"{name}.csv")
    inside = write(tmp_path / name / f"{name}.parquet")
    for source in (file, inside, file.name):
        if "\\" in name and any(sign in name for sign in "*?["):
            continue
        assert features_of(make, source).tolist() == [[1.0], [2.0]], source
        with opened(str(source), None) as table:
            assert table.rows == 2 and list(table.types) == ["x", "y"]


@pytest.mark.parametrize("source", ["a\0b.csv", "x" * 300 + ".csv", "~nobody/*.csv", "no[.csv"])
def test_a_name_that_no_file_can_have_is_one_sentence(make: Any, source: str) -> None:
    for read in (lambda: features_of(make, source), lambda: opened(source, None).__enter__()):
        with pytest.raises(RunnerError) as told:
            read()
        assert "\n" not in str(told.value)


def test_a_name_that_is_not_utf_8_is_one_sentence(make: Any, tmp_path: Path) -> None:
    for ending in ("csv", "duckdb"):
        file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff." + ending.encode()))
        file.write_text(HERE, encoding="utf-8")
        for read in (
            lambda file=file: features_of(make, file),
            lambda file=file: opened(str(file), None).__enter__(),
        ):
            with pytest.raises(DataError, match=r"b\\xff.* not UTF-8: rename it"):
                read()
    with pytest.raises(RunnerError, match="--query holds what is not UTF-8"):
        opened(str(write(tmp_path / "rows.csv")), "SELECT '\udcff'").__enter__()
    with pytest.raises(DataError, match=r"dataset\.query holds what is not UTF-8"):
        features_of(make, tmp_path / "rows.csv", query="SELECT '\udcff'")


@pytest.mark.parametrize(
    "kind", ["arrays", "binary", "csv", "image_folder", "series", "text", "tfrecord"]
)
def test_a_home_folder_of_nobody_is_one_sentence(make: Any, kind: str) -> None:
    more: dict[str, dict[str, Any]] = {
        "binary": {"shape": [1]},
        "csv": {"label": "y"},
        "series": {"target": "y"},
        "tfrecord": {"spec": {"x": {"dtype": "float32"}}, "label": "y"},
    }
    with pytest.raises(DataError, match=r"dataset\.path=~nobody-here/rows") as told:
        make("dataset", kind, path=Path("~nobody-here/rows"), **more.get(kind, {}))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["text", "image_folder", "binary_files"])
def test_a_folders_file_whose_name_is_not_utf_8_is_one_sentence(
    make: Any, tmp_path: Path, kind: str
) -> None:
    for folder in (b"cats", b"d\xffgs"):
        place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + folder))
        place.mkdir()
        for ending in (".txt", ".png", ".bin"):
            (place / f"one{ending}").write_bytes(b"four")
    path = tmp_path / "*" / "*.bin" if kind == "binary_files" else tmp_path
    with pytest.raises(DataError, match=r"d\\xffgs.* not UTF-8: rename it"):
        make("dataset", kind, path=path)


@pytest.mark.many
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY\x01\x00", b"junk"])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_that_are_torn_are_one_sentence(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    file = tmp_path / f"rows.{ending}"
    file.write_bytes(content)
    sentence = ""
    try:
        arrays_of(str(file))
    except DataError as error:
        sentence = str(error)
    assert re.fullmatch(r"--source \S+rows\.np. cannot be read: .+", sentence)
    # NumPy forgets to close what is no archive.
    gc.collect()


# --- Training and predicting ---------------------------------------------------------------------


@pytest.mark.slow
def test_new_rows_have_the_types_that_they_had_in_training(make: Any, tmp_path: Path) -> None:
    # DuckDB by itself would look at the first 20,480 rows only, and take the column for numbers.
    lines = [f"{i},{i % 2}" for i in range(30_000)]
    lines[25_000] = "unknown,1"
    file = tmp_path / "late.csv"
    file.write_text("x,y\n" + "\n".join(lines), encoding="utf-8")
    profile = make.registry.find("dataset", "sql").marks.profile(
        source=str(file), query=None, label="y", secret=None, summary=True
    )
    trained = {column.name: column.type for column in profile.columns}
    with opened(str(file), None) as table:
        assert dict(table.types) == trained == {"x": "VARCHAR", "y": "BIGINT"}
        [first, *_] = table.blocks(["x", "y"], ["x"])
        assert [column[1] for column in first] == ["1", 1.0]


@pytest.mark.parametrize("query", ["FROM sorce", "SELECT z FROM source", "SELECT 1; SELECT 2"])
def test_a_wrong_query_is_told_of_in_the_same_words(make: Any, tmp_path: Path, query: str) -> None:
    file = write(tmp_path / "rows.parquet")
    with pytest.raises(DataError) as training:
        features_of(make, file, query=query)
    with pytest.raises(DataError) as predicting:
        opened(str(file), query).__enter__()
    assert str(predicting.value) == str(training.value).replace("dataset.query", "--query")


# --- Databases from somebody else ----------------------------------------------------------------

BEYOND = {
    "a text": "FROM read_text('{secret}')",
    "a table": "FROM read_csv('{secret}')",
    "by its name": "FROM '{secret}'",
    "a list of files": "FROM glob('{secret}*')",
    "a log": "FROM enable_logging(storage='file', storage_path='{secret}.log')",
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret.csv"
    file.write_text("x,y\n7,hush\n", encoding="utf-8")
    return file


@pytest.fixture(params=BEYOND.values(), ids=BEYOND.keys())
def view(request: pytest.FixtureRequest, tmp_path: Path, secret: Path) -> Path:
    """A DuckDB file whose one table is a view that reaches beyond it."""
    file = tmp_path / "foreign.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute(f"CREATE VIEW v AS {request.param.format(secret=secret)}")
    secret.with_name("secret.csv.log").unlink(missing_ok=True)
    return file


def test_a_view_that_reads_other_files_is_one_sentence(make: Any, view: Path) -> None:
    for read in (
        lambda: features_of(make, view),
        lambda: opened(str(view), None).__enter__(),
        lambda: opened(str(view), "SELECT * FROM v").__enter__(),
    ):
        with pytest.raises(DataError, match="more than") as told:
            read()
        assert "\n" not in str(told.value) and "hush" not in str(told.value)
    assert not list(view.parent.glob("*.log"))


@pytest.mark.parametrize("query", BEYOND.values(), ids=BEYOND)
def test_a_query_reads_nothing_but_its_source(tmp_path: Path, secret: Path, query: str) -> None:
    for source in (write(tmp_path / "rows.parquet"), write(tmp_path / "rows.csv")):
        with pytest.raises(DataError, match="is read alone") as told:
            opened(str(source), query.format(secret=secret)).__enter__()
        assert "\n" not in str(told.value) and "hush" not in str(told.value)


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH '{file}' AS more",
        "COPY (SELECT 1) TO '{file}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_query_is_one_select(tmp_path: Path, query: str) -> None:
    beside = tmp_path / "made"
    with pytest.raises(RunnerError, match="exactly one SELECT"):
        opened(str(write(tmp_path / "rows.csv")), query.format(file=beside)).__enter__()
    assert not beside.exists()


@pytest.mark.parametrize("ending", ["duckdb", "db", "sqlite"])
def test_a_database_that_is_another_is_read_or_told_and_fetches_nothing(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for content in (b"SQLite format 3\0" + bytes(200), b"x,y\n1,2\n" * 40):
        file = tmp_path / f"lie.{ending}"
        file.write_bytes(content)
        for read in (
            lambda file=file: features_of(make, file),
            lambda file=file: opened(str(file), None).__enter__(),
        ):
            with pytest.raises(RunnerError) as told:
                read()
            assert "\n" not in str(told.value) and "INSTALL" not in str(told.value)


def test_a_sqlite_file_by_another_ending_is_a_sqlite_file(make: Any, tmp_path: Path) -> None:
    try:
        load_extension(duckdb.connect(), "sqlite")
    except DataError as error:
        pytest.skip(str(error))
    file = tmp_path / "rows.duckdb"
    with closing(sqlite3.connect(file)) as con:
        con.execute("PRAGMA journal_mode = wal")
        con.execute("CREATE TABLE t (x INTEGER, y REAL)")
        con.execute("INSERT INTO t VALUES (1, 0.5), (2, 1.5)")
        con.commit()
        with opened(str(file), None) as table:
            assert (table.rows, list(table.types)) == (2, ["x", "y"])
        assert features_of(make, file).tolist() == [[1.0], [2.0]]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_does_not_fit_into_memory_spills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "rows.parquet", "SELECT i AS x, i / 2 AS y FROM range(1000000) r(i)")
    large = "SELECT x, repeat('spill', 40) || x AS t FROM source ORDER BY hash(x)"
    monkeypatch.setattr("runner.data.sources.database.MEMORY", "128MB")
    with opened(str(file), large) as table:
        assert table.rows == 1_000_000
    with closing(Database(find_source(str(file)))) as database, database.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE sorted AS {large}")
        assert list(spill_folder().iterdir())
        assert cursor.execute("SELECT count(DISTINCT t) FROM sorted").fetchall() == [(1_000_000,)]


# --- A first look --------------------------------------------------------------------------------


def test_a_wide_table_is_looked_at_like_a_narrow_one(make: Any, tmp_path: Path) -> None:
    columns = ", ".join(f"i + {j} AS c{j}" for j in range(250))
    file = write(tmp_path / "wide.csv", f"SELECT {columns}, i % 2 AS y FROM range(5) r(i)")
    profile_of: Callable[..., Any] = make.registry.find("dataset", "csv").marks.profile
    given: dict[str, Any] = {"path": file, "label": "y", "delimiter": None}
    profile = profile_of(**given, summary=True)
    assert profile.rows == 5 and profile.classes == {"0": 3, "1": 2}
    assert [column.name for column in profile.columns] == [*(f"c{j}" for j in range(250)), "y"]
    assert [(c.min, c.max, c.mean) for c in profile.columns[::100]] == [
        (str(j), str(j + 4), j + 2) for j in (0, 100, 200)
    ]
    assert profile_of(**given, summary=False) is None


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing here may be fetched: what is missing would be waited for."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    yield
