"""A command is told how a run or a sweep came out, and whatever it does is no harm to them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from runner.config.on_end import check_on_end
from runner.errors import ConfigError
from runner.record.outcome import Outcome
from runner.sweep import on_end
from runner.sweep.on_end import tell_of_run, tell_of_sweep

KEEP = """
import os, sys
open("told", "w").write(sys.stdin.read() + os.environ.get("SWEEPHOUSE_SWEEP", ""))
"""


def told(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "told").read_text())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_is_told_as_json_that_every_reader_takes(tmp_path, monkeypatch, capfd):
    # What it trains itself is no part of the sweep that has just ended.
    monkeypatch.setenv("SWEEPHOUSE_SWEEP", "this one")
    outcome = Outcome(
        "r1",
        "failed",
        best=float("nan"),
        evaluations={"val": {"f1": 0.5, "f1[0]": 0.1}},
        weights=Path("w"),
        error="it broke",
        on_end=[sys.executable, "-c", KEEP],
    )
    tell_of_run(outcome, tmp_path)
    said = told(tmp_path)
    assert {
        key: said[key] for key in ("kind", "run_id", "status", "best", "error", "weights")
    } == {
        "kind": "run",
        "run_id": "r1",
        "status": "failed",
        "best": None,
        "error": "it broke",
        "weights": "w",
    }
    assert said["evaluations"] == {"val": {"f1": 0.5}}
    assert capfd.readouterr() == ("", "")


def test_words_are_read_as_a_shell_reads_them_and_no_shell_runs_them(tmp_path):
    tell_of_run(Outcome("r1", on_end="tee 'a file' $HOME"), tmp_path)
    assert json.loads(Path("a file").read_text())["run_id"] == "r1"
    assert json.loads(Path("$HOME").read_text())["run_id"] == "r1"


def test_a_sweep_is_told_even_where_its_warehouse_does_not_answer(tmp_path):
    tell_of_sweep([sys.executable, "-c", KEEP], "s1", "failed", tmp_path)
    assert told(tmp_path) == {
        "kind": "sweep",
        "sweep_id": "s1",
        "status": "failed",
        "runs": {},
        "best": None,
        "results": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("no-such-command --at all", "no-such-command No such file or directory"),
        ("false", "false ended with exit code 1"),
        (["sh", "-c", "echo first >&2; echo last >&2; exit 3"], "sh ended with exit code 3: last"),
        (["sh", "-c", "kill -9 $$"], "sh ended with exit code -9"),
    ],
)
def test_what_goes_wrong_with_it_is_one_line(tmp_path, capfd, command, sentence):
    tell_of_run(Outcome("r1", on_end=command), tmp_path)
    assert capfd.readouterr().err == f"warning: on_end: {sentence}\n"


def test_one_that_hangs_is_ended_with_what_it_started(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(on_end, "SECONDS", 0.5)
    command = ["sh", "-c", "sleep 300 & echo $! > child; wait"]
    tell_of_run(Outcome("r1", on_end=command), tmp_path)
    assert capfd.readouterr().err == "warning: on_end: sh took more than 0.5 s and was ended\n"
    child = int(Path("child").read_text())
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("its child is still there")


@pytest.mark.parametrize("command", ["", "  ", [], [""], "mail 'me", "a\0b"])
def test_no_command_is_refused_before_anything_trains(command):
    with pytest.raises(ConfigError, match="is not valid"):
        check_on_end(command)
