"""Runs that are purged are gone for good, and nothing that another run needs goes with them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.journal.ids import new_run_id
from runner.journal.records import Artifact, Dataset, EvaluationAdded, SkippedRuns
from tests.warehouse.conftest import House, ending, records
from tests.warehouse.test_care import Ask, check_rebuild, tables
from warehouse.care import write
from warehouse.place import Place
from warehouse.purge import planned, purge


def trained(house: House, *contents: bytes, **start: Any) -> str:
    """A run that kept these weights."""
    run_id = new_run_id()
    kept = [house.weights(run_id, content) for content in contents]
    house.write([*records(run_id, **start), *kept, *ending(run_id)])
    return run_id


def picture(house: House, run_id: str, content: bytes) -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    uri = f"artifacts/{digest[:2]}/{digest}.svg"
    (house.results / uri).parent.mkdir(parents=True, exist_ok=True)
    (house.results / uri).write_bytes(content)
    return Artifact(run_id, "picture", uri, digest, len(content))


def stored(house: House) -> set[bytes]:
    """What the files of the store hold."""
    return {
        path.read_bytes()
        for folder in ("weights", "artifacts")
        for path in (house.results / folder).rglob("*")
        if path.is_file()
    }


def mentions(house: House, text: str) -> list[str]:
    """The files of the results folder in which a text can be read, compressed ones too."""
    import gzip

    found = []
    for path in house.journals.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            if text.encode() in content:
                found.append(path.name)
    return found


def looked(run_id: str, identity: str) -> Dataset:
    lists = ("min", "max", "mean", "std", "q25", "q50", "q75")
    return Dataset(
        run_id,
        identity,
        "table",
        "rows.csv",
        None,
        7,
        columns=["a", "b"],
        types=["DOUBLE", "VARCHAR"],
        missing=[0, 1],
        distinct_values=[3, None],
        **{name: [None, None] for name in lists},
    )


@pytest.mark.slow
def test_all_of_a_run_goes_and_does_not_come_back(house: House, rows: Ask) -> None:
    mine, other = trained(house, b"mine", b"shared"), trained(house, b"shared", b"theirs")
    with_picture = new_run_id()
    house.write(
        [*records(with_picture), picture(house, with_picture, b"<svg>"), *ending(with_picture)]
    )
    judged = EvaluationAdded(
        new_run_id(), mine, "2026-11-02T10:00:00+00:00", "h", "w", "its own data", {}
    )
    house.write([dataclasses.replace(judged)], finish=False).rename(
        house.journals / f"judgement-{judged.entry_id}.done.jsonl"
    )
    skip = SkippedRuns(new_run_id(), "s", "2026-11-02T10:00:00+00:00", [mine, other], ["x", "y"])
    write(Place(house.results), [skip])
    for words in (("tag", mine, "good"), ("note", mine, "a secret"), ("tag", other, "kept")):
        assert house.command(*words).returncode == 0
    before = tables(house)
    first = house.command("purge", mine, with_picture)
    assert first.returncode == 0 and first.stdout.splitlines()[-1].startswith(
        "to purge: 2 runs, 5 files, "
    )
    assert tables(house) == before  # a dry run
    done = house.command("purge", mine, with_picture, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("purged 2 runs, 5 files, ")
    assert stored(house) == {b"shared", b"theirs"}
    assert rows(house, "SELECT run_id FROM runs") == [(other,)]
    assert rows(house, "SELECT run_id, job FROM skipped_runs") == [(other, "y")]
    left = tables(house)
    assert not [name for name, content in left.items() if name != "care" and mine in repr(content)]
    assert {
        action
        for action, run_id in rows(house, "SELECT action, run_id FROM care")
        if run_id == mine
    } == {"purge"}
    assert mentions(house, "a secret") == []
    check_rebuild(house)
    assert tables(house) == left
    # Nor from another machine, or a copy of the archive.
    house.write([*records(mine), *ending(mine)])
    assert f"run {mine}" not in warehouse.sync(house.results).sentence()
    assert rows(house, "SELECT run_id FROM runs") == [(other,)]
    for words in (("show", mine), ("alias", "best", mine), ("purge", mine)):
        refused = house.command(*words)
        assert refused.returncode == 2 and f"run {mine[-8:]} was purged on" in refused.stderr


@pytest.mark.many
@pytest.mark.parametrize("after", [4, 1, 2, 3, 5, 6, 7])
@pytest.mark.slow
def test_killed_in_the_middle_it_is_done_by_the_same_command(
    house: House, rows: Ask, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    mine, other = trained(house, b"mine", b"more"), trained(house, b"theirs")
    assert house.command("tag", mine, "good").returncode == 0
    calls = 0

    def dying(name: str) -> Any:
        usual = getattr(warehouse.purge, name)

        def step(*words: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == after:
                raise KeyboardInterrupt
            return usual(*words)

        return step

    with monkeypatch.context() as patch:
        for name in ("_unlink", "_record", "_forget_care"):
            patch.setattr(warehouse.purge, name, dying(name))
        try:
            place = Place.of(house.results)
            with place.locked():
                purge(place, planned(place, [mine]))
        except KeyboardInterrupt:
            pass
    again = house.command("purge", mine, "--yes")
    assert again.returncode == 0 or "was purged on" in again.stderr
    assert rows(house, "SELECT run_id FROM runs") == [(other,)]
    assert stored(house) == {b"theirs"}
    check_rebuild(house)
    assert rows(house, "SELECT run_id FROM runs") == [(other,)]


@pytest.mark.slow
def test_weights_that_another_run_was_made_from_stay_until_that_goes(house: House) -> None:
    parent = trained(house, b"mother")
    digest = hashlib.sha256(b"mother").hexdigest()
    given = [{"param": "weights", "run_id": parent, "weights_id": None, "sha256": digest}]
    child = trained(house, b"child", parents=given)
    done = house.command("purge", parent, "--yes")
    assert f", which run {child[-8:]} was made from\n" in done.stdout
    assert stored(house) == {b"mother", b"child"}
    assert house.command("purge", child, "--yes").returncode == 0
    assert stored(house) == set()


@pytest.mark.slow
def test_what_was_said_of_data_is_said_by_the_next_run_on_them(house: House, rows: Ask) -> None:
    first, second, alone = (new_run_id() for _ in range(3))
    for run_id, identity in ((first, "d1"), (second, "d1"), (alone, "d2")):
        told = [looked(run_id, identity)] if run_id != second else []
        start = records(run_id, data={"identity": identity})
        house.write([*start, *told, *ending(run_id)])
    (house.results / "data-profiles.json").write_text("{}")
    warehouse.sync(house.results)
    columns = (
        "SELECT * EXCLUDE run_id FROM dataset_columns WHERE identity = 'd1' ORDER BY position"
    )
    before = rows(house, columns)
    assert house.command("purge", first, "--yes").returncode == 0
    assert rows(house, "SELECT identity, run_id FROM datasets ORDER BY ALL") == [
        ("d1", second),
        ("d2", alone),
    ]
    assert rows(house, columns) == before and len(before) == 2
    assert (house.results / "data-profiles.json").exists()
    check_rebuild(house)
    assert rows(house, columns) == before
    assert house.command("purge", second, alone, "--yes").returncode == 0
    assert rows(house, "FROM datasets") == []
    # The next run on them tells of them again.
    assert not (house.results / "data-profiles.json").exists()
    check_rebuild(house)


@pytest.mark.slow
def test_of_a_sweep_the_best_stay(house: House, rows: Ask) -> None:
    runs = [house.run(sweep_id="the-sweep", epochs=epochs) for epochs in (1, 5, 3)]
    lone = house.run()
    best = rows(house, "SELECT run_id FROM leaderboard WHERE sweep_id = 'the-sweep' ORDER BY rank")
    done = house.command("purge", "--sweep", "sweep", "--keep-best", "1", "--yes")
    assert done.stdout.startswith("purged 2 runs")
    assert set(rows(house, "SELECT run_id FROM runs")) == {best[0], (lone,)}
    assert best[0][0] in runs
    assert "no such run" in house.command("purge", "--older-than", "1000w").stdout
    assert house.command("purge", "--older-than", "0m", "--yes").returncode == 0
    assert rows(house, "FROM runs") == []


@pytest.mark.slow
def test_a_run_in_use_stays(house: House, rows: Ask) -> None:
    named, sweep = house.run(sweep_id="s1"), house.run(sweep_id="s1")
    assert house.command("alias", "production", named).returncode == 0
    refused = house.command("purge", named, "--yes")
    assert refused.returncode == 2 and "is @production: take the name away first" in refused.stderr
    done = house.command("purge", "--sweep", "s1", "--yes")
    assert f"left out: run {named[-8:]}, it is @production\n" in done.stdout
    assert rows(house, "SELECT run_id FROM runs") == [(named,)]
    # A name that went on to another run does not come back to one that is gone.
    newer = house.run()
    assert house.command("alias", "production", newer, "--move").returncode == 0
    assert house.command("purge", named, "--yes").returncode == 0
    back = house.command("alias", "production", "--rollback")
    assert back.returncode == 2 and f"run {named[-8:]} was purged on" in back.stderr
    assert sweep not in str(rows(house, "SELECT run_id FROM runs"))


@pytest.mark.slow
def test_a_run_that_trains_is_refused(house: House, tmp_path: Path) -> None:
    from runner.journal.file import Journal

    mine = trained(house, b"mine")
    going = new_run_id()
    with Journal(house.journals, going) as journal:
        for record in records(going, 1):
            journal.append(record)
        refused = house.command("purge", going, "--yes")
        assert refused.returncode == 2 and "is running, or its process may yet" in refused.stderr
        # It may be about to store the very same file.
        young = house.command("purge", mine, "--yes")
        assert young.returncode == 2 and "is younger than an hour" in young.stderr
        assert stored(house) == {b"mine"}
        journal.finish()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say which runs"),
        (["--keep-best", "3"], "needs --sweep"),
        (["--sweep", "s", "--keep-best", "-1"], "must lie between"),
        (["a", "--sweep", "s"], "not both"),
        (["--older-than", "30"], "give a number and m, h, d or w"),
        (["--older-than", "99999999w"], "is not valid"),
        (["nothing"], "there is no run 'nothing'"),
        (["--sweep", "nothing"], "there is no sweep 'nothing'"),
    ],
)
@pytest.mark.many
def test_words_that_make_no_sense_are_one_sentence(
    house: House, words: list[str], sentence: str
) -> None:
    house.run()
    done = house.command("purge", *words, "--yes")
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
