"""`python -m runner new`: a package that trains as it is written."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.commands.table import run_command
from runner.components.kinds import KINDS, SEARCH_KINDS
from runner.components.registry import load
from runner.errors import ConfigError
from runner.testing import check_component
from tests.conftest import Site


def write(kind: str, folder: Path, name: str = "mine") -> Path:
    """A package of the kind."""
    assert run_command(["new", kind, name, "--to", str(folder / kind)]) == 0
    return folder / kind


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """A package of every kind, installed; each in a folder of its own."""
    folders = {kind: write(kind, tmp_path, f"my_{kind}") for kind in [*KINDS, *SEARCH_KINDS]}
    site = Site(tmp_path / "site")
    for kind, folder in folders.items():
        monkeypatch.syspath_prepend(str(folder))
        project = tomllib.loads((folder / "pyproject.toml").read_text())
        [(name, module)] = project["project"]["entry-points"]["runner"].items()
        assert (folder / module / "component.py").is_file() and name == f"my_{kind}"
        info = site.folder / f"{module}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[runner]\n{name} = {module}\n")
    monkeypatch.syspath_prepend(str(site.folder))
    load.cache_clear()
    yield folders
    load.cache_clear()
    for name in [name for name in sys.modules if name.startswith("sweephouse_my_")]:
        del sys.modules[name]


def test_every_kind_has_a_component_that_is_found(installed: dict[str, Path]) -> None:
    registry = load()
    for kind in installed:
        component = registry.find(kind, f"my_{kind}")
        assert component.summary and (component.params or kind in ("preprocessing", "metric"))


def own_tests(folder: Path) -> dict[str, object]:
    """The functions of the package's own test file."""
    [file] = (folder / "tests").glob("test_*.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


@pytest.mark.parametrize("kind", ["sampler", "pruner"])
def test_the_tests_of_a_searchs_packages_pass(installed: dict[str, Path], kind: str) -> None:
    for test in own_tests(installed[kind]).values():
        test()  # type: ignore[operator]


@pytest.mark.slow
def test_the_test_of_a_package_passes(installed: dict[str, Path]) -> None:
    for test in own_tests(installed["architecture"]).values():
        test()  # type: ignore[operator]


@pytest.mark.slow
def test_all_of_them_train_together_in_every_engine(installed: dict[str, Path]) -> None:
    words = [
        f"{kind.key}=[my_{name}]" if kind.many else f"{kind.key}=my_{name}"
        for name, kind in KINDS.items()
        if name != "dataset"
    ]
    checked = check_component("dataset", "my_dataset", *words)
    assert set(checked.outcomes) == {"keras", "fast", "packed"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("My", "the name 'My' is not valid"),
        ("class", "the name 'class' is not valid"),
        ("a-b", "the name 'a-b' is not valid"),
        ("x" * 41, "is not valid: give up to 40 small letters"),
    ],
)
def test_names_are_those_of_functions(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        write("loss", tmp_path, name)


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = write("loss", tmp_path)
    (folder / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="is there already: choose another by --to"):
        write("loss", tmp_path)
    assert (folder / "README.md").read_text() == "mine"
