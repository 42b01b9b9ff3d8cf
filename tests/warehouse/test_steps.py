"""Losses inside of epochs, from the journal to the table `steps`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import warehouse
from runner.journal.ids import new_run_id
from runner.journal.lines import to_line
from runner.journal.records import EpochEnd, Steps, SystemUsage
from tests.warehouse.conftest import House, ending, records
from warehouse.place import Place
from warehouse.rebuild import rebuild

Ask = Callable[..., list[tuple[Any, ...]]]
ALL = "SELECT epoch, step, loss FROM steps ORDER BY ALL"


@pytest.mark.slow
def test_every_step_becomes_a_row_and_a_rebuild_makes_the_same(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    said = [
        Steps(run_id, 1, [2, 3], [0.5, float("inf")]),
        Steps(run_id, 2, [2, 3], [0.25, 0.125]),
        Steps(run_id, 3, [2, 3], [0.5]),  # no engine says this: left out
    ]
    house.write([*records(run_id), *said, *ending(run_id)])
    assert warehouse.sync(house.results).problems == []
    found = rows(house, ALL)
    assert found == [(1, 2, 0.5), (1, 3, float("inf")), (2, 2, 0.25), (2, 3, 0.125)]
    rebuild(Place(house.results))
    assert rows(house, ALL) == found


@pytest.mark.slow
def test_a_torn_record_is_left_out_until_the_run_goes_on(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    path = house.write([*records(run_id), Steps(run_id, 1, [2], [0.5])], finish=False)
    whole, second = path.read_bytes(), to_line(Steps(run_id, 2, [2], [0.25]))
    path.write_bytes(whole + second[:-9])
    assert warehouse.sync(house.results).lost == [run_id]
    assert rows(house, ALL) == [(1, 2, 0.5)]
    done = path.with_name(f"{run_id}.done.jsonl")
    done.write_bytes(whole + second + b"".join(map(to_line, ending(run_id))))
    assert warehouse.sync(house.results).problems == []
    assert rows(house, ALL) == [(1, 2, 0.5), (2, 2, 0.25)]


def test_an_epochs_second_record_does_not_go_in(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    twice = [Steps(run_id, 1, [2], [loss]) for loss in (0.5, 0.25)]
    house.write([*records(run_id), *twice, *ending(run_id)])
    warehouse.sync(house.results)
    assert rows(house, ALL) == [(1, 2, 0.5)]


@pytest.mark.slow
def test_samples_of_the_system_become_rows_and_a_rebuild_makes_the_same(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    whole = ([1.0, 2.0], [4, 3], [0.5, 1.5], [100, 200], [None, 0.9], [300, 300], [None, 0.25])
    said = [
        SystemUsage(run_id, 1, *whole, [None, 7]),
        SystemUsage(run_id, 3, *whole, [None]),  # nobody says this: left out
    ]
    house.write([*records(run_id), *said, *ending(run_id)])
    assert warehouse.sync(house.results).problems == []
    found = rows(house, "SELECT * EXCLUDE (run_id) FROM system ORDER BY seconds")
    assert found == [
        (1.0, 4, 0.5, 100, None, 300, None, None),
        (2.0, 3, 1.5, 200, 0.9, 300, 0.25, 7),
    ]
    rebuild(Place(house.results))
    assert rows(house, "SELECT * EXCLUDE (run_id) FROM system ORDER BY seconds") == found


@pytest.mark.slow
def test_the_rows_a_second_of_a_pack_are_those_of_all_its_runs(house: House, rows: Ask) -> None:
    data = {"train": 1000}
    alone = house.run(1, data=data)
    limited = house.run(1, data=data, params={"limit_batches": 3.0, "batch_size": 32.0})
    unknown = house.run(1)
    start, epoch = records(packed := new_run_id(), 1, data=data)
    assert isinstance(epoch, EpochEnd)
    epoch = dataclasses.replace(epoch, seconds=0.5, wall_seconds=2.0)
    house.write([start, epoch, *ending(packed, 1)])
    warehouse.sync(house.results)
    found = rows(house, "SELECT run_id, rows, rows_per_second, own_rows_per_second FROM speed")
    assert {run: values for run, *values in found} == {
        alone: [1000, 2000.0, 2000.0],
        limited: [96, 192.0, 192.0],
        unknown: [None, None, None],
        packed: [1000, 2000.0, 500.0],
    }
