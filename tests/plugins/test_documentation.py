"""Every component is tested and documented, and docs/plugins.md is what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from runner import Recipe, Task
from runner.components.faults import complaint_of
from runner.components.kinds import KINDS, SEARCH_KINDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"


@pytest.fixture(scope="module")
def built_in(make):
    return {
        kind: [c for c in make.registry.of_kind(kind) if c.distribution == "sweephouse"]
        for kind in KINDS | SEARCH_KINDS
    }


def test_the_page_is_what_the_code_says():
    spec = importlib.util.spec_from_file_location(
        "write_plugins", ROOT / "docs" / "write_plugins.py"
    )
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert PAGE.read_text(encoding="utf-8") == writer.page(), "run python docs/write_plugins.py"


def test_every_kind_and_every_built_in_component_is_documented(built_in):
    page = PAGE.read_text(encoding="utf-8")
    contracts, _, components = page.partition("<!-- begin components -->")
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
