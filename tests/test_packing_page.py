"""docs/packing.md names every reason for which a run is not packed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = " ".join((ROOT / "docs/packing.md").read_text(encoding="utf-8").split())


def reasons() -> list[str]:
    """What the functions say that decide whether a run is packed; names in it are cut out."""
    engines = ROOT / "runner/engines"
    found = []
    for file, names in {
        "packed/engine.py": {"_declined", "_train_some"},
        "fast/engine.py": {"declines"},
    }.items():
        for function in ast.walk(ast.parse((engines / file).read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name in names:
                texts = [n for n in ast.walk(function) if isinstance(n, ast.Constant)]
                said = [str(text.value).strip() for text in texts if isinstance(text.value, str)]
                found += [text for text in said if re.match(r"[a-z_]+'? ", text)]
    return found


def test_there_are_reasons() -> None:
    assert {"a resumed run goes on alone", "acts on batches"} <= set(reasons())


@pytest.mark.parametrize("reason", reasons())
def test_every_reason_is_on_the_page(reason: str) -> None:
    assert reason in PAGE
