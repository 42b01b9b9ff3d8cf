"""Every component is tested and documented, and its pages are what the code says."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
from pathlib import Path

import pytest

import runner
from runner import Recipe, Task
from runner.components.faults import complaint_of
from runner.components.kinds import KINDS, SEARCH_KINDS
from runner.components.registry import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"
COMPONENTS = ROOT / "docs" / "components.md"
NOUNS = ROOT / "docs" / "nouns.md"


@pytest.fixture(scope="module")
def built_in(make):
    return {
        kind: [c for c in make.registry.of_kind(kind) if c.distribution == "sweephouse"]
        for kind in KINDS | SEARCH_KINDS
    }


def test_the_pages_are_what_the_code_says():
    spec = importlib.util.spec_from_file_location(
        "write_plugins", ROOT / "docs" / "write_plugins.py"
    )
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    for path in writer.PAGES:
        text = path.read_text(encoding="utf-8")
        assert text == writer.page(path), "run python docs/write_plugins.py"


def test_every_kind_and_every_built_in_component_is_documented(built_in):
    contracts = PAGE.read_text(encoding="utf-8")
    components = COMPONENTS.read_text(encoding="utf-8")
    for kind, found in built_in.items():
        assert f"### {kind}\n" in contracts
        part = components.partition(f"### {kind}\n")[2].partition("\n### ")[0]
        for component in found:
            assert f"- **{component.name}**: {component.summary}" in part, component.name


def test_every_component_says_in_one_short_line_what_it_is(built_in):
    for kind, found in built_in.items():
        assert found or kind in SEARCH_KINDS, kind
        for component in found:
            where = f"{kind} {component.name}"
            assert component.summary.endswith("."), where
            assert 10 <= len(component.summary) <= 95, where


def test_every_component_has_a_test(built_in):
    """It is named in a test of components, or such a test walks its whole kind."""
    texts = [p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py")]
    text = "\n".join(t for t in texts if "walks its whole kind" not in t)
    walked = set(re.findall(r'registry\.of_kind\("(\w+)"\)', text))
    for kind, found in built_in.items():
        for component in found:
            named = f'"{component.name}"' in text
            assert named or kind in walked, f"no test of {kind} {component.name}"


def test_the_first_plugin_of_the_page_works(make):
    page = PAGE.read_text(encoding="utf-8")
    source = page.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in source.splitlines() if line]) <= 10
    space: dict = {"__name__": "wide"}
    exec(source, space)

    assert complaint_of(space["wide"]) is None
    model = space["wide"]((4, 2), 3, width=16)
    assert model.output_shape == (None, 3)
    for name in ("dropout", "batch_norm"):
        recipe = Recipe(model, None, None)
        task = Task.classification(3)
        model = make("regularizer", name, recipe=recipe, task=task).model
    assert model.output_shape == (None, 3)


def test_the_examples_about_the_nouns_train_and_are_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of the page is written out, and one run has all of them."""
    files = re.findall(r"```python\n# (my_\w+\.py)\n(.*?)```", NOUNS.read_text("utf-8"), re.DOTALL)
    for name, text in files:
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name, text in files if "@" in text and "layers" not in name]
    monkeypatch.setenv("SWEEPHOUSE_PLUGINS", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(str(tmp_path))
    load.cache_clear()
    chosen = ("dataset=flowers", "architecture=scaled", "loss=rarest_first")
    shaped = ("preprocessing=[encode]", "regularizer=[noise,upright]", "epochs=2")
    outcome = runner.run([*chosen, *shaped, f"results={tmp_path / 'results'}"])
    assert (outcome.status, len(paths)) == ("finished", 5)
    names = [layer.__class__.__name__ for layer in model_layers(outcome.run_id, tmp_path)]
    assert "Scale" in names and "GaussianNoise" in names
    load.cache_clear()


def model_layers(run_id: str, folder: Path) -> list:
    """All layers of the run's model, made from its graph."""
    from runner.sweep.earlier import earlier_run

    earlier = earlier_run(run_id, folder / "results")
    earlier = dataclasses.replace(earlier, config={})  # it is not to be built anew
    return earlier.model()._flatten_layers()
