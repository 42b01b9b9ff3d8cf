"""`wait`: a sweep's end, seen from another process, and what it prints and exits with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.commands.table import run_command
from runner.errors import ConfigError, WarehouseError
from runner.journal.file import write_journal
from runner.journal.ids import new_run_id
from runner.journal.records import SearchBegun
from runner.journal.results import JOURNALS
from runner.sweep import manifest, waiting
from runner.sweep.cluster import queue
from runner.sweep.manifest import Manifest, Planned, RefusedJob, Submitted, standing
from runner.sweep.waiting import Watching
from tests.warehouse.conftest import House, ending, records
from warehouse.journals.read import CARE
from warehouse.place import this_host

SWEEP = new_run_id()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "results")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks come at once, and a part of a second is long."""
    monkeypatch.setattr(waiting, "LOOK_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(waiting, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(queue, "ASK_SECONDS", 0.0)


@contextmanager
def elsewhere(house: House, name: str = SWEEP) -> Iterator[Manifest]:
    """A manifest as another process of this machine writes it; it dies with the context."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_this_process", lambda: (this_host(), 1))
        written = Manifest(house.results, name)
    try:
        yield written
    finally:
        if written._journal is not None:
            written._journal.close()


def wait(house: House, *words: str) -> int:
    return run_command(["wait", *words, "--results", str(house.results)])


def trained(house: House, seed: int, run_id: str = "", **end: Any) -> str:
    """A run of the sweep, as its journal has it; of one seed all tries have one fingerprint."""
    run_id = run_id or new_run_id()
    start = {"sweep_id": SWEEP, "seed": seed, "fingerprint": f"f{seed}"}
    house.write(records(run_id, **start) + (ending(run_id, **end) if end else []), bool(end))
    return run_id


def planned(written: Manifest, seeds: Sequence[int]) -> list[str]:
    ids = [new_run_id() for _ in seeds]
    written.note(Planned(ids, [f"seed={seed}" for seed in seeds]))
    return ids


@pytest.mark.slow
def test_it_is_over_when_its_command_has_closed_it(house: House, capsys: Any) -> None:
    with elsewhere(house) as written:
        first, second = planned(written, [0, 1])
        trained(house, 0, first, status="finished")
        with Watching(house.results, SWEEP) as watching:
            progress = watching.look()
            assert (progress.words(), progress.over) == ("1 of 2 done", False)
            trained(house, 1, second, status="failed", error="ValueError: no")
            assert watching.look().words() == "2 of 2 done, 1 failed"
            written.note(RefusedJob("seed=2  no such thing"))
            written.close(1)
            assert watching.look().over
    assert wait(house, SWEEP[:20]) == 1
    said = capsys.readouterr().out
    assert "2 of 2 done, 1 failed" in said
    assert f"sweep     {SWEEP}: 1 failed, 1 finished, 1 refused" in said
    assert "refused   seed=2  no such thing" in said


@pytest.mark.slow
def test_of_a_search_it_says_how_to_ask_about_that(house: House, capsys: Any) -> None:
    begun = SearchBegun(
        entry_id=new_run_id(),
        search_id="feedc0de",
        sweep_id=SWEEP,
        begun_at="2026-11-29T12:00:00.000Z",
        sampler="tpe",
        objectives=(),
        space={},
        settings={},
    )
    write_journal(house.results / JOURNALS, f"{CARE}{begun.entry_id}", [begun])
    with elsewhere(house) as written:
        trained(house, 0, planned(written, [0])[0], status="finished")
        written.close(0)
    assert wait(house) == 0
    said = capsys.readouterr().out
    assert f"explain   python -m runner search explain feedc0de --results {house.results}" in said


@pytest.mark.slow
def test_one_whose_processes_are_gone_ends_and_names_what_is_missing(
    house: House, capsys: Any
) -> None:
    with elsewhere(house) as written:
        first, second, third = planned(written, [0, 1, 2])
        trained(house, 0, first, status="finished")
        trained(house, 1, second)  # killed
    assert wait(house) == 1
    said = capsys.readouterr().out
    assert "1 finished, 1 lost" in said
    assert "missing   1 never began, and nobody is left who would train them" in said
    assert f"missing   {third[-8:]}  seed=2" in said


@pytest.mark.slow
def test_of_the_tries_of_a_run_the_last_counts(house: House, capsys: Any) -> None:
    with elsewhere(house) as written:
        [first] = planned(written, [0])
        trained(house, 0, first)
        assert wait(house, SWEEP[-8:], "--timeout", "0.1") == 124
        assert "is over and the sweep is not: 1 of 1 done, 1 lost" in capsys.readouterr().err
        trained(house, 0, status="finished")
        written.close(None)
    assert wait(house) == 0
    said = capsys.readouterr().out
    assert "1 finished, 1 interrupted and tried again" in said
    assert "best      of 1 by val_loss" in said


@pytest.mark.slow
@pytest.mark.parametrize(("reason", "code"), [("user", 130), ("pruned", 0), ("max_seconds", 3)])
def test_its_exit_code_is_that_of_the_sweep(house: House, reason: str, code: int) -> None:
    with elsewhere(house) as written:
        [first] = planned(written, [0])
        trained(house, 0, first, status="stopped", reason=reason)
        written.close(None)
    assert wait(house) == code


def test_jobs_that_are_queued_still_are_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with elsewhere(house) as written:
        planned(written, [0])
        written.note(Submitted(queue.SLURM, ["7_0", "7_1"], str(tmp_path)))
        written.close(None)
    asked, answers = tmp_path / "asked", tmp_path / "squeue"
    with Watching(house.results, SWEEP) as watching:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert not watching.look().over  # nobody can be asked
        answers.write_text(f"#!/bin/sh\necho $* > {asked}\necho 7_0\n")
        answers.chmod(0o755)
        assert not watching.look().over
        assert asked.read_text().strip() == "--noheader --format=%i --jobs=7"
        answers.write_text("#!/bin/sh\necho slurm_load_jobs error: Unable to contact >&2\nexit 1")
        assert not watching.look().over
        answers.write_text("#!/bin/sh\necho slurm_load_jobs error: Invalid job id >&2\nexit 1")
        progress = watching.look()
        assert progress.over and list(progress.missing.values()) == ["seed=0"]


def test_a_process_that_has_the_number_of_a_job_is_not_that_job(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen([*words, str(tmp_path)]) as job, subprocess.Popen(words) as other:
        try:
            answers = [
                queue.Queue().has_any([Submitted(queue.LOCAL, [str(one.pid)], str(tmp_path))])
                for one in (job, other)
            ]
        finally:
            job.kill()
            other.kill()
    assert answers == [True, False]


def test_a_worker_elsewhere_that_beats_is_alive(house: House) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_this_process", lambda: ("another", 1))
        written = Manifest(house.results, f"{SWEEP}-part-0001-00")
    (house.results / "journals").mkdir()
    assert standing(house.results, SWEEP).driven
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "SILENCE", -1.0)
        assert not standing(house.results, SWEEP).driven
    written.close(None)
    assert not standing(house.results, SWEEP).driven


@pytest.mark.slow
def test_a_sweep_without_a_manifest_is_over_when_nothing_of_it_trains(house: House) -> None:
    trained(house, 0, status="finished")
    trained(house, 1)
    assert wait(house, SWEEP) == 1


@pytest.mark.slow
def test_what_is_no_sweep_is_one_sentence_with_those_that_are_near(house: House) -> None:
    with pytest.raises(ConfigError, match="no sweep has begun in"):
        wait(house)
    trained(house, 0, status="finished")
    near = SWEEP[-8:-1] + ("0" if SWEEP[-1] != "0" else "1")
    with pytest.raises(WarehouseError, match=rf"there is no sweep '{near}' \(near: {SWEEP[-8:]}"):
        wait(house, near)
    with pytest.raises(ConfigError, match="--timeout -1 is not valid"):
        wait(house, "--timeout", "-1")
