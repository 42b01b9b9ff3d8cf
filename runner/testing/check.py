"""A component found, composed and trained a few steps in every engine, for plugins' own tests."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.components.kinds import KINDS
from runner.components.registry import load
from runner.config.compose import compose
from runner.errors import ConfigError, RunnerError, choices
from runner.record.outcome import Outcome
from runner.sweep.batch import train_all
from runner.sweep.plan import plan

ENGINES = ("keras", "fast", "packed")
TINY = ("epochs=2", "limit_batches=2", "regularizer=[]", "print_every=1000", "skip=nothing")
"""As little training as shows that it works."""
CLOSE = 1e-3
"""How far the losses of the engines may be apart, as a share of the loss."""


@dataclass
class Checked:
    """What came of a component in every engine."""

    outcomes: dict[str, Sequence[Outcome]] = field(default_factory=dict)
    """Engine that was asked for -> the outcomes of two runs, which differ in their seed."""

    @property
    def losses(self) -> dict[str, list[float]]:
        """Engine -> the training losses of its first run."""
        return {engine: runs[0].losses for engine, runs in self.outcomes.items()}


def check_component(kind: str, name: str, *overrides: str) -> Checked:
    """Train two tiny runs with a component in each engine; what came of them.

    kind: such as "architecture". name: the component's. overrides: more of the config, such as
        the dataset that it is for; the default is digits with the default network.

    Raises AssertionError with the run's own error and traceback where one fails, where an
    evaluator does, where a loss is no number, or where the engines' losses are apart;
    RunnerError where the plugin is not found, breaks its contract, or cannot be composed.
    """
    if kind not in KINDS:
        raise ConfigError(f"there is no kind '{kind}' to be trained with: {choices(kind, KINDS)}")
    load().find(kind, name)
    chosen = f"{KINDS[kind].key}={f'[{name}]' if KINDS[kind].many else name}"
    checked = Checked()
    with tempfile.TemporaryDirectory() as folder:
        for engine in ENGINES:
            words = [*TINY, chosen, *overrides, f"engine={engine}", f"results={folder}"]
            checked.outcomes[engine] = _trained(words, Path(folder))
    first = checked.losses[ENGINES[0]]
    for engine, losses in checked.losses.items():
        apart = [abs(a - b) / max(abs(a), 1e-6) for a, b in zip(first, losses, strict=True)]
        assert max(apart) < CLOSE, f"{engine} has other losses than keras: {losses}, not {first}"
    return checked


def _trained(words: Sequence[str], folder: Path) -> list[Outcome]:
    """The outcomes of two runs that differ in their seed, trained together."""
    runs = [plan(*compose([*words, f"seed={seed}"]), words, base=folder) for seed in (0, 1)]
    results = train_all(runs)
    outcomes = []
    for run in runs:
        result = results[run.run_id]
        if isinstance(result, RunnerError):
            raise result
        assert result.status == "finished", f"{result.error}\n{result.traceback or ''}"
        for call in result.failed_calls:
            raise AssertionError(f"evaluator '{call.evaluator}': {call.error}\n{call.traceback}")
        assert all(map(math.isfinite, result.losses)), f"losses that are no numbers: {result}"
        outcomes.append(result)
    return outcomes
