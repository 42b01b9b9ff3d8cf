"""Templates that later calls on the same data borrow: traced, proven, perhaps compiled.

A search trains batch after batch of one shape in one process, and to trace a pack takes longer
than to train small models for some epochs. What is remembered holds copies of the data, so it
goes when they do.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.data.prepare import Prepared
from runner.engines.contract import Job
from runner.engines.packed.replay import Replay
from runner.engines.packed.start import Start
from runner.engines.packed.template import Template
from runner.engines.structure.symbols import Shape

KEPT = 16
"""How many templates are remembered; each holds a model."""
KEPT_WEIGHTS = 5_000_000
"""How many weights their models may have together, but for the latest."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Known:
    """A template that has proven itself, and what was learned of those that it trains."""

    key: Key
    kind: str
    """What the configs of its jobs have in common."""
    template: Template
    replay: Replay


class SharedTemplates:
    """The templates of the data that were trained on last, the latest last."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._data: weakref.ref[Prepared] | None = None
        self._kinds: set[str] = set()
        """The kinds of jobs that came alone on these data, though more were to follow."""

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def borrow(self, job: Job, start: Start, shape: Shape, varying: Sequence[str]) -> Template:
        """A remembered template by which the job trains, else a new one.

        job: its recipe is built. varying: of the recipe's numbers, those that may differ.
        """
        key, like = _key(job, shape, varying), None
        self._hold(job.data)
        for number, one in self._known.items():
            like = one.template
            if one.key == key and like.admits(start):
                self._known.move_to_end(number)
                return like
        return Template(job, shape, varying, like)

    def known(self, job: Job, kind: str) -> Known | None:
        """The latest that is known of jobs of the kind, on the job's data."""
        if self._data is None or self._data() is not job.data:
            return None
        for number, one in reversed(self._known.items()):
            if one.kind == kind:
                self._known.move_to_end(number)
                return one
        return None

    def is_wanted(self, job: Job, kind: str) -> bool:
        """Whether a template for a job that comes alone would be of use: for the second of a kind.

        More of that kind are likely to follow then.
        """
        if job.more is None:
            return False
        self._hold(job.data)
        before = kind in self._kinds
        self._kinds.add(kind)
        return before

    def remember(
        self, template: Template, job: Job, kind: str, shape: Shape, replay: Replay
    ) -> None:
        """Keep a template that has proven itself, as long as its data are there.

        replay: of the jobs that were built for it, the first of which is the job.
        """
        self._hold(job.data)
        if template.is_lasting:
            key = _key(job, shape, replay.varying)
            self._known[id(template)] = Known(key, kind, template, replay)
        while len(self._known) > 1 and (len(self._known) > KEPT or self._weights > KEPT_WEIGHTS):
            self._known.popitem(last=False)

    def _hold(self, data: Prepared) -> None:
        """Let go of what belongs to other data; what comes now goes when these do."""
        if self._data is None or self._data() is not data:
            self.forget()
            self._data = weakref.ref(data, lambda _: self.forget())

    @property
    def _weights(self) -> int:
        return sum(one.template.weights for one in self._known.values())

    def forget(self) -> None:
        """Let go of every template, and of the data in them."""
        self._known.clear()
        self._kinds.clear()
        self._data = None


def _key(job: Job, shape: Shape, varying: Sequence[str]) -> Key:
    """The key that jobs must have in common.

    The same numbers vary: arithmetic with an input rounds otherwise than with a constant.
    """
    settings = job.config.settings
    return (
        shape.structure,
        tuple(varying),
        settings.batch_size,
        settings.limit_batches,
        settings.precision,
        settings.quick_kernels,
        settings.device,
    )
