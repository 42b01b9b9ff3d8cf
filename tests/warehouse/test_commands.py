"""`python -m warehouse`, as a user types it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import re
import subprocess
import sys

import pytest

from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd
from tests.warehouse.conftest import ROOT, House, records
from warehouse.commands.braille import plot


def test_help_names_every_command(house: House) -> None:
    done = house.command("--help")
    assert done.returncode == 0
    words = (
        "sql queries runs top show curves compare effects failures plot report "
        "sync path push rebuild verify tag note delete undelete alias gc purge tidy ui "
        "import export"
    )
    assert words.split(" ") == re.findall(r"\n    (\w+) ", done.stdout)
    assert house.command().returncode == 2


def test_sync_and_path_say_what_they_did(house: House, behind: str) -> None:
    house.run()
    assert house.command("sync").stdout == "1 run taken in\n"
    assert house.command("sync").stdout == "0 runs taken in\n"
    lake = os.environ.get("SWEEPHOUSE_LAKE", "").partition("?")[0]
    path = lake if behind == "lake" else house.results / "warehouse.duckdb"
    assert house.command("path").stdout == f"{path}\n"
    house.run(version=9)
    done = house.command("sync")
    assert done.returncode == 1 and "it waits for a newer Sweephouse" in done.stderr


@pytest.mark.many
@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_sql_prints_every_format(house: House, form: str) -> None:
    query = (
        "SELECT 'a,b|c' AS text, NULL AS nothing, 'NaN'::DOUBLE AS number, [1, 2] AS list, "
        "TIMESTAMP '2026-01-02 03:04:05' AS moment"
    )
    done = house.command("sql", query, "--format", form)
    assert done.returncode == 0 and "\x1b" not in done.stdout
    if form == "json":
        assert json.loads(done.stdout) == [
            {
                "text": "a,b|c",
                "nothing": None,
                "number": "NaN",
                "list": [1, 2],
                "moment": "2026-01-02T03:04:05",
            }
        ]
    elif form == "csv":
        (head, row) = csv.reader(io.StringIO(done.stdout))
        assert head == ["text", "nothing", "number", "list", "moment"]
        assert row[:2] == ["a,b|c", ""] and math.isnan(float(row[2])) and row[3] == "[1, 2]"
    elif form == "markdown":
        assert done.stdout.splitlines()[0] == "| text | nothing | number | list | moment |"
        assert done.stdout.splitlines()[2].startswith("| a,b\\|c |  | nan |")
    else:
        assert "a,b|c" in done.stdout


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nosuch FROM runs", "nosuch"),
        ("DELETE FROM runs", "only reads the warehouse"),
        ("COPY runs TO '/tmp/never.csv'", "other files are out of its reach"),
        ("ATTACH '/tmp/never.duckdb'", "other files are out of its reach"),
        ("FROM read_text('/etc/hostname')", "other files are out of its reach"),
        (" ", "the query is empty"),
    ],
)
@pytest.mark.many
def test_sql_that_cannot_be_is_one_sentence(house: House, query: str, sentence: str) -> None:
    done = house.command("sql", query)
    assert done.returncode == 2
    assert sentence in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


def test_what_python_cannot_hold_is_shown_all_the_same(house: House) -> None:
    done = house.command("sql", "SELECT INTERVAL 178956970 YEARS AS span", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "span\n178956970 years\n")


def test_sql_reads_standard_input(house: House) -> None:
    assert house.command("sql", "-", "--format", "csv", given="SELECT 7 AS a").stdout == "a\n7\n"


@pytest.mark.slow
def test_runs_are_filtered_and_sorted(house: House) -> None:
    best = house.run(epochs=9, params={"lr": 0.5})
    worst = house.run(epochs=1, experiment="other", sweep_id="s-1")
    running = new_run_id()

    def ids(*words: str) -> list[str]:
        done = house.command("runs", "--format", "json", *words)
        assert done.returncode == 0, done.stderr
        return [row["run"] for row in json.loads(done.stdout)]

    with Journal(house.journals, running) as journal:
        for record in records(running, 3):
            journal.append(record)
        assert ids() == [best, running, worst]
        assert ids("--status", "running") == [running]
    assert ids("--limit", "1") == [best]
    assert ids("--experiment", "other") == ids("--sweep", "s-1") == [worst]
    assert ids("--param", "lr=0.50") == [best]
    assert ids("--sort", "epochs")[-1] == worst
    assert best[-8:] in house.command("runs").stdout
    assert house.command("runs", "--experiment", "none").stdout.startswith("no such run in")
    for words in (("--limit", "0"), ("--param", "lr"), ("--sort", "luck")):
        assert house.command("runs", *words).returncode == 2


def test_show_tells_all_of_a_run(house: House) -> None:
    run_id = new_run_id()
    house.write([*records(run_id, 2), house.weights(run_id, b"abc")], finish=False)
    done = house.command("show", run_id[-6:])
    for word in (run_id, "lost", "optimizer.learning_rate", "sweephouse", "weights/", "val_loss"):
        assert word in done.stdout
    whole = json.loads(house.command("show", run_id, "--json").stdout)
    assert whole["run_id"] == run_id and len(whole["metrics"]) == 4


def test_a_run_with_nan_is_json_that_every_reader_takes(house: House) -> None:
    run_id = new_run_id()
    diverged = EpochEnd(run_id, 1, math.nan, math.inf, 0.1, 1.0)
    house.write([*records(run_id, 0), diverged], finish=False)
    done = house.command("show", run_id, "--json")
    metrics = json.loads(done.stdout, parse_constant=pytest.fail)["metrics"]
    assert {row["last"] for row in metrics} == {"NaN", "Infinity"}


@pytest.mark.slow
def test_curves_are_drawn_and_a_wrong_metric_is_answered_with_those_there_are(
    house: House,
) -> None:
    one, two = house.run(epochs=9), new_run_id()
    written = records(two, 1)
    written += [EpochEnd(two, 2, math.nan, None, 0.1, 1.0), EpochEnd(two, 3, 0.5, None, 0.1, 1.0)]
    house.write(written, finish=False)
    done = house.command("curves", one, two, "--height", "6")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 9
    assert any("\u2800" < character < "\u28ff" for character in done.stdout)
    assert f"{one[-8:]} val loss" in done.stdout
    wrong = house.command("curves", one, "--metric", "acuracy")
    assert wrong.returncode == 2
    assert "did you mean 'accuracy'? available: accuracy, loss" in wrong.stderr


def test_compare_shows_differences_only(house: House) -> None:
    one, two = house.run(params={"lr": 0.1}), house.run(params={"lr": 0.3})
    done = house.command("compare", one, two)
    assert "lr" in done.stdout and one[-8:] in done.stdout
    assert house.command("compare", one, one).stdout.endswith("do not differ\n")


@pytest.mark.parametrize("command", ["show", "curves", "tag", "note", "delete", "undelete"])
@pytest.mark.many
def test_an_unknown_run_is_one_sentence(house: House, command: str) -> None:
    house.run()
    more = ["x"] if command in ("tag", "note") else []
    done = house.command(command, "nosuch", *more)
    assert done.returncode == 2
    assert done.stderr == "there is no run 'nosuch'; `python -m warehouse runs` lists them\n"


@pytest.mark.slow
def test_output_that_nobody_reads_any_more_is_no_error(house: House) -> None:
    words = ["sql", "SELECT unnest(range(200000)) AS a", "--format", "csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "--results", str(house.results), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None and process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.slow
@pytest.mark.file_only
def test_a_small_query_costs_about_half_a_second_of_cpu(house: House) -> None:
    house.run()
    house.process("sync")
    house.process("runs")
    before = os.times()
    assert house.process("sql", "SELECT count(*) AS n FROM runs", "--format", "csv") == "n\n1\n"
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    assert spent < 1.0


@pytest.mark.parametrize("width", [1, 40])
def test_curves_of_any_values_are_drawn(width: int) -> None:
    ends = (1.797e308, -1.797e308, 0.0, 5e-324, -5e-324, math.inf, math.nan)
    for values in itertools.product(ends, repeat=2):
        grid = plot([list(zip((1, 2**63 - 1), values, strict=True))], width, 4)
        assert grid and all(row for row in grid)
