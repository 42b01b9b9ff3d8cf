"""Ended runs go into the warehouse while others train."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.journal.ids import new_run_id
from runner.sweep import background as intake
from runner.sweep.background import Intake
from tests.warehouse.conftest import House
from warehouse.journals.read import waiting
from warehouse.place import Place


def test_what_has_ended_is_taken_in_before_the_sweep_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "EVERY_SECONDS", 0.01)
    place = Place(tmp_path / "results")
    house = House(place.folder)
    with Intake() as taking:
        for _ in range(2):
            house.run(run_id=new_run_id())
            taking.add(place.folder)
            until = time.monotonic() + 30
            while waiting(place):
                assert time.monotonic() < until
                time.sleep(0.01)


def test_a_results_path_that_is_a_file_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "EVERY_SECONDS", 0.01)
    (tmp_path / "file").touch()
    place = Place(tmp_path / "results")
    with Intake() as taking:
        taking.add(tmp_path / "file")
        time.sleep(0.1)
        House(place.folder).run(run_id=new_run_id())
        taking.add(place.folder)
        until = time.monotonic() + 30
        while waiting(place):
            assert time.monotonic() < until
            time.sleep(0.01)
