"""`push`: what a laptop has, into the team's lake; twice is once, and no clock is asked."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.journal import weights
from runner.journal.file import write_journal
from runner.journal.ids import new_run_id
from runner.journal.records import Artifact, Dataset, Evaluation, EvaluationAdded
from tests.buckets import BUCKET, buckets, without_rights
from tests.servers import postgres
from tests.warehouse.conftest import House, ending, records
from warehouse.lake.objects import name_of

pytest.importorskip("boto3", reason="files in S3 need boto3")
pytest.importorskip("duckdb_extension_ducklake", reason="a lake needs duckdb-extension-ducklake")
pytestmark = pytest.mark.slow
Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def catalog() -> Iterator[str]:
    with postgres() as uri:
        yield uri


@pytest.fixture(scope="module")
def lake(catalog: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a lake that many tests share: to make one takes seconds."""
    return f"{catalog}?data={tmp_path_factory.mktemp('lake')}"


@pytest.fixture(autouse=True)
def _in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far a push is, is not said."""
    monkeypatch.setattr("warehouse.commands.push.OFTEN", 1e9)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def laptop(folder: Path) -> House:
    return House(folder / "results")


def counted(ask: Rows, house: House, lake: str, run_id: str) -> dict[str, int]:
    """How much of a run is in the lake, by table."""
    tables = ("runs", "epochs", "weights", "evaluations", "judgements", "care")
    query = " UNION ALL ".join(
        f"SELECT '{name}', count(*) FROM {name} WHERE run_id = $1" for name in tables
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEPHOUSE_LAKE", lake)
        return dict(ask(house, query, run_id))


def lived_in(house: House) -> str:
    """A run with weights, a later evaluation, a tag, a note and an alias, all taken in."""
    run_id = new_run_id()
    kept = house.weights(run_id, b"the weights of " + run_id.encode())
    house.write([*records(run_id), kept, *ending(run_id)])
    assert house.command("sync").returncode == 0
    added = EvaluationAdded(
        entry_id=new_run_id(),
        run_id=run_id,
        entered_at="2026-11-02T10:00:00.000000+00:00",
        host="laptop",
        weights_id=kept.weights_id,
        source="its own data",
        data={},
    )
    later = Evaluation(run_id=run_id, split="test", metrics={"accuracy": 0.5})
    write_journal(house.journals, f"judgement-{added.entry_id}", [added, later])
    for words in (
        ("tag", run_id, "good"),
        ("note", run_id, "seen"),
        ("alias", "best", run_id, "--move"),
    ):
        assert house.command(*words).returncode == 0
    return run_id


def test_twice_is_once_and_so_is_the_same_run_from_two_laptops(
    lake: str, tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, hers = laptop(tmp_path / "mine"), laptop(tmp_path / "hers")
    shared = lived_in(mine)
    shutil.copytree(mine.results, hers.results)
    own = lived_in(hers)

    done = mine.command("--lake", lake, "push")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pushed 1 run, 1 file, 51 bytes, 4 journals beside runs to ")
    first = counted(rows, mine, lake, shared)
    assert (first["runs"], first["weights"], first["judgements"], first["care"]) == (1, 1, 1, 3)
    again = mine.command("--lake", lake, "push")
    assert again.stdout.startswith("pushed 0 runs, 0 files, 0 bytes (1 run was there) to ")

    done = hers.command("--lake", lake, "push")
    assert done.stdout.startswith(
        "pushed 1 run, 1 file, 51 bytes, 4 journals beside runs (1 run was there) to "
    )
    assert counted(rows, hers, lake, shared) == first
    assert counted(rows, hers, lake, own) == first

    # What each has said of them is what all see, on a third machine too.
    third = laptop(tmp_path / "third")
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake)
    assert rows(third, "SELECT run_id FROM tags WHERE tag = 'good' ORDER BY ALL") == [
        (shared,),
        (own,),
    ]
    assert rows(third, "SELECT alias, run_id FROM aliases") == [("best", own)]


def test_weights_come_back_by_need_on_another_machine(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warehouse

    mine, other = laptop(tmp_path / "mine"), laptop(tmp_path / "other")
    run_id = lived_in(mine)
    assert mine.command("--lake", lake, "push").returncode == 0
    shutil.rmtree(mine.results)
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake)
    with warehouse.connect(other.results) as con:
        (file,) = warehouse.weights_of(con, run_id, other.results)
    assert not file.path.exists()
    uri = str(file.path.relative_to(other.results))
    assert warehouse.fetch(uri, file.sha256, other.results) == file.path
    assert weights.read(other.results, uri, file.sha256) == (b"the weights of " + run_id.encode())
    stored = Path(lake.partition("?data=")[2]) / name_of(file.sha256)
    stored.unlink()
    assert warehouse.fetch(uri, file.sha256, other.results) == file.path
    shutil.rmtree(other.results)
    with pytest.raises(warehouse.WarehouseError, match=r"is neither in .* nor in the lake"):
        warehouse.fetch(uri, file.sha256, other.results)


def test_a_purge_and_a_gc_of_a_laptop_leave_the_lake_alone(
    lake: str, tmp_path: Path, rows: Rows
) -> None:
    mine = laptop(tmp_path / "mine")
    run_id = lived_in(mine)
    assert mine.command("--lake", lake, "push").returncode == 0
    assert mine.command("alias", "best", "--remove").returncode == 0
    assert mine.command("purge", run_id, "--yes").returncode == 0
    done = mine.command("--lake", lake, "push")
    assert (done.returncode, done.stderr) == (0, "")
    there = counted(rows, mine, lake, run_id)
    assert (there["runs"], there["weights"], there["judgements"]) == (1, 1, 1)


def test_files_that_no_run_names_any_more_are_tidied_away(catalog: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    lake = f"{catalog}?schema=tidied&data={data}"
    mine = laptop(tmp_path / "mine")
    gone, kept = lived_in(mine), lived_in(mine)
    assert mine.command("--lake", lake, "push").returncode == 0
    files = {run: data / name_of(sha(b"the weights of " + run.encode())) for run in (gone, kept)}
    then = time.time() - 2 * 86_400
    for file in files.values():
        os.utime(file, (then, then))
    assert mine.command("--lake", lake, "purge", gone, "--yes").returncode == 0
    done = mine.command("--lake", lake, "tidy")
    assert done.stdout.endswith("and 0 of weights and artifacts\n"), "an earlier state has it"
    done = mine.command("--lake", lake, "tidy", "--keep", "0")
    assert done.stdout.endswith("and 1 of weights and artifacts\n")
    assert [run for run, file in files.items() if file.exists()] == [kept]


def test_a_file_that_is_gone_is_said_and_its_row_left_out(
    lake: str, tmp_path: Path, rows: Rows
) -> None:
    mine = laptop(tmp_path / "mine")
    run_id = lived_in(mine)
    shutil.rmtree(mine.results / "weights")
    done = mine.command("--lake", lake, "push")
    assert done.returncode == 1
    assert done.stderr.startswith(f"run {run_id}: {mine.results}/weights/")
    assert done.stderr.endswith(
        "cannot be read (No such file or directory), so its record is left out of the lake\n"
    )
    there = counted(rows, mine, lake, run_id)
    assert (there["runs"], there["epochs"], there["weights"]) == (1, 3, 0)


def test_another_run_of_that_id_stays_out(lake: str, tmp_path: Path, rows: Rows) -> None:
    mine, hers = laptop(tmp_path / "mine"), laptop(tmp_path / "hers")
    run_id = mine.run()
    hers.run(epochs=5, run_id=run_id)
    for house in (mine, hers):
        assert house.command("sync").returncode == 0
    assert mine.command("--lake", lake, "push").returncode == 0
    done = hers.command("--lake", lake, "push")
    assert done.returncode == 1
    assert done.stderr == (f"run {run_id} is in the lake with other content; the first is kept\n")
    assert counted(rows, hers, lake, run_id)["epochs"] == 3


def test_clocks_an_hour_apart_change_neither_what_is_in_nor_who_has_the_last_word(
    catalog: str, tmp_path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both train on one dataset; her clock is an hour ahead."""
    now = datetime.now(UTC)

    def at(hours: int) -> str:
        return (now + timedelta(hours=hours)).isoformat(timespec="microseconds")

    mine, hers = laptop(tmp_path / "mine"), laptop(tmp_path / "hers")
    for house, hours in ((mine, 0), (hers, 1)):
        run_id = new_run_id()
        looked = Dataset(run_id, "the same data", "iris", None, None, 150, *[[]] * 11)
        start = records(run_id, started_at=at(hours), data={"identity": "the same data"})
        house.write([*start, looked, *ending(run_id)])
        assert house.command("sync").returncode == 0
    seen = []
    for name, order in (("first", (mine, hers)), ("second", (hers, mine))):
        lake = f"{catalog}?schema=clocks_{name}&data={tmp_path / name}"
        for house in order:
            assert house.command("--lake", lake, "push").returncode == 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SWEEPHOUSE_LAKE", lake)
            seen.append(
                rows(mine, "SELECT run_id, started_at FROM runs ORDER BY run_id")
                + rows(mine, "SELECT identity, run_id, first_seen FROM datasets")
                + rows(mine, "SELECT rank, run_id, best FROM leaderboard ORDER BY ALL")
            )
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5

    # What is said of a run on a machine that sees the lake is said after all that is in it.
    monkeypatch.setattr("warehouse.care.now", lambda: at(1))
    assert hers.command("--lake", lake, "tag", run_id, "doubtful").returncode == 0
    monkeypatch.setattr("warehouse.care.now", lambda: at(0))
    assert mine.command("--lake", lake, "tag", run_id, "doubtful", "--remove").returncode == 0
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake)
    assert rows(mine, "SELECT tag FROM tags") == []


