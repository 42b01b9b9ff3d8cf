"""Every way in the tables to break a contract gets its one sentence, with the component's name."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import runner
from runner.components.kinds import KINDS, SEARCH_KINDS, Kind
from runner.components.registry import load
from runner.errors import RunnerError
from runner.sweep.summary import failure_line
from tests.conftest import Site
from tests.contract.breach import TOYS, Breach, of_every_kind

LEFT_OUT = {
    "sampler": "it is asked by a sweep, never by a run",
    "pruner": "it is asked by a sweep, never by a run",
}
"""Kinds without a table here, and why."""
EVERY = {name: kind for name, kind in (KINDS | SEARCH_KINDS).items() if name not in LEFT_OUT}
RUN = ("dataset=toy", "architecture=linear", "regularizer=[]", "epochs=1", "batch_size=16")


def breaches() -> Iterator[tuple[Kind, Breach]]:
    """All of them, kind by kind."""
    for kind in EVERY.values():
        for breach in of_every_kind(kind.name, kind.offers):
            yield kind, breach
        if importlib.util.find_spec(f"tests.contract.{kind.name}"):
            table = importlib.import_module(f"tests.contract.{kind.name}")
            yield from ((kind, breach) for breach in table.BREACHES)


ALL = list(breaches())


def test_every_kind_has_a_table() -> None:
    assert all(importlib.util.find_spec(f"tests.contract.{kind}") for kind in EVERY)
    names = [breach.name for _, breach in ALL]
    assert sorted(set(names)) == sorted(names)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A plugin that holds every broken component, and the toys to run them on."""
    site = Site(tmp_path_factory.mktemp("broken") / "site")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.syspath_prepend(str(site.folder))
        site.install("\n".join([TOYS, *(breach.plugin() for _, breach in ALL)]), "broken")
        load()
        yield
    site.forget("broken")


@pytest.mark.usefixtures("broken")
@pytest.mark.many
@pytest.mark.parametrize(
    ("kind", "breach"), [pytest.param(kind, one, id=one.name) for kind, one in ALL]
)
def test_it_is_one_sentence_with_the_components_name(
    kind: Kind, breach: Breach, results: Path
) -> None:
    chosen = f"{kind.key}=[{breach.name}]" if kind.many else f"{kind.key}={breach.name}"
    words = [*RUN, *(word for word in breach.words if word != "again"), chosen]
    words.append(f"results={results}")
    if "again" in breach.words:
        assert runner.run([*words, "seed=1"]).status == "finished"
    sentence, traceback = _outcome([*words, "seed=2"])
    assert f"{kind.name} '{breach.name}'" in sentence
    assert breach.sentence in sentence
    assert "\n" not in sentence
    assert (traceback is not None) == breach.is_bug


def _outcome(words: Sequence[str]) -> tuple[str, str | None]:
    """What a run of the command line is refused or fails with, and the traceback of a bug."""
    try:
        outcome = runner.run(list(words))
    except RunnerError as error:
        return str(error), None
    for call in outcome.failed_calls:  # the run goes on
        return f"evaluator '{call.evaluator}' failed: {call.error}", call.traceback
    assert outcome.status == "failed"
    return failure_line(outcome), outcome.traceback
