"""A disk without space, and a folder that is not ours to write into, under every command."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner.system.temporary
import warehouse
from tests.warehouse.conftest import House
from warehouse import garbage
from warehouse.place import Place

COMMANDS = ("sync", "runs", "verify", "rebuild", "gc --yes", "show RUN", "tag RUN x", "curves RUN")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 16 MB, where the test may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int = 0) -> None:
    """Leave so many bytes."""
    free = os.statvfs(disk)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)


def check_commands(house: House, run_id: str) -> None:
    """Each ends in a sentence at most."""
    for command in COMMANDS:
        done = house.command(*command.replace("RUN", run_id).split())
        assert done.returncode in (0, 1, 2), (command, done)
        assert done.stderr.count("\n") < 2 and "[Errno" not in done.stdout + done.stderr, done


@pytest.mark.many
@pytest.mark.parametrize("left", [0, 200_000, 4_500_000])
@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.slow
def test_readers_read_what_is_there_where_results_are_full(
    disk: Path, left: int, is_new: bool
) -> None:
    house = House(disk / "results")
    run_id = house.run()
    if not is_new:
        assert warehouse.sync(house.results).ingested == [run_id]
        house.run(50)
    fill(disk, left)
    check_commands(house, run_id)
    done = house.command("show", run_id)
    assert done.returncode == 0 and run_id in done.stdout, done
    (disk / "ballast").unlink()
    assert not warehouse.sync(house.results).reason
    assert house.command("verify").stdout == "all is well\n"


@pytest.mark.slow
def test_a_temporary_folder_without_space_is_one_sentence(
    disk: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    house.run(50)
    fill(disk)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(runner.system.temporary, "private_folder", lambda: disk)
    check_commands(house, run_id)
    done = house.command("verify")
    assert done.returncode == 2 and "cannot be written (No space left on device)" in done.stderr
    monkeypatch.undo()
    assert house.command("verify").stdout == "all is well\n"


@pytest.mark.slow
def test_what_another_user_owns_is_one_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = house.run()
    warehouse.sync(house.results)

    def refuse(place: Place) -> float:
        raise PermissionError(13, "Permission denied", str(place.journals / ".clock"))

    monkeypatch.setattr(Place, "now", refuse)
    check_commands(house, run_id)
    done = house.command("gc")
    assert done.returncode == 2 and "so nothing can be removed" in done.stderr


def test_weights_that_may_not_be_removed_are_one_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = house.run()
    stored = house.results / "weights" / "ab" / f"{'ab' * 32}.safetensors"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"x")
    os.utime(stored, (1, 1))

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(warehouse.WarehouseError, match="cannot be removed"):
        garbage.collect(Place.of(house.results), garbage.Garbage([stored], {run_id}, 1, 1))


def test_journals_alone_that_cannot_be_locked_are_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = house.run()
    plain = os.open

    def refuse(path: str | Path, flags: int, *more: int, **others: int) -> int:
        if str(path).endswith("warehouse.lock") and flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", path)
        return plain(path, flags, *more, **others)

    monkeypatch.setattr(os, "open", refuse)
    assert house.command("show", run_id).returncode == 0
    assert "cannot be written" in (warehouse.sync(house.results).reason or "")
