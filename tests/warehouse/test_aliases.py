"""Names in use for runs: @production."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import runner
import warehouse
from warehouse.__main__ import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(results: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command line of the warehouse, and what it printed: its exit code, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(["--results", str(results), *words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def some_runs(results: Path, number: int) -> list[str]:
    runs = []
    for loss in range(number):
        with runner.track("aliases", {"loss": loss}, results=results) as run:
            run.epoch(loss)
        runs.append(run.run_id)
    return runs


@pytest.mark.slow
def test_an_alias_moves_rolls_back_and_remembers(results: Path, command: Command) -> None:
    a, b, c = some_runs(results, 3)
    assert command("alias", "production", a)[0] == 0
    code, _, err = command("alias", "production", b)
    assert code == 2 and f"@production is run {a[-8:]} already: add --move" in err
    for run in (b, c):
        assert command("alias", "production", run, "--move")[0] == 0
    assert "finished" in command("show", "@production")[1]
    assert c in command("alias", "production")[1]
    assert f"run {b[-8:]} now" in command("alias", "production", "--rollback")[1]
    assert f"run {a[-8:]} now" in command("alias", "production", "--rollback")[1]
    code, _, err = command("alias", "production", "--rollback")
    assert code == 2 and "has named no run before" in err
    history = command("alias", "production", "--history", "--format", "csv")[1].splitlines()
    assert [line.split(",")[1] for line in history[1:]] == [a, b, c, b, a]
    assert command("alias", "production", "--remove")[0] == 0
    code, _, err = command("show", "@production")
    assert code == 2 and "there is no alias 'production'" in err
    assert main(["--results", str(results), "rebuild"]) == 0
    with warehouse.connect(results) as con:
        assert con.execute("SELECT count(*) FROM alias_history").fetchone() == (6,)


@pytest.mark.slow
def test_a_run_in_use_is_not_deleted_and_a_deleted_one_is_not_used(
    results: Path, command: Command
) -> None:
    a, b = some_runs(results, 2)
    command("alias", "best", a)
    code, _, err = command("delete", a)
    assert code == 2 and f"run {a[-8:]} is @best: take the name away first" in err
    command("delete", b)
    code, _, err = command("alias", "other", b)
    assert code == 2 and "is deleted: `undelete` it first" in err


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "<b>", "../up"])
def test_names_are_plain(results: Path, command: Command, name: str) -> None:
    [a] = some_runs(results, 1)
    code, _, err = command("alias", name, a)
    assert code == 2 and "is not valid: give up to 64 letters" in err


@pytest.mark.slow
def test_near_names_are_told(results: Path, command: Command) -> None:
    [a] = some_runs(results, 1)
    command("alias", "production", a)
    code, _, err = command("show", "@prodction")
    assert code == 2 and "did you mean 'production'?" in err
