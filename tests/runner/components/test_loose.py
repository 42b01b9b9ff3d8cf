"""Components of loose files and of notebooks: found, recorded, traced by their source."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import runner
from runner.commands.help import help_text
from runner.components.loose import PLUGINS, bring_back, taken
from runner.components.registry import load
from runner.config.compose import compose
from runner.config.config import Choice
from runner.config.fingerprint import fingerprint, source_hash
from runner.errors import ConfigError, PluginError

NET = '''
from {part} import WIDTH
from runner import architecture

@architecture(name="{name}")
def net(input_shape, outputs, *, width: int = WIDTH):
    """Mine."""
'''


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No file is named, before and afterwards."""
    os.environ.pop(PLUGINS, None)
    load.cache_clear()
    yield
    os.environ.pop(PLUGINS, None)
    load.cache_clear()


def written(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"part_of_{name}.py").write_text("WIDTH = 8\n")
    file = folder / f"file_of_{name}.py"
    file.write_text(NET.format(part=f"part_of_{name}", name=name))
    return file


def test_a_file_that_is_named_gives_components_with_their_path_and_hash(tmp_path: Path) -> None:
    file = written(tmp_path, "named")
    assert taken(["--plugin", str(file), "epochs=2", f"--plugin={file}"]) == ["epochs=2"]
    component = load().find("architecture", "named")
    assert (component.distribution, component.plugin) == (str(file), "file_of_named")
    assert component.version.startswith("sha256:")
    listed = " ".join(help_text().split())
    assert f"named Mine. (of {file})" in listed and "(of sweephouse" not in listed
    config, _ = compose(["architecture=named", "architecture.width=9"])
    assert config.one("architecture").params == {"width": 9}


def test_a_fingerprint_covers_the_file_and_what_lies_beside_it_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLUGINS, str(written(tmp_path, "traced")))
    component = load().find("architecture", "traced")
    config, _ = compose(["architecture=traced"])
    first = fingerprint(config, "data")
    choice = Choice(replace(component, distribution="/elsewhere/net.py"), {"width": 8})
    moved = replace(config, chosen={**config.chosen, "architecture": [choice]})
    assert fingerprint(moved, "data") == first
    part = tmp_path / "part_of_traced.py"
    part.write_text(part.read_text() + "# changed\n")
    source_hash.cache_clear()
    assert fingerprint(compose(["architecture=traced"])[0], "data") != first


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = 1", "has no component"),
        ("import nothing_such", "No module named 'nothing_such' (.*, line 1)"),
        ("from runner import loss\n@loss\ndef odd(strange): ...", "takes 'strange'"),
    ],
)
def test_a_file_that_gives_nothing_is_one_sentence(
    source: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / f"odd_{len(source)}.py"
    file.write_text(source)
    taken(["--plugin", str(file)])
    with pytest.raises((ConfigError, PluginError), match=sentence):
        load()


@pytest.mark.parametrize("words", [["--plugin"], ["--plugin", "-m"], ["--plugin", "gone.py"]])
def test_an_option_without_a_file_is_one_sentence(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="--plugin"):
        taken(words)


def test_a_run_finds_its_file_again_and_says_if_it_changed_or_is_gone(tmp_path: Path) -> None:
    file = written(tmp_path, "found")
    recorded = {"kind": "architecture", "name": "found", "distribution": str(file)}
    assert bring_back(load(), [{**recorded, "version": "sha256:000"}]) == [
        f"the architecture 'found' is not what it was: {file} has changed since"
    ]
    load.cache_clear()
    file.unlink()
    with pytest.raises(ConfigError, match="which is gone: give --plugin FILE"):
        bring_back(load(), [{**recorded, "version": "sha256:000"}])
    with pytest.raises(ConfigError, match="registered by a notebook"):
        bring_back(load(), [{**recorded, "version": "sha256:0", "distribution": "notebook"}])


def test_a_registered_function_is_a_component_and_a_later_one_takes_its_place() -> None:
    def cell(units: int) -> None:
        @runner.register
        @runner.architecture
        def of_a_cell(input_shape, outputs, *, width: int = units):  # type: ignore[no-untyped-def]
            """Mine."""

    cell(4)
    assert compose(["architecture=of_a_cell"])[0].one("architecture").params == {"width": 4}
    cell(5)
    assert compose(["architecture=of_a_cell"])[0].one("architecture").params == {"width": 5}
    assert load().find("architecture", "of_a_cell").distribution == "notebook"


def test_what_cannot_be_registered_is_one_sentence() -> None:
    with pytest.raises(PluginError, match="decorate it, as with @architecture"):
        runner.register(len)

    @runner.optimizer
    def adam():  # type: ignore[no-untyped-def]
        """Not theirs."""

    with pytest.raises(
        PluginError, match=r"already: call yours otherwise, as in @optimizer\(name"
    ):
        runner.register(adam)


def test_two_files_with_one_name_say_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [written(tmp_path / place, "twice") for place in ("a", "b")]
    monkeypatch.setenv(PLUGINS, os.pathsep.join(map(str, files)))
    with warnings.catch_warnings(), pytest.raises(PluginError, match="disable one"):
        load().find("architecture", "twice")
