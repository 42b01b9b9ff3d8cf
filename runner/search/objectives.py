"""What makes one trial better than another: objectives, constraints, and the outcome of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.components.search_types import Trial
from runner.config.settings import SearchSettings
from runner.errors import ConfigError

Values = Mapping[str, tuple[float, str]]
"""Metric -> a run's value, and which end of it is better: min, max, or empty."""
BOUND = re.compile(r"\s*(?P<metric>[A-Za-z_][\w.]*)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>\S+)\s*")
SPLITS = {"train.": "", "val.": "val_", "test.": "test_"}


@dataclass(frozen=True)
class Constraint:
    """A bound that a usable run keeps: `parameters<1e6`."""

    text: str
    metric: str
    sign: str
    bound: float

    def violation(self, value: float) -> float:
        """How far the value breaks it; 0 or less where it does not."""
        beyond = self.bound - value if self.sign[0] == ">" else value - self.bound
        if beyond == 0 and self.sign in "<>":
            return math.ulp(0.0)
        return math.inf if math.isnan(beyond) else beyond


@dataclass(frozen=True)
class Aims:
    """What a search is to better, and within which bounds."""

    objectives: tuple[str, ...]
    """Metrics; none where it is what the runs monitor."""
    constraints: tuple[Constraint, ...]

    @property
    def count(self) -> int:
        """How many objectives there are."""
        return max(1, len(self.objectives))

    @property
    def metrics(self) -> list[str]:
        """All metrics that are named."""
        return list(dict.fromkeys([*self.objectives, *(one.metric for one in self.constraints)]))

    def trial(
        self, params: Mapping[str, object], sampler: str, monitor: str, values: Values, status: str
    ) -> Trial:
        """What a run that ended came to; of one that failed, infinity."""
        is_usable = status in ("finished", "stopped")
        known = values if is_usable else {}
        violations = tuple(
            one.violation(known.get(one.metric, (math.nan, ""))[0]) for one in self.constraints
        )
        losses = tuple(_loss(known.get(name)) for name in self.objectives or (monitor,))
        if any(violation > 0 for violation in violations) or not all(map(math.isfinite, losses)):
            losses = (math.inf,) * self.count
        return Trial(dict(params), losses, violations, sampler, status == "stopped")


def aims_of(search: SearchSettings) -> Aims:
    """The aims that `search.objectives` and `search.require` state; ConfigError if one is odd."""
    objectives = tuple(plain_name(name) for name in search.objectives or ())
    if len(set(objectives)) < len(objectives):
        raise ConfigError(
            f"search.objectives=[{','.join(objectives)}] is not valid: it names one twice"
        )
    required = [search.require] if isinstance(search.require, str) else search.require or []
    texts = [text for line in required for text in line.split(",") if text.strip()]
    return Aims(objectives, tuple(map(_constraint, texts)))


def plain_name(metric: str) -> str:
    """The metric as the warehouse has it: `test.accuracy` is test_accuracy."""
    for split, prefix in SPLITS.items():
        if metric.startswith(split):
            return prefix + metric.removeprefix(split)
    return metric


def front(trials: Sequence[Trial]) -> list[int]:
    """The places of the trials that no other betters in all objectives at once, in their order."""
    usable = [place for place, trial in enumerate(trials) if all(map(math.isfinite, trial.values))]
    return [
        place
        for place in usable
        if not any(_dominates(trials[other].values, trials[place].values) for other in usable)
    ]


def best_places(trials: Sequence[Trial], count: int) -> list[int]:
    """The places of the best trials of different configurations, the best first."""
    ordered = sorted(range(len(trials)), key=lambda place: (trials[place].values[0], place))
    places: list[int] = []
    for place in ordered:
        is_new = all(trials[place].params != trials[other].params for other in places)
        if math.isfinite(trials[place].values[0]) and is_new and len(places) < count:
            places.append(place)
    return places


def _constraint(text: str) -> Constraint:
    match = BOUND.fullmatch(text)
    try:
        bound = float(match["bound"]) if match else math.nan
    except ValueError:
        bound = math.nan
    if match is None or math.isnan(bound):
        raise ConfigError(
            f'search.require="{text.strip()}" is not valid: give a metric, <, <=, > or >= and a '
            'number, such as "parameters<1e6" or "test.accuracy>=0.9"'
        )
    return Constraint(text.strip(), plain_name(match["metric"]), match["sign"], bound)


def _loss(value: tuple[float, str] | None) -> float:
    """The value turned so that less is better; infinity where it is none."""
    if value is None or not math.isfinite(value[0]):
        return math.inf
    return -value[0] if value[1] == "max" else value[0]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
