"""Which runs of a sweep are hopeless: their curves, and the pruner that is asked about each.

Runs report first and are judged after, so that those that train side by side are compared when all
of them have ended the epoch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.components.search_types import Curve
from runner.components.types import Mode
from runner.config.config import Choice
from runner.errors import in_one_line
from runner.system.terminal import complain

NONE = "none"
"""The name of the pruner that stops nothing."""


@dataclass(frozen=True)
class Rivals:
    """Which runs may be compared: those of the same data, by the same metric."""

    identity: str
    """Of the data."""
    monitor: str
    mode: Mode


@dataclass(frozen=True)
class Earlier:
    """The curves that were there before."""

    others: Mapping[str, Curve] = field(default_factory=dict)
    """Run id -> its curve, of the same sweep, in the order in which they began."""
    past: Sequence[Curve] = ()
    """Of finished runs of other tasks."""


Look = Callable[[Rivals], Earlier]


class Pruning:
    """The pruner of a sweep, and the curves of its runs."""

    def __init__(self, pruner: Choice, look: Look) -> None:
        """look: finds the curves of the earlier runs; called when first needed, and anew after
        `refresh`."""
        self._pruner, self._look = pruner, look
        self._earlier: dict[Rivals, Earlier] = {}
        self._curves: dict[Rivals, dict[str, Curve]] = {}
        self._numbers: dict[str, int] = {}
        """Run id -> its place among the runs of this process."""
        self._raised = False

    def refresh(self) -> None:
        """Look for earlier runs again: other processes may have trained some."""
        self._earlier.clear()

    def run(self, run_id: str, identity: str, epochs: int) -> RunPruning:
        """The pruning of the next run of the sweep.

        identity: of its data. epochs: how many it may have.
        """
        self._numbers[run_id] = len(self._numbers)
        return RunPruning(self, run_id, identity, epochs)

    def report(self, rivals: Rivals, run_id: str, value: float) -> None:
        """Take the value of the run's next epoch; less is better."""
        curves = self._curves.setdefault(rivals, {})
        if run_id not in curves:
            number = len(self._earlier_of(rivals).others) + self._numbers[run_id]
            curves[run_id] = Curve((), number=number)
        curve = curves[run_id]
        curves[run_id] = dataclasses.replace(curve, values=(*curve.values, value))

    def end(self, rivals: Rivals, run_id: str, status: str) -> None:
        """Note how the run ended: a status, or `pruned`."""
        curves = self._curves[rivals]
        curves[run_id] = dataclasses.replace(curves[run_id], status=status)

    def verdict(self, rivals: Rivals, run_id: str, epochs: int) -> str | None:
        """Why the run is hopeless after the epochs that it has reported, if it is."""
        if self._raised:
            return None
        curves, earlier = self._curves[rivals], self._earlier_of(rivals)
        curve = curves[run_id]
        offers = {
            "curve": curve,
            "epoch": len(curve.values),
            "epochs": epochs,
            "others": [
                *earlier.others.values(),
                *(other for other_id, other in curves.items() if other_id != run_id),
            ],
            "past": earlier.past,
            "number": curve.number,
            "show": _shown if rivals.mode == "min" else _shown_negative,
        }
        name = self._pruner.component.name
        try:
            answer = self._pruner(**offers)
        except Exception as error:
            self._raised = True
            complain(
                f"warning: the pruner {name} raised {in_one_line(error)}; the runs go on, and it "
                "is not asked again"
            )
            return None
        if not isinstance(answer, str):
            return f"by {name}" if answer else None
        return f"by {name}: {answer}" if answer else None

    def _earlier_of(self, rivals: Rivals) -> Earlier:
        """What was there before, without the runs of this process, which it may name too."""
        if rivals not in self._earlier:
            earlier = self._look(rivals)
            others = {
                run_id: curve
                for run_id, curve in earlier.others.items()
                if run_id not in self._numbers
            }
            self._earlier[rivals] = dataclasses.replace(earlier, others=others)
        return self._earlier[rivals]


class RunPruning:
    """The pruning of one run, as its engine gets it."""

    def __init__(self, pruning: Pruning, run_id: str, identity: str, epochs: int) -> None:
        self._pruning, self._run_id = pruning, run_id
        self._identity, self._epochs = identity, epochs
        self._rivals: Rivals | None = None
        """Known from its first epoch on: the recipe says what is monitored."""

    def report(self, monitor: str, mode: Mode, value: float) -> None:
        """Take the monitor's value of an epoch that is over."""
        self._rivals = Rivals(self._identity, monitor, mode)
        self._pruning.report(self._rivals, self._run_id, value if mode == "min" else -value)

    def verdict(self) -> str | None:
        """Why the run is hopeless, if it is: `by median: 0.91 is worse than ...`."""
        if self._rivals is None:
            return None
        return self._pruning.verdict(self._rivals, self._run_id, self._epochs)

    def end(self, status: str) -> None:
        """Note how the run ended: a status, or `pruned`."""
        if self._rivals is not None:
            self._pruning.end(self._rivals, self._run_id, status)


def _shown(value: float) -> str:
    return "no number" if math.isinf(value) else f"{value:.4g}"


def _shown_negative(value: float) -> str:
    return _shown(-value)
