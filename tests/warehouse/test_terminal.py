"""What the terminal says of many runs, and its prompt."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.journal.ids import new_run_id
from tests.warehouse.conftest import ROOT, House, records
from tests.warehouse.test_comparison import SWEEP, params, trained
from warehouse.command_line import parser
from warehouse.commands import ped_anova
from warehouse.commands.prompt import completer
from warehouse.worked import questions


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A sweep of three rates and two seeds; one failed, one is lost."""
    house = House(tmp_path_factory.mktemp("terminal") / "results")
    for rate in (0.1, 0.2, 0.3):
        for seed in (0, 1):
            trained(
                house, [rate + seed / 100, 2.0][: 1 + seed], seed=seed, sweep_id=SWEEP,
                sweep_jobs=9, params=params(seed, rate=rate),
            )  # fmt: skip
    run_id = new_run_id()
    start = records(run_id, 1, sweep_id=SWEEP, params=params(2, rate=0.3))
    house.write(start, finish=False)
    trained(house, [0.5], status="failed", sweep_id=SWEEP, params=params(3, rate=0.1))
    return house


def table(house: House, *words: str) -> list[dict[str, str]]:
    done = house.command(*words, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.mark.slow
def test_runs_are_sorted_by_any_metric_the_best_first(house: House) -> None:
    rows = table(house, "runs", "--sort", "val_accuracy")
    values = [float(row["val_accuracy"]) for row in rows if row["val_accuracy"]]
    assert len(values) == 8 and values == sorted(values, reverse=True)
    losses = [float(row["val_loss"]) for row in table(house, "runs", "--sort", "val_loss")]
    assert losses == sorted(losses)
    done = house.command("runs", "--sort", "val_acuracy")
    assert done.returncode == 2 and "did you mean 'val_accuracy'" in done.stderr


def test_runs_are_grouped_by_a_param(house: House) -> None:
    rows = table(house, "runs", "--group-by", "rate", "--status", "finished")
    assert [(row["rate"], row["runs"]) for row in rows] == [
        ("0.1", "2"),
        ("0.2", "2"),
        ("0.3", "2"),
    ]
    assert float(rows[0]["mean"]) == pytest.approx(0.105)
    done = house.command("runs", "--group-by", "rat")
    assert done.returncode == 2 and "did you mean 'rate'" in done.stderr


def test_effects_failures_and_worked_questions(house: House) -> None:
    effects = table(house, "effects", "--sweep", SWEEP)
    assert effects[0]["param"] == "rate" and float(effects[0]["effect"]) > 0.9
    assert "less chance" in house.command("effects", "--sweep", SWEEP[-4:]).stdout
    failures = table(house, "failures", "--sweep", SWEEP)
    assert sorted(row["status"] for row in failures) == ["failed", "lost"]
    assert {row["name"] for row in table(house, "queries")} == set(questions())
    [progress] = table(house, "queries", "progress_of_sweeps")
    assert (progress["planned"], progress["done"]) == ("9", "8")
    done = house.command("queries", "progress_of_sweep")
    assert done.returncode == 2 and "did you mean 'progress_of_sweeps'" in done.stderr
    assert "FROM sweeps" in house.command("queries", "progress_of_sweeps", "--print").stdout


@pytest.mark.slow
def test_importance_by_ped_anova_knows_params_that_some_runs_lack(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    house = House(tmp_path / "results")
    for number in range(40):
        rate, has_momentum = 10.0 ** -(number % 4), number % 2 == 0
        some = {"momentum": number / 40} if has_momentum else {}
        given = params(number % 3, rate=rate, kind="sgd" if has_momentum else "adam", **some)
        trained(house, [abs(number % 4 - 2) + number / 1000], sweep_id=SWEEP, params=given)
    rows = table(house, "effects", "--sweep", SWEEP, "--method", "ped-anova")
    assert rows[0]["param"] == "rate"
    assert sum(float(row["importance"]) for row in rows) == pytest.approx(1.0)
    counted = {row["param"]: (row["levels"], row["runs"]) for row in rows}
    assert counted["rate"] == ("4", "40") and counted["momentum"][1] == "20"
    again = table(house, "effects", "--sweep", SWEEP)
    assert {row["param"]: (row["levels"], row["runs"]) for row in again} == counted
    few = house.command("effects", "--best", "2", "--method", "ped-anova")
    assert few.returncode == 0 and "read nothing into those" in few.stdout


def test_what_cannot_be_said_of_effects_is_one_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = house.command("effects", "--sweep", "nosuch")
    assert done.returncode == 2 and "there is no sweep 'nosuch'" in done.stderr
    monkeypatch.setattr(ped_anova, "find_spec", lambda name: None)
    done = house.command("effects", "--sweep", SWEEP, "--method", "ped-anova")
    assert done.returncode == 2 and "pip install 'sweephouse[search]'" in done.stderr
    assert house.command("effects", "--sweep", SWEEP).returncode == 0


def test_compare_of_many_has_a_column_for_each(house: House) -> None:
    ids = [row["run"] for row in table(house, "runs", "--status", "finished")][:3]
    rows = table(house, "compare", *ids)
    assert list(rows[0]) == ["kind", "name", *ids]
    assert any(row["name"] == "val_loss" for row in rows)


def test_top_says_once_where_nobody_watches(house: House) -> None:
    done = house.command("top")
    assert done.returncode == 0 and "6 finished" in done.stdout and "9" in done.stdout
    state = json.loads(house.command("top", "--format", "json").stdout)
    assert {"part": "sweeps", "row": 1, "name": "planned", "value": 9} in state
    done = house.command("top", "--sweep", "nosuch")
    assert done.returncode == 2 and "there is no sweep 'nosuch'" in done.stderr
    assert house.command("top", "--every", "0").returncode == 2


@pytest.mark.many
@pytest.mark.parametrize(
    "words", [("effects", "--best", "1"), ("failures",), ("top",), ("queries", "seeds_no")]
)
def test_an_empty_warehouse_is_answered(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = House(tmp_path / "results").command(*words)
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr


def test_completion_knows_the_names() -> None:
    complete = completer(["leaderboard", "layers", "run_id", "SELECT"])
    assert [complete("l", n) for n in range(3)] == ["leaderboard", "layers", None]
    assert complete("b.ru", 0) == "b.run_id" and complete("sel", 0) == "SELECT"
    assert complete("(", 0) is None


def test_a_query_that_is_missing_is_asked_for(house: House) -> None:
    done = house.command("sql")
    assert done.returncode == 2 and "the query is missing" in done.stderr


@pytest.mark.slow
def test_the_prompt_answers_remembers_and_ends(house: House, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "--results", str(house.results), "sql"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"},
    )  # fmt: skip
    os.close(theirs)
    seen = ""

    def until(text: str) -> None:
        nonlocal seen
        end = time.monotonic() + 30
        while text not in seen:
            assert time.monotonic() < end, seen
            if select.select([ours], [], [], 0.2)[0]:
                seen += os.read(ours, 4096).decode(errors="replace")
        seen = seen.partition(text)[2]

    until("sql> ")
    for typed, expected in (
        ("SELECT 41 + 1 AS\nanswer;\n", "42"),
        ("nonsense;\n", "error: the query does not work"),
        ("COPY runs TO 'x.csv';\n", "error:"),
        (".columns runs\n", "A UUIDv7"),
        (".query progress_of_sweeps\n", "planned"),
        ("SELECT count(*) FROM leaderb\t;\n", "8"),
    ):
        os.write(ours, typed.encode())
        until(expected)
        until("sql> ")
    os.write(ours, b"SELECT 'half a\n")
    until("...> ")
    process.send_signal(signal.SIGINT)
    until("sql> ")
    os.write(ours, b"SELECT count(*) FROM range(100000000000) AS a(i) WHERE i % 3 = 1;\n")
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    until("stopped")
    until("sql> ")
    os.write(ours, b"SELECT 43 - 1;\n")
    until("42")
    until("sql> ")
    os.write(ours, b"\x04")
    assert process.wait(10) == 0
    os.close(ours)
    assert "SELECT 41 + 1 AS" in (tmp_path / "sweephouse" / "sql_history").read_text()


def test_the_page_about_comparing_is_true(house: House) -> None:
    text = (ROOT / "docs" / "comparing.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
    words = [
        shlex.split(line, comments=True)[3:]
        for kind, block in blocks
        if kind == "console"
        for line in block.splitlines()
        if line.startswith("python -m warehouse ")
    ]
    assert len(words) >= 9
    for each in words:
        parser().parse_args(each)
    for kind, block in blocks:
        if kind == "sql":
            assert house.command("sql", block).returncode == 0


@pytest.mark.slow
def test_top_goes_on_until_it_is_stopped(house: House) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "--results", str(house.results), "top"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )  # fmt: skip
    os.close(theirs)
    seen, end = "", time.monotonic() + 30
    while seen.count("Ctrl-C ends this") < 2:
        assert time.monotonic() < end and process.poll() is None, seen
        if select.select([ours], [], [], 0.2)[0]:
            seen += os.read(ours, 65536).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 130
    os.close(ours)
    assert "6 finished" in seen and "Traceback" not in seen


def test_show_and_curves_are_rows_too(house: House) -> None:
    run_id = table(house, "runs", "--limit", "1")[0]["run"]
    rows = table(house, "show", run_id)
    assert {"part": "run", "row": "1", "name": "status", "value": "finished"} in rows
    assert {row["part"] for row in rows} >= {"run", "params", "metrics"}
    shown = json.loads(house.command("show", run_id, "--format", "json").stdout)
    assert shown["run_id"] == run_id
    points = table(house, "curves", run_id)
    assert points[0]["epoch"] == "1" and {row["split"] for row in points} == {"train", "val"}
