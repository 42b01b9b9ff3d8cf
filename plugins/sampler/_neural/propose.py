"""A batch of configurations: whose turn it is, and what each finds the most promising."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runner import History, Params, Suggestion

from . import gate
from .candidates import candidates, within
from .encode import loss
from .models import Models, models
from .prior import Prior
from .process import Posterior, log_expected_improvement

Array = NDArray[np.float64]
BEST = 3
"""How many of the best trials have their neighbours among the candidates."""
PULL = 20
"""Of piBO (arXiv:2204.11051): the weight of other tasks after one trial; it falls with trials."""
SLOTS = ("learned", "pull")
"""They take turns: improvement on what other tasks taught, and the process alone, pulled by it."""


@dataclass
class Choice:
    """Candidates, what is known of them, and which were chosen."""

    codes: Array
    """(candidates, dimensions)"""
    expected: Array
    """What other tasks expect of each (candidates,)."""
    learned: Posterior
    """Of the difference to what they expect."""
    plain: Posterior
    """Of the outcome, as if there were no other tasks."""
    best: dict[str, float]
    """The lowest mean of a trial, by either."""
    trials: int
    taken: list[int] = field(default_factory=list)

    def mean(self, slot: str) -> Array:
        """The outcome to expect (candidates,)."""
        return self.plain.mean if slot == "plain" else self.expected + self.learned.mean

    def believe(self, index: int) -> None:
        """Take a candidate for tried, its outcome as expected."""
        self.best["learned"] = min(self.best["learned"], self.mean("learned")[index])
        self.best["plain"] = min(self.best["plain"], self.plain.mean[index])
        self.learned.believe(index)
        if self.plain is not self.learned:
            self.plain.believe(index)

    def scores(self, slot: str) -> Array:
        """How promising every candidate is: more is better (candidates,)."""
        if slot == "learned":
            mean = self.mean("learned")
            return log_expected_improvement(mean, self.learned.variance, self.best["learned"])
        scores = log_expected_improvement(self.plain.mean, self.plain.variance, self.best["plain"])
        if slot == "pull":
            scores = scores - PULL / max(self.trials, 1) * self.expected
        return scores

    def share(self, slot: str) -> float:
        """The share that other tasks had in the order of the candidates, from 0 to 1."""
        if slot == "plain":
            return 0.0
        taught = np.std(self.expected)
        learned = np.std(self.learned.mean)
        if slot == "pull":
            taught = taught * PULL / max(self.trials, 1)
            learned = np.std(self.scores("plain"))
        return float(taught / (taught + learned)) if taught else 0.0


def propose(
    prior: Prior,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    structures: int | None,
) -> Iterator[Suggestion]:
    """Suggest up to n configurations, none that was tried or is pending."""
    rng = np.random.default_rng([seed, len(history.trials), len(pending)])
    encoding = prior.encoding
    tried = encoding.codes([trial.params for trial in history.trials])
    losses = np.array([loss(trial) for trial in history.trials], dtype=float)
    waiting = encoding.codes(list(pending))
    known = models(prior, tried, losses)
    best = tried[np.argsort(losses, kind="stable")[:BEST]]
    besides = np.vstack([tried, waiting])
    codes, expected = candidates(encoding, prior.pool(seed), best, besides, rng)
    choice = _choice(known, codes, expected, waiting)
    trust = gate.trust(known.evidence) if prior.network is not None else 0.0
    chosen = waiting[:0]
    for index in range(n):
        if structures is not None and _structures(encoding.structural, chosen) == structures:
            # No more structures than fit: from now on only numbers vary.
            codes = within(encoding, prior.pool(seed), chosen, np.vstack([besides, chosen]), rng)
            if len(codes):
                unknown = np.full((len(codes), expected.shape[1]), np.nan)
                choice = _choice(known, codes, unknown, np.vstack([waiting, chosen]))
            structures = None
        if len(choice.taken) == len(choice.codes):
            return
        slot = SLOTS[(len(known.losses) + index) % len(SLOTS)] if rng.random() < trust else "plain"
        row = _pick(choice, slot)
        chosen = np.vstack([chosen, choice.codes[row]])
        yield _suggestion(prior, known, choice, slot, row)
        choice.believe(row)


def _choice(known: Models, codes: Array, expected: Array, waiting: Array) -> Choice:
    """What is known of candidates, where those that wait count as tried."""
    unknown = np.full((len(waiting), expected.shape[1]), np.nan)
    expected = np.vstack([expected, unknown])
    learned, plain, expected = known.at(np.vstack([codes, waiting]), expected)
    expected = expected[:, 0]
    best = {
        "learned": known.best(learned, expected, learned=True),
        "plain": known.best(plain, expected, learned=False),
    }
    choice = Choice(codes, expected, learned, plain, best, len(known.losses))
    for index in range(len(codes), len(codes) + len(waiting)):
        choice.believe(index)
    choice.learned.cut(len(codes))
    choice.plain.cut(len(codes))
    choice.expected = expected[: len(codes)]
    return choice


def _structures(structural: NDArray[np.bool_], codes: Array) -> int:
    return len(np.unique(codes[:, structural], axis=0)) if len(codes) else 0


def _pick(choice: Choice, slot: str) -> int:
    scores = choice.scores(slot)
    scores[choice.taken] = -np.inf
    row = int(np.argmax(scores))
    choice.taken.append(row)
    return row


def _suggestion(prior: Prior, known: Models, choice: Choice, slot: str, row: int) -> Suggestion:
    posterior = choice.plain if slot == "plain" else choice.learned
    # Among the trials of this search, as they come to be compared with what they were.
    middle, scale = (0.0, 1.0) if slot == "plain" else known.place
    return Suggestion(
        prior.encoding.params(choice.codes[row]),
        slot,
        mean=(float(choice.mean(slot)[row]) - middle) / scale,
        deviation=float(np.sqrt(posterior.variance[row])) / scale,
        prior=choice.share(slot),
        evidence=known.evidence,
    )
