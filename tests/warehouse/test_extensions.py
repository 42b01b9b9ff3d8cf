"""What an installed package adds by entry points: engines, launchers, commands, queries, views."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import warehouse
from runner.commands.help import help_text
from runner.commands.table import run_command
from runner.components.registry import load
from runner.engines import find_engine
from runner.errors import ConfigError
from runner.system.extensions import installed
from tests.warehouse.conftest import House
from warehouse.__main__ import main

FILES = {
    "extras/__init__.py": "raise SystemExit('nobody need import this')",
    "extras/questions/how_many.sql": "-- How many runs?\nSELECT count(*) AS runs FROM runs",
    "extras/questions/test_scores.sql": "-- Ours, too.\nSELECT 1",
    "extras/views/done.sql": "CREATE VIEW done AS SELECT * FROM runs",
    "extras/views/over.sql": "CREATE OR REPLACE VIEW leaderboard AS SELECT 1 AS x",
    "extras/views/worse.sql": "DROP VIEW leaderboard",
    "extra_engine.py": """
        from runner.engines.fast.engine import FastEngine

        class Engine(FastEngine):
            name = "mine"
        """,
    "extra_words.py": """
        def add(words):
            parser = words.add_parser("polish", description="Tidy up.")
            parser.add_argument("--deep", action="store_true")
            parser.set_defaults(run=lambda arguments: print("tidied", arguments.deep) or 0)
        """,
}
POINTS = """
    [runner.engines]
    mine = extra_engine:Engine
    fast = extra_engine:Engine
    gone = extra_gone:Engine
    [runner.commands]
    polish = extra_words:add
    nothing = extra_words
    [runner.launchers]
    loud = extra_gone:Loud
    [warehouse.commands]
    polish = extra_words
    [warehouse.queries]
    asks = extras.questions
    [warehouse.views]
    sees = extras.views
    """


@pytest.fixture(scope="module", autouse=True)
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two packages that bring the same, and a third with files that are not there."""
    folder = tmp_path_factory.mktemp("extras")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    _install(folder, "extras", POINTS)
    _install(folder, "twin", "[runner.engines]\nmine = twin:Engine\n")
    _install(folder, "absent", "[warehouse.queries]\nnone = extras.not_there\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        installed.cache_clear()
        yield
    installed.cache_clear()


def _install(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(points))


def test_an_engine_is_found_by_its_name_or_its_packages() -> None:
    assert find_engine("extras/mine").name == "mine"
    assert find_engine("extras/fast").name == "mine"
    assert find_engine("fast").name == "fast"
    with pytest.raises(ConfigError, match="the engine 'mine': say extras/mine or twin/mine"):
        find_engine("mine")
    with pytest.raises(ConfigError, match=r"the engine 'gone' of extras 2.0 cannot be loaded"):
        find_engine("gone")
    with pytest.raises(ConfigError, match="did you mean 'gone'"):
        find_engine("gine")


def test_commands_of_packages_run_and_are_listed_unimported(
    capsys: pytest.CaptureFixture[str], house: House
) -> None:
    sys.modules.pop("extra_words", None)
    load()
    listed = help_text()
    assert "  polish       of extras 2.0\n" in listed
    assert "engine=extras/mine" in listed and "hydra/launcher=loud" in listed
    assert not {"extras", "extra_words"} & set(sys.modules)
    assert run_command(["polish", "--deep"]) == 0
    assert main(["--results", str(house.results), "polish"]) == 0
    assert capsys.readouterr().out == "tidied True\ntidied False\n"
    with pytest.raises(ConfigError, match="did you mean 'polish'"):
        run_command(["polis"])


def test_queries_of_packages_are_listed_with_the_package_and_asked(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.run()
    warehouse.sync(house.results)
    with pytest.warns(UserWarning, match=r"the queries 'none' of absent 2.0 are left out"):
        main(["queries", "--format", "csv"])
    lines = capsys.readouterr().out.splitlines()
    assert "how_many,How many runs?,extras 2.0" in lines
    assert any(line.startswith("extras/test_scores,") for line in lines)
    assert any(line.startswith("test_scores,") and line.endswith("sweephouse") for line in lines)
    with pytest.warns(UserWarning):
        asked = ["queries", "how_many", "--format", "csv", "--results", str(house.results)]
        assert main(asked) == 0
    assert capsys.readouterr().out.splitlines() == ["runs", "1"]


def test_views_of_packages_are_in_snapshots_and_replace_none_of_ours(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    with pytest.warns(UserWarning) as said, warehouse.connect(house.results) as con:
        assert con.execute("SELECT count(*) FROM done").fetchone() == (1,)
        assert con.execute("SELECT count(run_id) FROM leaderboard").fetchone() == (1,)
    sentences = sorted(str(one.message) for one in said)
    assert "view over.sql" in sentences[0] and "would replace leaderboard" in sentences[0]
    assert "view worse.sql" in sentences[1] and "one CREATE VIEW" in sentences[1]


def test_what_is_disabled_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPHOUSE_DISABLE", "polish,mine")
    load.cache_clear()
    load()  # without a warning: both are known
    with pytest.raises(ConfigError, match="there is no engine 'mine'"):
        find_engine("mine")
    monkeypatch.undo()
    load.cache_clear()
