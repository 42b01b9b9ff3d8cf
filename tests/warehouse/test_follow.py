"""A copy that follows runs while they train."""

from __future__ import annotations

import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.lines import to_line
from tests.warehouse.conftest import House, ending, records
from warehouse.follow import Follower
from warehouse.place import Place

EPOCHS = "SELECT r.run_id, r.status, (SELECT count(*) FROM epochs AS e WHERE e.run_id = r.run_id)"


def state(follower: Follower) -> set[tuple[str, str, int]]:
    """Run, status and epochs, as it shows them."""
    return set(follower.con.cursor().execute(f"{EPOCHS} FROM runs AS r").fetchall())


@pytest.mark.slow
def test_it_shows_what_a_snapshot_shows_while_runs_come_grow_and_end(house: House) -> None:
    first = house.run(epochs=2)
    warehouse.sync(house.results)
    follower, run_id = Follower(Place.of(house.results)), new_run_id()
    con = follower.con
    assert follower.catch_up() == set()
    assert state(follower) == {(first, "finished", 2)}
    written = records(run_id, 3)
    with Journal(house.journals, run_id) as journal:
        for epoch, record in enumerate(written):
            journal.append(record)
            assert follower.catch_up() == {run_id}
            assert state(follower) == {(first, "finished", 2), (run_id, "running", epoch)}
        with warehouse.connect(house.results) as snapshot:  # and it removes older ones
            assert set(snapshot.execute(f"{EPOCHS} FROM runs AS r").fetchall()) == state(follower)
        for record in ending(run_id):
            journal.append(record)
        journal.finish()
    assert follower.catch_up() == {run_id}
    assert state(follower) == {(first, "finished", 2), (run_id, "finished", 3)}
    assert follower.con is con
    warehouse.sync(house.results)
    assert follower.catch_up() is None, "the database is another one"
    cursor = follower.con.cursor()
    follower.close()
    assert cursor.execute("SELECT count(*) FROM runs").fetchone() == (2,)


@pytest.mark.slow
def test_a_run_that_is_given_up_or_tagged_takes_a_new_copy(house: House) -> None:
    run_id = new_run_id()
    with Journal(house.journals, run_id) as journal:
        for record in records(run_id):
            journal.append(record)
        follower = Follower(Place.of(house.results))
    assert follower.catch_up() is None, "nobody holds the journal any more"
    follower.close()
    follower = Follower(Place.of(house.results))
    assert state(follower) == {(run_id, "lost", 3)}
    path = house.journals / f"{run_id}.jsonl"
    path.write_bytes(path.read_bytes() + b"".join(map(to_line, ending(run_id))))
    path.rename(path.with_name(f"{run_id}.done.jsonl"))
    assert follower.catch_up() is None
    follower.close()


@pytest.mark.slow
def test_its_folder_stays_while_it_is_used_and_goes_with_the_next_snapshot(house: House) -> None:
    house.run()
    follower = Follower(Place.of(house.results))
    with warehouse.connect(house.results):
        assert len(list((house.results / "snapshots").iterdir())) == 2
    follower._hold.release()  # as when the process is killed
    house.run()
    with warehouse.connect(house.results):
        assert len(list((house.results / "snapshots").iterdir())) == 1
    follower.close()
