"""The README's tree, commands and first plugin are true."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from runner import run
from runner.commands.table import COMMANDS, parsers
from runner.components.registry import load
from runner.config.compose import compose

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trained_results(tmp_path_factory):
    """A results folder with one run in it."""
    results = tmp_path_factory.mktemp("readme") / "results"
    run(["epochs=1", "limit_batches=1", f"results={results}"])
    return results


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def commands(module: str) -> list[list[str]]:
    found = []
    for line in "\n".join(blocks("console")).splitlines():
        line = line.removeprefix("$ ").partition("  #")[0].partition("&& ")[2] or line
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:3] == ["python", "-m", module]:
            found.append(words[3:])
    return found


def tree() -> dict[str, str]:
    """Path -> phrase, read from the indented tree."""
    listed, parents = {}, []
    for line in blocks("text")[-1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name, _, phrase = line.strip().partition(" ")
        parents[depth:] = [name.rstrip("/")]
        listed["/".join(parents)] = phrase.strip()
    return listed


def test_every_entry_of_the_tree_exists_and_has_a_phrase():
    for path, phrase in tree().items():
        assert (ROOT / path).exists(), path
        assert phrase, path


def test_every_file_of_the_main_rooms_is_in_the_tree():
    rooms = [ROOT / "runner", *(p for p in (ROOT / "runner").iterdir() if p.is_dir())]
    rooms += [ROOT / "warehouse" / name for name in ("", "ingest", "journals")]
    files = {p.relative_to(ROOT).as_posix() for room in rooms for p in room.glob("*.py")}
    files -= {name for name in files if name.count("/") == 2 and name.endswith("/__init__.py")}
    assert files <= set(tree())


@pytest.mark.parametrize("words", commands("runner"), ids=" ".join)
def test_every_runner_command_composes(words):
    if not words:
        return
    if words[0] in COMMANDS:
        parsers([words[0]])[words[0]].parse_args(words[1:])
        return
    if words == ["architecture.unit=32"]:
        with pytest.raises(Exception, match="did you mean 'units'") as error:
            compose(words)
        assert f"error: {error.value}" in TEXT
        return
    single = [word.partition(",")[0] if "[" not in word else word for word in words]
    single = [re.sub(r"(=\[[^]]*\]),.*", r"\1", word) for word in single if word != "--multirun"]
    compose(single)


def test_every_warehouse_command_answers(trained_results, capsys, monkeypatch):
    from warehouse.__main__ import main

    monkeypatch.setenv("SWEEPHOUSE_RESULTS", str(trained_results))
    for words in commands("warehouse"):
        monkeypatch.setattr(sys, "argv", ["warehouse", *words])
        try:
            code = main()
        except SystemExit as exit:
            code = exit.code
        assert not code, words
    output = capsys.readouterr().out
    header = next(line for line in blocks("text")[0].splitlines() if line.strip())
    assert header.split() == ["rank", "val_loss", "best_epoch", "overrides"]
    assert re.search(r"rank\s+val_loss\s+best_epoch\s+overrides", output)


def test_the_first_plugin_trains(tmp_path, monkeypatch):
    code = next(block for block in blocks("python") if "my_module.py" in block)
    (tmp_path / "my_module.py").write_text(code)
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[runner]\nmine = my_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    load.cache_clear()
    try:
        outcome = run(
            ["architecture=wide", "epochs=1", "limit_batches=1", f"results={tmp_path / 'results'}"]
        )
    finally:
        load.cache_clear()
    assert outcome.status == "finished"
