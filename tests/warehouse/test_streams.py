"""Standard streams that are closed, full or hold no text, and text that a terminal acts on."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.journal.ids import new_run_id
from runner.journal.records import Layers, RunEnd
from runner.system.terminal import printable
from tests.warehouse.conftest import ROOT, House, records

ODD = "\x1b[31m\x07\r\b\x7f\x9b2J\u202e\u2066 a\nb\tc"
"""Colours, a bell, cursor movements, a C1 control, reversed writing, and a second line."""


def shell(house: House, line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A line of sh in which `w` is `python -m warehouse` for the results folder."""
    words = [sys.executable, "-m", "warehouse", "--results", str(house.results)]
    return subprocess.run(
        ["sh", "-c", f'w() {{ {shlex.join(words)} "$@"; }}; {line}'],
        cwd=ROOT,
        env=os.environ | more,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("w runs >&-", 2, "standard output is closed"),
        ("w path >/dev/full", 2, "standard output cannot be written (No space left on device)"),
        ("w --help >/dev/full", 2, "standard output cannot be written (No space left"),
        ("w sql 'FROM range(2000)' --format csv >/dev/full", 2, "standard output cannot be"),
        ("w sql - <&-", 2, "standard input is closed"),
        ("printf 'SELECT \\377' | w sql -", 2, "what standard input holds is not UTF-8 text"),
        ("printf 'SELECT \\377' | LC_ALL=C w sql -", 2, "standard input holds is not UTF-8"),
        ("w sql - </dev/null", 2, "the query is empty"),
        ("w tag x ' ' 2>/dev/full", 2, ""),
        ("w tag x ' ' 2>&-", 2, ""),
        ("w sync <&- >&- 2>&-", 2, ""),
        ("PYTHONUNBUFFERED=1 w path >/dev/full", 2, "standard output cannot be written"),
    ],
)
@pytest.mark.many
def test_a_stream_that_is_of_no_use_is_one_sentence(
    house: House, line: str, code: int, said: str
) -> None:
    done = shell(house, line, PYTHONUNBUFFERED="")
    errors = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b""), errors
    assert said in errors and errors.count("\n") == bool(said), errors


@pytest.mark.slow
def test_an_encoding_without_a_character_shows_its_escape(house: House) -> None:
    done = shell(house, "w sql \"SELECT 'cat 猫' AS a\"", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and rb"cat \u732b" in done.stdout


@pytest.mark.slow
def test_a_reader_of_a_table_that_goes_away_is_no_error(house: House) -> None:
    line = "{ w sql 'FROM range(3000)'; echo $? >&2; } | head -1"
    assert shell(house, line).stderr == b"0\n"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "\udcff"),
        ("runs", "--tag", "\udcff"),
        ("runs", "--param", "\udcff=1"),
        ("tag", "x", "\udcff"),
        ("note", "x", "\udcff"),
        ("sql", "SELECT '\udcff'"),
        ("compare", "a", "\udcff"),
        ("--results", "/nowhere/\udcff", "runs"),
    ],
)
def test_words_that_are_no_text_are_one_sentence(house: House, words: tuple[str, ...]) -> None:
    done = house.command(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert r"\xff" in done.stderr and "is not UTF-8" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "--limit", str(2**63 - 1)),
        ("runs", "--limit", "9" * 30),
        ("runs", "--limit", "-1"),
        ("curves", "x", "--height", "1000000000"),
        ("curves", "x", "--height", "-5"),
        ("sync", "--wait", "nan"),
        ("sync", "--wait", "inf"),
        ("sync", "--wait=-1"),
        ("show", ""),
        ("show", "\n"),
        ("show", "%"),
        ("show", "x" * 10_000),
        ("curves", ""),
        ("compare", "", ""),
        ("tag", "", "x"),
        ("delete", ""),
        ("runs", "--param", "=", "--param", "x"),
    ],
)
@pytest.mark.many
def test_odd_words_are_one_sentence(house: House, words: tuple[str, ...]) -> None:
    done = house.command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and done.stderr.strip()


@pytest.fixture
def odd(house: House) -> str:
    """A run with control characters wherever somebody else chooses the text."""
    run_id = new_run_id()
    start, *epochs = records(
        run_id,
        2,
        experiment=ODD,
        overrides=[ODD],
        device=ODD,
        params={ODD: ODD},
        components=[{"kind": ODD, "name": ODD, "distribution": ODD, "version": ODD}],
        versions={ODD: ODD},
        sweep_id=ODD,
    )
    epochs = [dataclasses.replace(e, metrics={"train": {ODD: 1.0}}) for e in epochs]
    layers = Layers(run_id, [ODD], [ODD], [[1]], [1], [[]], ["{}"])
    moment = "2026-11-01T10:00:09+00:00"
    end = RunEnd(run_id, "failed", moment, 1.0, 2, 1, error=ODD, traceback=ODD)
    house.write([start, *epochs, layers, end])
    assert house.command("tag", run_id, ODD).returncode == 0
    assert house.command("note", run_id, ODD).returncode == 0
    return run_id


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_a_terminal_acts_on_is_shown_escaped_by_every_command(house: House, odd: str) -> None:
    other = house.run()
    query = 'SELECT tag AS "\x1b[31m", tag FROM tags'
    for words in (
        ("runs",),
        ("show", odd),
        ("show", odd, "--json"),
        ("compare", odd, other),
        ("curves", odd, "--metric", ODD),
        ("curves", odd, "--metric", f"no{ODD}"),
        ("sql", query),
        ("sql", query, "--format", "markdown"),
        ("sql", query, "--format", "json"),
        ("sql", f"SELECT {ODD}"),
        ("show", ODD),
        ("runs", "--param", ODD),
        ("runs", "--sweep", ODD),
        ("runs", ODD),
    ):
        done = house.command(*words)
        assert "Traceback" not in done.stderr
        for text in (done.stdout, done.stderr):
            assert printable(text) == text, (words, text)
        if "--json" not in words and words[-1] != "json":
            shown = done.stdout + done.stderr
            assert "\\x1b[31m" in shown, words
    # One line a run, whatever its tags say.
    assert len(house.command("runs").stdout.splitlines()) == 6


@pytest.mark.slow
def test_programs_get_the_very_data(house: House, odd: str) -> None:
    query = "SELECT tag FROM tags"
    done = house.command("sql", query, "--format", "csv")
    assert list(csv.reader(io.StringIO(done.stdout, newline=""))) == [["tag"], [ODD]]
    assert json.loads(house.command("sql", query, "--format", "json").stdout) == [{"tag": ODD}]
    (tag,) = json.loads(house.command("show", odd, "--json").stdout)["tags"]
    assert tag["tag"] == ODD


@pytest.mark.slow
def test_problems_of_a_sync_are_shown_escaped(house: House) -> None:
    house.run()
    run_id = new_run_id()
    path = house.write(records(run_id, 1), finish=False)
    with path.open("ab") as file:
        file.write(json.dumps({"record": ODD}).encode() + b"\n")
    path.rename(Path(str(path).replace(".jsonl", ".done.jsonl")))
    for words in (("verify",), ("sync",)):
        done = house.command(*words)
        assert done.returncode == 1 and "unknown record kind" in done.stdout + done.stderr
        assert printable(done.stdout + done.stderr) == done.stdout + done.stderr
