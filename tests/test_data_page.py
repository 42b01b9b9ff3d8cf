"""The commands of docs/data.md compose as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from runner.config.compose import compose

TEXT = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """What follows `python -m runner` in every line of the page's console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", TEXT, re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [line.partition("python -m runner ")[2] for line in lines]
    return [shlex.split(words, comments=True) for words in found if words]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
@pytest.mark.slow
def test_it_composes(words: list[str]) -> None:
    options = [word for word in words if word not in ("-m", "--multirun")]
    compose(options)
