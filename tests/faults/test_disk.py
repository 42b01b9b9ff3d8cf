"""A disk that fills up, a folder that turns read-only: what was acknowledged stays."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import House, until
from warehouse.place import Place
from warehouse.verify import verify


class Disk:
    """A small filesystem of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, left: int) -> None:
        """Leave so many bytes."""
        free = os.statvfs(self.folder)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)

    def empty(self) -> None:
        """Make space again."""
        self._ballast.unlink()


@pytest.fixture
def disk(house: House) -> Iterator[Disk]:
    """The results folder on a tmpfs of 16 MB, where the test may mount one."""
    house.results.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(house.results)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    yield Disk(house.results)
    subprocess.run(["umount", "--lazy", str(house.results)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [16384, 24576, 49152])
def test_a_disk_that_fills_up_fails_the_run_and_keeps_its_epochs(
    house: House, disk: Disk, left: int
) -> None:
    assert house.run("seed=1", "epochs=3").wait() == 0
    disk.fill(left)
    run = house.run("seed=2", "epochs=1000", "checkpoint=700")
    assert run.wait() == 1
    assert run.said.count("error:") == 1
    assert "No space left on device); what it holds so far is kept." in run.said
    assert "Traceback" not in run.said
    disk.empty()
    assert Counter(house.check().values()) in (
        {"finished": 1, "lost": 1},
        {"finished": 1, "failed": 1},
    )
    (second,) = [run for run in house.promised().values() if len(run.losses) > 3]
    assert len(second.losses) < 1000
    assert verify(Place.of(house.results)) == []


@pytest.mark.slow
def test_a_disk_that_is_full_stops_a_run_before_it_trains(house: House, disk: Disk) -> None:
    disk.fill(0)
    run = house.run("seed=1", "epochs=3")
    assert run.wait() == 2
    assert "cannot be written (No space left on device)" in run.said
    assert run.said.count("error:") == 1 and "Traceback" not in run.said
    assert house.promised() == {}
    disk.empty()
    assert house.check() == {}


@pytest.mark.slow
def test_weights_that_find_no_space_fail_the_run_and_leave_no_half_file(
    house: House, disk: Disk
) -> None:
    assert house.run("seed=1", "epochs=3").wait() == 0
    # Room for the journal, not for 16 kB of weights.
    disk.fill(16384)
    run = house.run("seed=2", "epochs=4")
    assert run.wait() == 1
    assert "OSError: [Errno 28] No space left on device" in run.said
    disk.empty()
    assert sorted(house.check().values()) == ["failed", "finished"]
    assert not list(house.results.rglob("*.tmp"))
    assert house.rows("SELECT epochs FROM runs WHERE status = 'failed'") == [(4,)]


@pytest.mark.slow
def test_a_disk_that_fills_up_in_a_sweep_is_no_end_of_it(house: House, disk: Disk) -> None:
    words = ["-m", "seed=1,2,3", "epochs=50"]
    sweep = house.start(*words, pause=0.05)
    until(lambda: house.epochs(5) > 0, "no fifth epoch:", lambda: sweep.said)
    disk.fill(0)
    assert sweep.wait() == 1, sweep.said
    assert "Traceback" not in sweep.said, sweep.said
    assert "what it holds so far is kept." in sweep.said
    disk.empty()
    assert Counter(house.check().values())["finished"] == 0
    # The same command, when there is space again.
    assert house.run(*words).wait() == 0
    assert Counter(house.check().values())["finished"] == 3


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_told_like_a_full_disk(house: House) -> None:
    assert house.run("seed=1", "epochs=3").wait() == 0
    run = house.run("seed=2", "epochs=1000", limit=100_000)
    assert run.wait() == 1
    assert "what it holds so far is kept." in run.said and "Traceback" not in run.said
    assert run.said.count("error:") == 1, run.said
    assert Counter(house.check().values())["finished"] == 1
    assert max(len(run.losses) for run in house.promised().values()) > 300


@pytest.mark.slow
def test_a_folder_that_turns_read_only_keeps_what_was_acknowledged(
    house: House, disk: Disk
) -> None:
    run = house.start("seed=1", "epochs=40", pause=0.02)
    run.until("\nepoch 5/")
    # Files that are open stay writable; no new ones, no renames.
    folder = str(house.results)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        code = run.wait()
    finally:
        subprocess.run(["umount", folder], check=True)
    print(run.said)
    assert code == 1
    assert "Read-only file system" in run.said
    assert house.check().popitem()[1] == "failed"
    assert verify(Place.of(house.results)) == []


def test_a_folder_that_cannot_be_written_stops_a_run_before_it_trains(house: House) -> None:
    house.results.mkdir()
    (house.results / "journals").write_text("a file where the folder should be")
    run = house.run("seed=1", "epochs=3")
    assert run.wait() == 2
    assert run.said.count("error:") == 1 and "Traceback" not in run.said
    assert "cannot be written" in run.said and "nothing was trained" in run.said
    assert house.promised() == {}
