"""Odd places to stand in, odd streams, odd names: one sentence or a run, never a traceback."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import JournalError
from runner.journal.file import Journal
from runner.journal.ids import now
from runner.journal.records import Care
from tests.faults.conftest import House
from tests.faults.nursery import STEADY, environment

RUN = shlex.join([sys.executable, "-m", "runner", *STEADY, "epochs=2"])


def shell(house: House, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Have a shell run a script in the test's folder, in which $RUN trains a run."""
    done = subprocess.run(
        ["sh", "-c", script.replace("$RUN", RUN)],
        cwd=house.folder,
        env=environment() | house.environment() | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
    )
    assert "Traceback" not in done.stdout + done.stderr, done
    return done


# --- Standard streams ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("streams", [">&-", ">&- 2>&- <&-", "> /dev/full 2> /dev/full"])
def test_a_run_goes_on_whatever_its_streams_are(house: House, streams: str) -> None:
    done = shell(house, f"$RUN {streams}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(house.check().values()) == ["finished"]
    # Nor was anything written into a file that took a stream's place.
    assert [file.name for file in house.folder.iterdir() if file.stat().st_size == 0] == []


@pytest.mark.slow
def test_a_full_output_is_told_and_no_fault_of_the_run(house: House) -> None:
    done = shell(house, "$RUN > /dev/full")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: standard output cannot be written (No space left")
    assert list(house.check().values()) == ["finished"]
    done = shell(house, "$RUN --cfg job > /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: standard output cannot be written")


@pytest.mark.slow
def test_what_a_terminal_acts_on_is_shown_escaped(house: House) -> None:
    done = shell(house, "$RUN +note=x 'epochs=\x1b[31m'")
    assert (done.returncode, done.stdout) == (2, "")
    assert "epochs=\\x1b[31m" in done.stderr and "\x1b" not in done.stderr
    done = shell(house, f"{sys.executable} -m runner restore r 'x\x1b[31m' --to x.keras")
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert "unrecognized arguments: x\\x1b[31m" in done.stderr and "\x1b" not in done.stderr


# --- Working folders -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_working_folder_that_is_gone(house: House) -> None:
    gone = "mkdir gone && cd gone && rmdir ../gone &&"
    done = shell(house, f"{gone} $RUN && $RUN -m seed=1,2")
    assert done.returncode == 0, done.stderr
    assert sorted(house.check().values()) == ["finished"] * 3
    done = shell(house, f"{gone} $RUN", SWEEPHOUSE_RESULTS="results")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: the working folder is gone: change to one that exists")


@pytest.mark.slow
def test_a_working_folder_that_is_read_only(house: House) -> None:
    here = house.folder / "here"
    here.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(here)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        done = shell(house, "cd here && $RUN && $RUN -m seed=1,2")
        assert done.returncode == 0, done.stderr
        refused = shell(house, "cd here && $RUN", SWEEPHOUSE_RESULTS="results")
    finally:
        subprocess.run(["umount", "--lazy", str(here)], check=True)
    assert sorted(house.check().values()) == ["finished"] * 3
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "Read-only file system" in refused.stderr and "results=" in refused.stderr


# --- Names that are not UTF-8 --------------------------------------------------------------------


@pytest.mark.parametrize("word", ["seed=\udcff", "\udcff=3", "\udcff", "resume \udcff"])
def test_a_word_that_is_not_utf8_is_refused_in_one_sentence(house: House, word: str) -> None:
    done = shell(house, f"{sys.executable} -m runner {word}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "\\xff is not valid: it is not UTF-8" in done.stderr or "\\xff=3" in done.stderr
    assert list(house.folder.iterdir()) == []


def test_a_working_folder_that_is_not_utf8_is_refused_in_one_sentence(house: House) -> None:
    os.mkdir(os.fsencode(house.folder) + b"/caf\xe9")  # noqa: PTH102
    done = shell(house, "cd caf* && $RUN")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "caf\\xe9 is not valid: it is not UTF-8; rename the working folder" in done.stderr


def test_any_text_can_be_recorded(tmp_path: Path) -> None:
    with Journal(tmp_path, "odd") as journal:
        journal.append(Care("1", "note", now(), text="caf\udce9 \ud800 \x00 \\xe9"))
    assert '"text":"caf\\\\xe9 \\\\ud800 \\u0000 \\\\xe9"' in journal.path.read_text("utf-8")


@pytest.mark.parametrize("raised", [JournalError, TypeError, KeyboardInterrupt])
def test_a_journal_without_a_first_record_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    def refuse(record: Care) -> bytes:
        raise raised

    monkeypatch.setattr("runner.journal.file.to_line", refuse)
    with pytest.raises(raised), Journal(tmp_path, "odd") as journal:
        journal.append(Care("1", "note", now()))
    assert list(tmp_path.iterdir()) == []
