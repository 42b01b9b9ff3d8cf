"""The engine in one column and its reason in another; a run's own time beside its pack's."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

import warehouse
from runner.journal.records import EpochEnd, RunEnd, RunStart
from tests.runner.engines.test_packed import PLAIN, jobs_of, trained
from tests.warehouse.conftest import House, ending, records
from warehouse.place import Place
from warehouse.rebuild import rebuild
from warehouse.verify import verify

OLD = {
    "run-1": ("packed (300 runs from 01a1fd42-0000)", "packed", "300 runs from 01a1fd42-0000"),
    "run-2": (
        "keras (fast declines: the callback Counter (mine) acts on batches)",
        "keras",
        "fast declines: the callback Counter (mine) acts on batches",
    ),
    "run-3": ("fast", "fast", None),
    "run-4": ("mine.engines:Own", "mine.engines:Own", None),
}


@pytest.mark.slow
def test_what_stood_in_brackets_is_taken_apart_and_replays_of_old_journals_are_the_same(
    tmp_path: Path,
) -> None:
    house = House(tmp_path / "results")
    for run_id, (engine, _, _) in OLD.items():
        start, *epochs = records(run_id, 2)
        assert isinstance(start, RunStart)
        house.write([replace(start, engine=engine), *epochs, *ending(run_id, 2)])
    assert warehouse.sync(house.results).problems == []
    asked = "SELECT run_id, engine, engine_reason FROM runs ORDER BY run_id"
    expected = [(run_id, engine, reason) for run_id, (_, engine, reason) in OLD.items()]
    place = Place.of(house.results)
    for _ in range(2):
        with warehouse.connect(house.results) as con:
            assert con.execute(asked).fetchall() == expected
            assert con.execute(
                "SELECT count(*) FROM runs JOIN epochs USING (run_id) "
                "WHERE runs.seconds IS DISTINCT FROM runs.wall_seconds "
                "OR epochs.seconds IS DISTINCT FROM epochs.wall_seconds"
            ).fetchone() == (0,)
        with place.locked():
            assert verify(place) == []
            rebuild(place)


@pytest.mark.slow
def test_the_runs_of_a_pack_take_together_what_the_clock_says() -> None:
    trained(jobs_of((*PLAIN, "epochs=1"), "seed=0"), "fast")  # which loads TensorFlow
    jobs = jobs_of((*PLAIN, "epochs=6"), *(f"seed={seed}" for seed in range(12)))
    began = time.perf_counter()
    told = trained(jobs)
    passed = time.perf_counter() - began
    starts = [event for events in told for event in events if isinstance(event, RunStart)]
    assert {start.engine for start in starts} == {"packed"}
    assert {start.engine_reason for start in starts} == {"12 runs from run0"}
    ends = [event for events in told for event in events if isinstance(event, RunEnd)]
    epochs = [event for events in told for event in events if isinstance(event, EpochEnd)]
    assert 0.5 * passed < sum(end.seconds for end in ends) < 1.05 * passed
    assert sum(event.seconds for event in epochs) < passed
    for event in [*ends, *epochs]:
        assert event.wall_seconds is not None and event.seconds < event.wall_seconds <= passed
