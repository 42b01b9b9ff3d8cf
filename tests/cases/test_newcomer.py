"""The page of a first table: a newcomer types its six commands, and each does what it says."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.commands.table import run_command
from tests.cases import messy
from tests.runner.session import Done, session

PAGE = (Path(__file__).parents[2] / "docs" / "first_table.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def commands() -> list[str]:
    """What the page has one type, each on one line."""
    lines = "".join(blocks("console")).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines]


def typed(lines: Sequence[str], folder: Path) -> list[Done]:
    """What came of the lines, read as a shell reads them; they run in one process."""
    words = [shlex.split(line) for line in lines]
    assert all(line[:3] == ["python", "-m", "runner"] for line in words)
    done = session([line[3:] for line in words], folder, {"SWEEPHOUSE_RESULTS": "results"})
    for one in done:
        assert one.code in (0, None), one
    return done


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    messy.write(tmp_path / "kunden.csv")
    messy.write(tmp_path / "neu.csv", rows=5, label=False, seed=2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_shows_what_look_prints_and_trains_by_what_it_prints(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(commands()) == 6
    assert run_command(["look", "kunden.csv"]) == 0
    printed = capsys.readouterr().out
    assert printed == blocks("text")[0]
    command, behind = re.findall(
        r"^to train on it:\n\n(.*)\n\nto sweep, type the same with (.*) behind it",
        printed,
        re.S | re.M,
    )[0]
    command = " ".join(command.replace("\\\n", " ").split())
    assert commands()[1:3] == [command, f"{command} {behind}"]


@pytest.mark.slow
def test_six_commands_lead_from_a_messy_table_to_an_exported_model(table: Path) -> None:
    # Two processes: the sweep says which run the later commands are about.
    first = typed(commands()[:3], table)
    assert "5 finished, 1 trained before" in first[2].out
    [best] = re.findall(r"^ +1 [\d.]+ +(\w+) epoch", first[2].out, re.M)
    typed([command.replace("RUN", best) for command in commands()[3:]], table)
    assert (table / "kunden.keras").is_file() and (table / "kunden.tflite").is_file()
    with (table / "predictions.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["Kunde"] for row in rows] == ["1000", "1001", "1002", "1003", "1004"]
    assert {row["predicted"] for row in rows} <= {"no", "yes"}
