"""The schema is the API: its columns, its comments, its migrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

import warehouse
from tests.warehouse.conftest import ROOT, House
from warehouse.database import Migration, known_migrations, migrate, sql_of
from warehouse.document import document

Ask = Callable[..., list[tuple[Any, ...]]]

CONTRACT = {
    "runs": "run_id sweep_id experiment status fingerprint seed engine device host started_at "
    "ended_at seconds epochs best_epoch overrides config git_commit git_dirty versions error",
    "params": "run_id name value number",
    "epochs": "run_id epoch loss val_loss learning_rate seconds",
    "metrics": "run_id epoch split name value",
    "run_metrics": "run_id split name first last min max best_epoch",
    "evaluations": "run_id split name value",
    "components": "run_id kind name distribution version",
    "weights": "weights_id run_id epoch role uri sha256 bytes format",
    "failures": "run_id error traceback last_finite_epoch",
}


@pytest.fixture
def blank() -> Any:
    """A migrated database in memory."""
    with duckdb.connect() as con:
        migrate(con)
        yield con


@pytest.mark.parametrize("table", CONTRACT)
@pytest.mark.many
def test_the_tables_begin_with_the_columns_that_were_promised(blank: Any, table: str) -> None:
    columns = [row[0] for row in blank.execute(f"DESCRIBE {table}").fetchall()]
    promised = CONTRACT[table].split()
    assert columns[: len(promised)] == promised


def test_every_table_view_macro_and_column_has_a_comment(blank: Any) -> None:
    bare = blank.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() "
        "WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT function_name FROM duckdb_functions() "
        "WHERE NOT internal AND comment IS NULL"
    ).fetchall()
    assert bare == []


def test_the_sql_guide_is_up_to_date() -> None:
    written = (ROOT / "docs" / "sql.md").read_text()
    assert written.strip() == document().strip(), "python -m warehouse.document > docs/sql.md"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, _ in sql_of("queries")])
def test_every_worked_question_runs_with_and_without_runs(house: House, name: str) -> None:
    query = dict(sql_of("queries"))[name]
    for _ in range(2):
        with warehouse.connect(house.results) as con:
            con.execute(query).fetchall()
        house.run()


def test_no_two_migrations_have_one_number() -> None:
    numbers = [step.number for step in known_migrations()]
    assert numbers == sorted(set(numbers)) and numbers[0] == 1


def test_an_old_warehouse_keeps_its_rows(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    newer = Migration(98, "098_more", "ALTER TABLE runs ADD COLUMN more VARCHAR DEFAULT 'x'")
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        for _ in range(2):
            migrate(con, [*known_migrations(), newer])
        assert con.execute("SELECT status, more FROM runs").fetchall() == [("finished", "x")]
        rows = con.execute("SELECT number FROM migrations ORDER BY number").fetchall()
        assert [n for (n,) in rows] == [0, *(step.number for step in known_migrations()), 98]


def test_a_migration_that_fails_leaves_nothing(blank: Any) -> None:
    broken = Migration(98, "098_broken", "CREATE TABLE extra (a INTEGER); SELECT nonsense")
    with pytest.raises(duckdb.Error):
        migrate(blank, [*known_migrations(), broken])
    newest = known_migrations()[-1].number
    assert blank.execute("SELECT max(number) FROM migrations").fetchall() == [(newest,)]
    assert blank.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'extra'"
    ).fetchall() == [(0,)]


def test_a_newer_warehouse_is_refused_and_journals_wait(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(
            "INSERT INTO migrations SELECT 99, '099_later', applied_at, NULL "
            "FROM migrations WHERE number = 1"
        )
    house.run()
    result = warehouse.sync(house.results)
    assert result.waiting == 1
    assert "written by a newer Sweephouse (schema 99, this one knows" in result.sentence()
    with pytest.raises(warehouse.WarehouseError, match="newer Sweephouse"):
        warehouse.connect(house.results)


def migrate_before(con: Any, number: int) -> None:
    """The schema as it was before this step, without views."""
    for step in known_migrations():
        if step.number < number:
            con.execute(step.sql)
            values = [step.number, step.name]
            con.execute("INSERT INTO migrations VALUES (?, ?, '2026-01-01', NULL)", values)


CARS = {
    "dataset.query": "null",
    "dataset.name": "csv",
    "dataset.path": "data/cars.csv",
    "dataset.label": "mpg",
}


def dataset_of(name: str) -> list[dict[str, str]]:
    return [{"kind": "dataset", "name": name, "distribution": "x", "version": "1"}]


def test_ranks_are_within_a_dataset(house: House, rows: Ask) -> None:
    iris = [house.run(components=dataset_of("iris")) for _ in range(2)]
    cars = [house.run(components=dataset_of("csv"), params=CARS) for _ in range(2)]
    house.run(components=dataset_of("csv"), params=CARS | {"dataset.label": "hp"})
    ranked = rows(house, "SELECT dataset, rank, run_id FROM leaderboard ORDER BY dataset, rank")
    assert [(dataset, rank) for dataset, rank, _ in ranked] == [
        ("csv(data/cars.csv, label=hp)", 1),
        ("csv(data/cars.csv, label=mpg)", 1),
        ("csv(data/cars.csv, label=mpg)", 2),
        ("iris", 1),
        ("iris", 2),
    ]
    assert {run_id for *_, run_id in ranked[1:3]} == {*cars}
    assert {run_id for *_, run_id in ranked[3:]} == {*iris}


def test_runs_from_before_have_their_dataset_too() -> None:
    with duckdb.connect() as con:
        migrate_before(con, 12)
        con.execute(
            "INSERT INTO runs (run_id, status) VALUES ('a', 'lost'), ('b', 'lost'), ('c', 'lost')"
        )
        con.execute(
            "INSERT INTO components (run_id, kind, name) VALUES ('a', 'dataset', 'csv'), "
            "('b', 'dataset', 'iris'), ('b', 'optimizer', 'adam')"
        )
        for name, value in CARS.items():
            con.execute("INSERT INTO params VALUES ('a', ?, ?, NULL)", [name, value])
        migrate(con)
        assert con.execute("SELECT run_id, dataset FROM runs ORDER BY run_id").fetchall() == [
            ("a", "csv(data/cars.csv, label=mpg)"),
            ("b", "iris"),
            ("c", None),
        ]


def test_compare_names_what_differs(house: House, rows: Ask) -> None:
    a = house.run(params={"lr": 0.1, "same": 1.0})
    b = house.run(epochs=4, params={"lr": 0.2, "same": 1.0, "extra": "x"})
    differences = rows(house, "SELECT what, name, value_a, value_b FROM compare($1, $2)", a, b)
    assert ("param", "lr", "0.1", "0.2") in differences
    assert ("param", "extra", None, "x") in differences
    assert ("outcome", "epochs", "3", "4") in differences
    assert not any(name == "same" for _, name, _, _ in differences)
    assert rows(house, "FROM compare($1, $1)", a) == []
