"""Plugins that are told of what happens to runs, and that fail alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.components import registry
from runner.components.kinds import EVENTS
from tests.conftest import Site
from tests.faults.engine import FAIL, SIDE

Train = Callable[..., Any]
LISTENING = """
from runner import hookimpl

TOLD = []

@hookimpl
def runner_run_start(start):
    TOLD.append(("start", start.run_id, start.seed))

@hookimpl
def runner_epoch_end(epoch, start):
    TOLD.append(("epoch", start.run_id, epoch.epoch, epoch.loss))

@hookimpl(specname="runner_run_end")
def over(end):
    TOLD.append(("end", end.run_id, end.status, end.error))
"""
FAILING = """
from runner import hookimpl

@hookimpl
def runner_epoch_end(start, epoch):
    raise SystemExit("no network")
"""


@pytest.fixture
def steady(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains by an engine that needs no TensorFlow."""
    monkeypatch.setenv(SIDE, str(tmp_path / "side"))
    words = ("engine=tests.faults.engine:SteadyEngine", "dataset=iris")
    return lambda *more: train(*words, *more)


def told(name: str = "listening") -> list[tuple[Any, ...]]:
    """What the plugin was told."""
    import importlib

    found: list[tuple[Any, ...]] = importlib.import_module(name).TOLD
    return found


@pytest.mark.slow
def test_a_plugin_is_told_of_start_epochs_and_end(site: Site, steady: Train) -> None:
    site.install(LISTENING, "listening")
    outcome = steady("epochs=2", "seed=5")
    first, second = outcome.losses
    assert told() == [
        ("start", outcome.run_id, 5),
        ("epoch", outcome.run_id, 1, first),
        ("epoch", outcome.run_id, 2, second),
        ("end", outcome.run_id, "finished", None),
    ]


@pytest.mark.slow
def test_it_is_told_of_a_run_that_fails(
    site: Site, steady: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install(LISTENING, "listening")
    monkeypatch.setenv(FAIL, "7")
    outcome = steady("epochs=4", "seed=7")
    assert told()[-1] == ("end", outcome.run_id, "failed", "ValueError: asked to fail")


@pytest.mark.slow
def test_one_that_fails_harms_neither_the_run_nor_the_others(
    site: Site, steady: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install(LISTENING, "listening")
    site.install(FAILING, "failing")
    outcome = steady("epochs=3")
    assert (outcome.status, outcome.epochs) == ("finished", 3)
    assert [what for what, *_ in told()] == ["start", "epoch", "epoch", "epoch", "end"]
    warning = (
        "warning: plugin 'failing': failing.runner_epoch_end failed when it was told of "
        "runner_epoch_end: SystemExit: no network; the run goes on\n"
    )
    assert capsys.readouterr().err.count(warning) == 1


@pytest.mark.slow
def test_a_disabled_plugin_is_told_of_nothing(
    site: Site, steady: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install(LISTENING, "listening")
    monkeypatch.setenv(registry.DISABLE, "listening")
    registry.load.cache_clear()
    assert steady("epochs=1").status == "finished"
    assert told() == []


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (
            "runner_run_begin(start)",
            "'runner_run_begin' in odd is told of nothing: there is no event 'runner_run_begin': "
            "available: runner_epoch_end, runner_run_end, runner_run_start",
        ),
        (
            "runner_run_end(end, epoch)",
            "'runner_run_end' in odd is told of nothing: it takes 'epoch', and runner_run_end may "
            "take start, end",
        ),
    ],
)
def test_one_that_asks_for_what_there_is_not_is_named_and_all_else_works(
    site: Site, function: str, complaint: str
) -> None:
    site.install(f"from runner import hookimpl\n@hookimpl\ndef {function}: ...\n", "odd")
    site.install(LISTENING, "listening")
    with pytest.warns(UserWarning, match="is told of nothing") as warned:
        found = registry.load()
    said = str(warned[0].message).replace("did you mean 'runner_run_end'? ", "")
    assert said.replace("did you mean 'runner_run_start'? ", "") == complaint
    assert [one.plugin for one in found.listeners] == ["listening"] * len(EVENTS)
