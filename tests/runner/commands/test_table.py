"""The list of commands, and what each gives to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import runner.commands
from runner.commands.help import help_text
from runner.commands.table import COMMANDS, parsers, run_command
from runner.errors import ConfigError


def test_every_file_with_a_command_is_in_the_list() -> None:
    folder = Path(runner.commands.__file__).parent
    files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    adding = [f for f in files if "\ndef add(words: Words)" in f.read_text(encoding="utf-8")]
    names = {f.parent.name if f.name == "__init__.py" else f.stem for f in adding}
    assert names == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_adds_its_words_and_what_runs_them(name: str) -> None:
    [(added, parser)] = parsers([name]).items()
    module = sys.modules[f"runner.commands.{name}"]
    assert (added, parser.prog) == (name, f"runner {name}")
    given = {"warm": [], "doctor": [], "search": ["explain", "RUN"], "new": ["loss", "mine"]}
    needed = {"restore": ["--to", "x"], "export": ["--to", "x"]}
    needed |= {"predict": ["--to", "x", "--source", "y"], "extend": ["epochs=9"]}
    arguments = parser.parse_args([*given.get(name, ["RUN"]), *needed.get(name, [])])
    assert arguments.run is module.run
    assert f"\n  {name:<12} {parser.description}\n" in help_text()


def test_a_word_that_is_no_command_is_answered_with_the_near_one() -> None:
    with pytest.raises(ConfigError, match=r"'restor' is neither .* did you mean 'restore'"):
        run_command(["restor"])


def test_minutes_that_are_no_number_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("soon", "0", "nan", "inf"):
        with pytest.raises(SystemExit) as exit:
            run_command(["warm", "--idle", text])
        assert exit.value.code == 2
        assert f"{text} is not a number of minutes greater than 0\n" in capsys.readouterr().err
