"""What the tests of components share: the registry, and a call as the runner makes it."""

from __future__ import annotations

import os
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from runner import Input, SplitPlan, Task
from runner.components import registry
from runner.components.kinds import KINDS


class Door:
    """Components by kind and name, called with offers and params told apart by name."""

    def __init__(self) -> None:
        self.registry = registry.load()

    def __call__(self, kind: str, name: str, **given: Any) -> Any:
        component = self.registry.find(kind, name)
        params = {p.name: given.pop(p.name) for p in component.params if p.name in given}
        offers = {k: v for k, v in given.items() if k in KINDS[kind].offers}
        if kind == "dataset":
            offers.setdefault("split", SplitPlan(val=0.2, test=0.2, seed=0))
            offers.setdefault("trained", None)
        if kind == "architecture" and "input_shape" in offers:
            offers.setdefault("inputs", {"features": Input(offers["input_shape"])})
        if kind == "architecture" and "outputs" in offers:
            offers.setdefault("task", Task.regression(offers["outputs"]))
        params |= {k: v for k, v in given.items() if k not in KINDS[kind].offers}
        return component(offers, component.check(params, kind))


@pytest.fixture(scope="session")
def make() -> Door:
    """make("optimizer", "adam", learning_rate=0.1) gives what the component gives."""
    return Door()
