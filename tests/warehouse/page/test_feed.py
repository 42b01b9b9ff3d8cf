"""The feed: newest snapshot, what has changed since, and queries that are kept within bounds."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import WarehouseError
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from tests.warehouse.conftest import House, ending, records

pytest.importorskip("nicegui", reason="the extra `ui` is not installed")

from warehouse.page import curves, grid, importance, params, views
from warehouse.page.artifacts import content_of, path_of
from warehouse.page.curves import Wish
from warehouse.page.feed import Feed
from warehouse.page.sql_page import completions, worked
from warehouse.place import Place


@pytest.fixture
def feed(house: House) -> Feed:
    """A feed that has seen two runs."""
    house.run(epochs=3)
    house.run(epochs=4)
    feed = Feed(Place.of(house.results))
    feed.refresh()
    return feed


@pytest.mark.slow
def test_changes_are_counted_from_any_generation(feed: Feed, house: House) -> None:
    first = feed.run_ids
    assert len(first) == 2 and feed.generation == 1
    assert not feed.refresh()
    run_id = new_run_id()
    written = records(run_id, 2)
    with Journal(house.journals, run_id) as journal:
        for record in written:
            journal.append(record)
            assert feed.refresh()
        assert feed.changes(1).changed == {run_id}
        assert feed.changes(0).changed == {*first, run_id}
        journal.finish()
    gone = min(first)
    house.command("delete", gone)
    assert feed.refresh()
    assert feed.changes(1).removed == {gone}
    assert gone not in feed.run_ids


def test_a_question_keeps_its_snapshot_while_a_newer_one_comes(feed: Feed, house: House) -> None:
    with feed.cursor() as cursor:
        cursor.execute("SELECT run_id FROM runs")
        house.run()
        feed.refresh()
        assert len(cursor.fetchall()) == 2
    assert len(feed.run_ids) == 3


def test_rows_have_the_columns_that_were_chosen(feed: Feed) -> None:
    names = feed.ask("column_names").rows
    columns = grid.default_columns(names)
    rows = grid.rows(feed, columns)
    assert len(rows) == 2 and all(len(row) == len(columns) + 1 for row in rows)
    more = ["param:optimizer.learning_rate", "last:val accuracy", "evaluation:test accuracy"]
    [row] = grid.rows(feed, more, [rows[0][0]])
    assert row[1] == 0.001 and row[3] == 0.9
    assert not grid.known("param:") and not grid.known("nothing:x") and grid.known("param::x")


@pytest.mark.many
@pytest.mark.parametrize("x", ["epoch", "step", "time"])
@pytest.mark.parametrize("group", ["", "optimizer.learning_rate"])
def test_curves_are_lines_or_bands(feed: Feed, x: str, group: str) -> None:
    runs = sorted(feed.run_ids)
    wish = Wish(splits="both", x=x, log=True, smooth=0.5, group=group)
    options, hint = curves.options(feed, runs, wish)
    if x == "step":
        assert options["series"] == [] and "record_steps" in hint
    else:
        assert len(options["series"]) == (6 if group else 4)
        assert options["yAxis"]["type"] == "log"


@pytest.mark.slow
def test_a_curve_marks_its_best_epoch(feed: Feed) -> None:
    [run_id, _] = sorted(feed.run_ids)
    options, _ = curves.options(feed, [run_id], Wish())
    [series] = options["series"]
    [best] = series["markPoint"]["data"]
    assert best["coord"][1] == min(y for _, y in series["data"])


def test_params_stand_beside_an_outcome(feed: Feed) -> None:
    columns = ["param:optimizer.learning_rate", "param:architecture.name", "metric:val loss"]
    data = params.wide(feed, columns, None)
    assert len(data.rows) == 2
    chart = params.parallel(data)
    assert [axis["type"] for axis in chart.options["parallelAxis"]][1:] == ["category", "value"]
    assert all(row[2] == 0 for row in chart.numbers)
    assert params.scatter(data, columns[0], columns[2], columns[1])["series"]
    assert params.heat(data, columns[0], columns[1], columns[2])["series"][0]["data"]


@pytest.mark.slow
def test_what_mattered_is_said_with_what_it_rests_on(house: House) -> None:
    for number in range(12):
        params_of = {"architecture.width": float(8 * (1 + number % 2)), "seed": float(number)}
        run_id = new_run_id()
        start, *epochs = records(run_id, 2, sweep_id="sweep-one", params=params_of)
        loss = 1.0 + number % 2 + number / 100
        epochs = [replace(record, val_loss=loss) for record in epochs]
        house.write([start, *epochs, *ending(run_id, 2)])
    feed = Feed(Place.of(house.results))
    feed.refresh()
    options, hint = importance.options(feed, "sweep-one")
    names = options["yAxis"]["data"]
    assert names[0].startswith("architecture.width (best: 8") and "12 runs" in names[0]
    assert options["series"][0]["data"][0] > 0.9
    assert "explains alone" in hint
    options, hint = importance.options(feed, "no such sweep")
    assert options["series"] == [] and "Nothing to say yet" in hint


@pytest.mark.many
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "empty"),
        ("SELEC 1", "syntax"),
        ("COPY runs TO 'x.csv'", "only reads"),
        ("SET memory_limit='1GB'", "locked"),
        ("FROM read_text('/etc/passwd')", "only reads"),
        ("ATTACH 'x.duckdb'", "only reads"),
        ("DELETE FROM runs", "only reads"),
        ("CALL enable_logging()", "only reads"),
        ("FROM enable_logging()", "only reads|has been locked"),  # the latter by DuckDB 2
        ("PIVOT (FROM enable_profiling()) ON a USING any_value(b)", "only reads"),
    ],
)
def test_what_is_no_reading_is_refused(
    feed: Feed, query: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WarehouseError, match=words):
        feed.ask_freely(query, 10)
    assert [file for file in tmp_path.iterdir() if file.name != "results"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(10000000) a, range(10000000) b",
        "SELECT len(range(100000000))",  # worked out in one piece, while it is planned
    ],
)
def test_a_runaway_query_is_stopped(feed: Feed, query: str) -> None:
    begin = time.monotonic()
    with pytest.raises(WarehouseError, match=r"stopped after|memory"):
        feed.ask_freely(query, 10, 2.0)
    assert time.monotonic() - begin < 10
    assert feed.ask_freely("SELECT 1 AS one", 10).rows == [(1,)]


@pytest.mark.slow
def test_an_answer_is_cut_at_its_limit(feed: Feed) -> None:
    answer = feed.ask_freely("FROM range(50)", 10)
    assert len(answer.rows) == 10 and answer.is_cut
    assert answer.types == ["BIGINT"]


@pytest.mark.slow
def test_every_worked_query_can_be_asked(feed: Feed) -> None:
    for query in worked().values():
        feed.ask_freely(query, 10)


def test_completions_know_tables_and_their_comments(feed: Feed) -> None:
    words = {each["label"]: each for each in completions(feed)}
    assert "One training" in words["runs"]["info"]
    assert words["best_epoch"]["type"] == "property"
    assert words["compare"]["type"] == "function"


@pytest.mark.slow
def test_what_cannot_be_read_any_more_is_said_and_the_rest_stays(feed: Feed, house: House) -> None:
    house.command("sync")
    (house.results / "warehouse.duckdb").write_bytes(b"no database at all")
    house.run()
    assert feed.refresh()
    assert "no sound DuckDB file" in feed.problem
    assert len(feed.run_ids) == 2


@pytest.mark.slow
def test_a_warehouse_of_somebody_else_reads_and_writes_nothing(
    house: House, tmp_path: Path
) -> None:
    import duckdb

    secret, written = tmp_path / "secret.txt", tmp_path / "written"
    secret.write_text("not for you")
    run_id = house.run()
    house.command("sync")
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(f"CREATE VIEW secrets AS SELECT * FROM read_text('{secret}')")
        con.execute(f"CREATE MACRO leak() AS TABLE SELECT * FROM read_text('{secret}')")
        con.execute(f"CREATE VIEW logs AS FROM enable_logging(storage_path = '{written}')")
        con.execute("CREATE OR REPLACE VIEW tags AS SELECT 'x' AS run_id, 'y' AS tag, now() AS at")
    feed = Feed(Place.of(house.results))
    feed.refresh()
    assert feed.run_ids == {run_id}
    for query in ("FROM secrets", "FROM leak()", "FROM logs", "PIVOT logs ON a USING max(b)"):
        with pytest.raises(WarehouseError):
            feed.ask_freely(query, 10)
    assert completions(feed) and grid.rows(feed, ["tags"])[0][1] is None
    assert not written.exists()


def test_a_file_of_a_run_is_looked_for_in_the_results_folder_alone(
    feed: Feed, house: House, tmp_path: Path
) -> None:
    folder = house.results / "artifacts"
    folder.mkdir()
    (folder / "a.svg").write_text("<svg/>")
    (tmp_path / "outside.svg").write_text("<svg/>")
    (folder / "link.svg").symlink_to(tmp_path / "outside.svg")
    assert path_of(feed, "artifacts/a.svg") == folder / "a.svg"
    for uri in ("artifacts/link.svg", "../outside.svg", "/etc/passwd", "warehouse.duckdb", ""):
        assert path_of(feed, uri) is None
    assert content_of(folder / "a.svg") == b"<svg/>"
    assert content_of(folder / "a.svg", most=2) is None
    assert content_of(folder) is None


def test_views_that_nobody_here_saved_lead_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / views.FILE
    views.save(tmp_path, "mine", "/?q=a")
    views.save(tmp_path, "gone", "/?q=b")
    views.save(tmp_path, "gone", None)
    assert views.saved(tmp_path) == {"mine": "/?q=a"}
    for content in ('{"x": "https://elsewhere.example"}', '{"x": 1}', "[]", "{", "\xff"):
        file.write_text(content, encoding="latin-1")
        assert views.saved(tmp_path) == {}
    with pytest.raises(WarehouseError, match="cannot be saved"):
        views.save(tmp_path / "nowhere", "mine", "/?q=a")
