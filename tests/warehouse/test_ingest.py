"""Journals -> tables: everything once, nothing lost, nothing that stops a run."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id, now
from runner.journal.lines import to_line
from runner.journal.records import FORMAT_VERSION, EpochEnd, RunEnd
from tests.warehouse.conftest import House, ending, records
from warehouse.place import Place

Ask = Callable[..., list[tuple[Any, ...]]]


def test_an_ended_run_is_in_every_table(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    house.write(
        [*records(run_id, 3), house.weights(run_id, b"abc"), *ending(run_id, 3)],
    )
    result = warehouse.sync(house.results)
    assert (result.ingested, result.waiting, result.reason) == ([run_id], 0, None)
    assert result.sentence() == "1 run taken in"
    assert rows(
        house,
        "SELECT status, epochs, best_epoch, seconds, overrides, versions, config->>'$.epochs', "
        "started_at::VARCHAR, monitor FROM runs",
    ) == [
        (
            "finished",
            3,
            3,
            9.0,
            ["epochs=3"],
            {"keras": "3.15.0"},
            "3",
            "2026-11-01 10:00:00+00",
            "val_loss",
        )
    ]
    counts = {
        table: rows(house, f"SELECT count(*) FROM {table}")[0][0]
        for table in (
            "params",
            "epochs",
            "metrics",
            "run_metrics",
            "evaluations",
            "components",
            "weights",
            "failures",
        )
    }
    assert counts == {
        "params": 2,
        "epochs": 3,
        "metrics": 6,
        "run_metrics": 4,
        "evaluations": 2,
        "components": 1,
        "weights": 1,
        "failures": 0,
    }


def test_a_second_sync_finds_nothing_to_do(house: House, rows: Ask) -> None:
    house.run()
    warehouse.sync(house.results)
    assert warehouse.sync(house.results) == warehouse.SyncResult()
    assert rows(house, "SELECT count(*) FROM runs") == [(1,)]


@pytest.mark.file_only
def test_who_takes_in_may_look_at_once_and_spares_a_snapshot(house: House) -> None:
    seen: list[Any] = []

    def look(connection: Any) -> None:
        seen.append(connection.execute("SELECT run_id, rank FROM leaderboard").fetchall())

    house.run(run_id="run-1")
    with Journal(house.journals, "run-2") as journal:
        for record in records("run-2"):
            journal.append(record)
        assert warehouse.sync(house.results, then=look).ingested == ["run-1"]
        assert warehouse.sync(house.results, then=look).ingested == []
    assert seen == [[("run-1", 1)]] * 2, "what is in training is not seen"
    assert not (house.results / "snapshots").exists()
    with Place.of(house.results).locked():
        assert warehouse.sync(house.results, then=look).reason
    assert len(seen) == 2


def test_a_journal_left_behind_after_commit_is_archived_and_not_taken_in_twice(
    house: House, rows: Ask
) -> None:
    run_id = house.run()
    done = house.journals / f"{run_id}.done.jsonl"
    copy = done.read_bytes()
    warehouse.sync(house.results)
    done.write_bytes(copy)
    assert warehouse.sync(house.results).ingested == []
    assert not done.exists()
    assert rows(house, "SELECT count(*) FROM epochs") == [(3,)]
    assert gzip.decompress((house.journals / f"archive/{run_id}.jsonl.gz").read_bytes()) == copy


@pytest.mark.slow
def test_a_killed_process_leaves_a_lost_run_with_every_epoch_it_acknowledged(
    house: House, rows: Ask
) -> None:
    process = house.python(
        "import time\n"
        "from pathlib import Path\n"
        "from tests.warehouse.conftest import records\n"
        "from runner.journal.file import Journal\n"
        "journal = Journal(Path(results) / 'journals', 'run-1')\n"
        "for record in records('run-1', 1000):\n"
        "    journal.append(record)\n"
        "    print(epoch := getattr(record, 'epoch', 0), flush=True)\n"
        "    time.sleep(0.002 if epoch < 1000 else 600)\n"
    )
    assert process.stdout is not None
    last = 0
    for line in process.stdout:
        last = int(line)
        if last == 40:
            assert rows(house, "SELECT status FROM runs") == [("running",)]
            assert warehouse.sync(house.results).ingested == []
            process.send_signal(signal.SIGKILL)
    process.communicate()
    result = warehouse.sync(house.results)
    assert (result.ingested, result.lost) == (["run-1"], ["run-1"])
    ((status, epochs, best),) = rows(house, "SELECT status, epochs, best_epoch FROM runs")
    assert status == "lost" and last <= epochs <= last + 1 and best is not None
    ((there,),) = rows(house, "SELECT count(*) FROM epochs")
    assert there == epochs


def test_a_run_that_ended_and_was_killed_before_the_rename_keeps_its_status(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    house.write(records(run_id) + ending(run_id), finish=False)
    assert warehouse.sync(house.results).lost == []
    assert rows(house, "SELECT status FROM runs") == [("finished",)]


def test_a_failed_run_keeps_its_traceback_and_its_last_finite_epoch(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    written = records(run_id, 2)
    written.append(EpochEnd(run_id, 3, math.nan, math.inf, 0.001, 0.5))
    written.append(RunEnd(run_id, "failed", now(), 1.0, 3, 2, "loss is NaN", "Traceback ..."))
    house.write(written)
    warehouse.sync(house.results)
    assert rows(house, "SELECT * FROM failures") == [(run_id, "loss is NaN", "Traceback ...", 2)]
    ((loss, val_loss),) = rows(house, "SELECT loss, val_loss FROM epochs WHERE epoch = 3")
    assert math.isnan(loss) and val_loss == math.inf
    ((best, last),) = rows(
        house, "SELECT best_epoch, last FROM run_metrics WHERE name = 'loss' AND split = 'train'"
    )
    assert best == 2 and math.isnan(last)


GOOD = {
    "record": "epoch_end",
    "run_id": "RUN",
    "epoch": 9,
    "loss": 1.0,
    "val_loss": None,
    "learning_rate": 0.1,
    "seconds": 1.0,
    "metrics": {},
}


def line(**changes: Any) -> bytes:
    body = {k: v for k, v in (GOOD | changes).items() if v is not ...}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"not json", "no JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"\xff\xfe{}", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (line(record="epoch"), "unknown record kind 'epoch'"),
        (line(record=3), "unknown record kind 3"),
        (line(loss=...), "field 'loss' is missing"),
        (line(loss="low"), "field 'loss' has a wrong value: 'low'"),
        (line(epoch=1.5), "field 'epoch' has a wrong value: 1.5"),
        (line(epoch=True), "field 'epoch' has a wrong value: True"),
        (line(epoch=2**70), "field 'epoch' has a wrong value: 1180591620717411303424"),
        (line(epoch=0), "epochs count from 1"),
        (line(epoch=2), "the same epoch_end is there already"),
        (line(metrics={"val": {"f1": "x"}}), "field 'metrics' has a wrong value: "),
        (line(run_id="other"), "belongs to run other, not to this journal's"),
        (line(run_id="../x"), "field 'run_id' has a wrong value: '../x'"),
    ],
)
@pytest.mark.many
def test_a_bad_line_is_set_aside_by_number_and_everything_else_goes_in(
    house: House, rows: Ask, bad: bytes, reason: str
) -> None:
    run_id = new_run_id()
    path = house.write(records(run_id, 2) + ending(run_id, 2))
    lines = path.read_bytes().split(b"\n")
    lines.insert(3, bad.replace(b"RUN", run_id.encode()))
    path.write_bytes(b"\n".join(lines))
    result = warehouse.sync(house.results)
    assert result.ingested == [run_id]
    (problem,) = result.problems
    assert problem.startswith(f"{path.name} line 4: {reason}")
    report = (house.journals / "rejected" / f"{run_id}.lines.jsonl").read_text()
    assert json.loads(report)["line"] == 4
    assert rows(house, "SELECT status, epochs FROM runs") == [("finished", 2)]
    assert rows(house, "SELECT count(*) FROM epochs") == [(2,)]


def test_bare_nan_odd_text_and_a_torn_tail_do_no_harm(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    path = house.write(records(run_id, 1, experiment="naïve \u2028 'quoted'"), finish=False)
    with path.open("ab") as file:
        file.write(line(run_id=run_id, epoch=2, loss=math.nan, val_loss=-math.inf) + b"\n")
        odd = {"record": "evaluation", "run_id": run_id, "split": "test"}
        file.write(json.dumps(odd | {"metrics": {"a\ud800\0b": 1}}).encode() + b"\n")
        file.write(line(run_id=run_id, epoch=3)[:-9])
    result = warehouse.sync(house.results)
    assert (result.ingested, result.problems) == ([run_id], [])
    assert rows(house, "SELECT experiment FROM runs") == [("naïve \u2028 'quoted'",)]
    assert rows(house, "SELECT epoch, loss::VARCHAR, val_loss::VARCHAR FROM epochs")[1:] == [
        (2, "nan", "-inf")
    ]
    assert rows(house, "SELECT name FROM evaluations") == [("a?\ufffdb",)]


def test_a_line_torn_by_a_full_disk_in_the_middle_costs_only_itself(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    path = house.write(records(run_id, 1))
    torn = line(run_id=run_id, epoch=2)
    with path.open("ab") as file:
        file.write(torn[:20] + b"\n" + to_line(ending(run_id, 1)[1]))
    assert warehouse.sync(house.results).problems == [f"{path.name} line 3: no JSON"]
    assert rows(house, "SELECT status FROM runs") == [("finished",)]


def test_a_journal_of_a_newer_format_waits_where_it_is(house: House, rows: Ask) -> None:
    run_id, other = house.run(version=FORMAT_VERSION + 1), house.run()
    result = warehouse.sync(house.results)
    assert result.ingested == [other] and result.waiting == 1
    assert result.problems == [
        f"{run_id}.done.jsonl line 1: format version {FORMAT_VERSION + 1}, this program knows "
        f"{FORMAT_VERSION}: "
        "it waits for a newer Sweephouse"
    ]
    assert (house.journals / f"{run_id}.done.jsonl").exists()
    assert rows(house, "SELECT run_id FROM runs") == [(other,)]


def test_a_journal_without_a_start_is_set_aside_whole(house: House) -> None:
    run_id = new_run_id()
    house.write(ending(run_id))
    result = warehouse.sync(house.results)
    assert f"{run_id}.done.jsonl: it has no run_start, set aside" in result.problems
    assert (house.journals / "rejected" / f"{run_id}.done.jsonl").exists()
    assert warehouse.sync(house.results).problems == []


def test_of_two_journals_with_one_run_id_the_first_is_kept(house: House, rows: Ask) -> None:
    run_id = house.run(epochs=2)
    warehouse.sync(house.results)
    for _ in range(2):
        house.run(epochs=5, run_id=run_id)
        (problem,) = warehouse.sync(house.results).problems
        assert problem.endswith("is there already with other content; the first is kept")
    assert rows(house, "SELECT epochs FROM runs") == [(2,)]
    assert len(list((house.journals / "rejected").glob(f"{run_id}.done*"))) == 2


def test_a_lost_run_that_went_on_is_replaced_whole(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    house.write([*records(run_id, 2), house.weights(run_id, b"early")], finish=False)
    assert warehouse.sync(house.results).lost == [run_id]
    house.write(records(run_id, 6) + ending(run_id, 6))
    assert warehouse.sync(house.results).ingested == [run_id]
    assert rows(house, "SELECT status, epochs FROM runs") == [("finished", 6)]
    assert rows(house, "SELECT count(*), count(DISTINCT epoch) FROM epochs") == [(6, 6)]
    assert rows(house, "SELECT count(*) FROM weights") == [(0,)]


@pytest.mark.slow
def test_two_journals_of_one_run_at_once_go_in_one_after_the_other(
    house: House, rows: Ask
) -> None:
    run_id = house.run(epochs=4)
    house.write(records(run_id, 2), finish=False)
    assert rows(house, "SELECT count(*), any_value(status) FROM runs") == [(1, "finished")]
    first = warehouse.sync(house.results)
    assert (first.ingested, first.waiting, first.problems) == ([run_id], 1, [])
    assert "is there already" in warehouse.sync(house.results).problems[0]
    assert rows(house, "SELECT count(*) FROM epochs") == [(4,)]


@pytest.mark.slow
def test_another_machines_run_is_lost_only_when_its_heart_is_silent(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    with Journal(house.journals, run_id) as journal:
        for record in records(run_id, 2, host="elsewhere"):
            journal.append(record)
        assert warehouse.sync(house.results).ingested == []
        assert rows(house, "SELECT status FROM runs") == [("running",)]
        past = time.time() - 100
        os.utime(journal.path, (past, past))
        assert warehouse.sync(house.results).lost == [run_id]
        assert warehouse.sync(house.results).ingested == []
        assert rows(house, "SELECT status, epochs FROM runs") == [("lost", 2)]
        # It was only suspended: its journal is still there to be written.
        for record in [*records(run_id, 3)[3:], *ending(run_id, 3)]:
            journal.append(record)
        assert rows(house, "SELECT status, epochs FROM runs") == [("finished", 3)]
        journal.finish()
    assert warehouse.sync(house.results).ingested == [run_id]
    assert rows(house, "SELECT status, epochs FROM runs") == [("finished", 3)]
    assert rows(house, "SELECT count(*) FROM epochs") == [(3,)]


def test_only_the_host_named_in_the_folder_ingests(house: House, rows: Ask) -> None:
    house.run()
    (house.results / "ingest-host").write_text("elsewhere\n")
    result = warehouse.sync(house.results)
    assert result.waiting == 1 and "the machine elsewhere ingests" in result.sentence()
    assert rows(house, "SELECT status FROM runs") == [("finished",)]
    (house.results / "ingest-host").unlink()
    assert len(warehouse.sync(house.results).ingested) == 1


def test_best_epoch_follows_the_monitor(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    written = records(run_id, 0, monitor="val_lift", mode="max")
    for epoch, lift in enumerate((1.0, 3.0, 3.0, 2.0), 1):
        written.append(
            EpochEnd(run_id, epoch, 1.0, 1.0, 0.1, 1.0, {"val": {"lift": lift, "loss": 1.0}})
        )
    house.write(written, finish=False)
    warehouse.sync(house.results)
    assert rows(house, "SELECT best_epoch FROM runs") == [(2,)]
    assert rows(house, "SELECT best, best_epoch FROM leaderboard") == [(3.0, 2)]
    assert rows(house, "SELECT name, split FROM run_metrics ORDER BY ALL") == [
        ("lift", "val"),
        ("loss", "train"),
        ("loss", "val"),
    ]


def test_runs_say_which_end_is_better_and_of_older_ones_the_name_decides(
    house: House, rows: Ask
) -> None:
    given = {"pearson_correlation": "max", "auc": "min"}
    for modes, expected in (({}, ("max", "min")), (given, ("min", "max"))):
        run_id = new_run_id()
        lines = records(run_id, 0, modes=modes)
        for epoch in (1, 2):
            metrics = {"val": dict.fromkeys(given, float(epoch))}
            lines.append(EpochEnd(run_id, epoch, 1.0, 1.0, 0.1, 1.0, metrics))
        house.write(lines + ending(run_id, 2))
        warehouse.sync(house.results)
        ask = "SELECT mode, best_epoch FROM run_metrics WHERE run_id = $1 AND name <> 'loss'"
        best = {"min": 1, "max": 2}
        values = rows(house, f"{ask} ORDER BY name", run_id)
        assert values == [(mode, best[mode]) for mode in expected]


def test_a_journal_from_before_directions_were_said_is_read(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    path = house.write(records(run_id) + ending(run_id))
    start, *others = path.read_text().splitlines(keepends=True)
    fields = json.loads(start)
    del fields["modes"]
    path.write_text("".join([json.dumps(fields) + "\n", *others]))
    warehouse.sync(house.results)
    values = rows(house, "SELECT DISTINCT name, mode FROM run_metrics ORDER BY ALL")
    assert values == [("accuracy", "max"), ("loss", "min")]


def hold(house: House, read_only: bool) -> Any:
    """Another process that has the database open."""
    process = house.python(
        "import duckdb\n"
        f"con = duckdb.connect(results + '/warehouse.duckdb', read_only={read_only})\n"
        "print('open', flush=True)\n"
        "input()\n"
    )
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    return process


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.many
@pytest.mark.file_only
def test_journals_wait_while_another_process_holds_the_database(
    house: House, rows: Ask, read_only: bool
) -> None:
    house.run()
    warehouse.sync(house.results)
    holder = hold(house, read_only)
    second = house.run()
    result = warehouse.sync(house.results)
    assert result.waiting == 1
    assert f"another process (PID {holder.pid}) holds" in result.sentence()
    assert ("finished",) in rows(house, "SELECT status FROM runs WHERE run_id = $1", second)
    holder.communicate("\n")
    assert warehouse.sync(house.results).ingested == [second]


def test_journals_wait_while_another_ingest_is_at_work(house: House) -> None:
    house.run()
    process = house.python(
        "from warehouse.place import Place\n"
        "with Place.of(results).locked():\n"
        "    print('locked', flush=True)\n"
        "    input()\n"
    )
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    result = warehouse.sync(house.results)
    assert result.waiting == 1 and "another process is at work" in result.sentence()
    process.communicate("\n")
    assert len(warehouse.sync(house.results).ingested) == 1


def directory(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("hello " * 1000)


def empty(path: Path) -> None:
    path.touch()


def foreign(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE mine (a INTEGER)")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (directory, "is a directory, not a database"),
        (text, "is no sound DuckDB file"),
        (empty, "is no sound DuckDB file"),
        (foreign, "no Sweephouse warehouse"),
    ],
)
@pytest.mark.file_only
def test_a_file_that_is_no_warehouse_makes_journals_wait_and_readers_say_why(
    house: House, damage: Callable[[Path], None], sentence: str
) -> None:
    run_id = house.run()
    damage(house.results / "warehouse.duckdb")
    result = warehouse.sync(house.results)
    assert result.waiting == 1 and sentence in result.sentence()
    with pytest.raises(warehouse.WarehouseError, match=sentence):
        warehouse.connect(house.results)
    assert (house.journals / f"{run_id}.done.jsonl").exists()


def test_a_results_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(warehouse.WarehouseError, match="is a file, not a results folder"):
        warehouse.sync(tmp_path / "results")


def test_a_folder_that_cannot_be_written_makes_journals_wait(house: House) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    house.run()
    house.results.chmod(0o555)
    try:
        result = warehouse.sync(house.results)
    finally:
        house.results.chmod(0o755)
    assert result.waiting == 1 and "cannot be written" in result.sentence()


@pytest.mark.many
@pytest.mark.parametrize("limit", [0, 20_000, 300_000, 600_000, 1_000_000])
@pytest.mark.slow
@pytest.mark.file_only
def test_a_full_disk_makes_journals_wait_and_costs_nothing(
    house: House, rows: Ask, limit: int
) -> None:
    first = house.run()
    warehouse.sync(house.results)
    many = [house.run(epochs=30) for _ in range(60)]
    process = house.python(
        "import resource, warehouse\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "print(warehouse.sync(results).sentence())\n"
    )
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "") and out
    warehouse.sync(house.results)
    expected = {first, *many}
    assert {run_id for (run_id,) in rows(house, "SELECT run_id FROM runs")} == expected
    assert rows(house, "SELECT count(*) FROM epochs") == [(3 + 60 * 30,)]
    assert house.command("verify").stdout == "all is well\n"


def test_a_journal_that_vanishes_under_the_reader_is_no_error(house: House) -> None:
    run_id = house.run()
    shutil.rmtree(house.journals)
    assert warehouse.sync(house.results).ingested == []
    assert run_id