def test_where_to_is_asked_and_a_bucket_without_rights_is_one_sentence(
    catalog: str, tmp_path: Path
) -> None:
    mine = laptop(tmp_path / "mine")
    done = mine.command("push")
    assert done.returncode == 2
    assert done.stderr.startswith("push where to? give --lake, or SWEEPHOUSE_LAKE: postgres://")
    run_id = new_run_id()
    kept = mine.weights(run_id, b"weights")
    picture = mine.results / "artifacts"
    stored = weights.store(mine.results, b"<svg/>", ".svg", picture.name)
    named = Artifact(run_id, "figure", stored.uri, stored.sha256, stored.bytes)
    mine.write([*records(run_id), kept, named, *ending(run_id)])
    with buckets() as address:
        lake = f"{catalog}?schema=bucket&data=s3://{BUCKET}/lake"
        with without_rights(address):
            # A run that ends: its journal waits.
            waits = mine.command("--lake", lake, "sync")
            assert waits.returncode == 1
            assert "1 journal waits: " in waits.stdout
            assert waits.stdout.count("\n") == 1
            assert (mine.journals / f"{run_id}.done.jsonl").exists()
            assert mine.command("sync").returncode == 0
            refused = mine.command("--lake", lake, "push")
            assert refused.returncode == 2
            assert refused.stderr.count("\n") == 1
            assert "s3:PutObject" in refused.stderr
        done = mine.command("--lake", lake, "push")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("pushed 1 run, 2 files, 13 bytes to ")
