"""Templates that later calls on the same data borrow: traced, proven, perhaps compiled.

A search trains batch after batch of one shape in one process, and to trace a pack takes longer
than to train small models for some epochs. What is remembered holds copies of the data, so it
goes when they do.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from runner.data.prepare import Prepared
from runner.engines.contract import Job
from runner.engines.packed.start import Start
from runner.engines.packed.template import Template
from runner.engines.structure.symbols import Shape

KEPT = 4
"""How many templates are remembered; each holds a model."""

Key = tuple[Any, ...]


class SharedTemplates:
    """The templates of the data that were trained on last, the latest last."""

    def __init__(self) -> None:
        self._templates: OrderedDict[int, tuple[Key, Template]] = OrderedDict()
        self._data: weakref.ref[Prepared] | None = None

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._templates)

    def borrow(self, job: Job, start: Start, shape: Shape, varying: Sequence[str]) -> Template:
        """A remembered template by which the job trains, else a new one.

        job: its recipe is built. varying: of the recipe's numbers, those that may differ.
        """
        key, like = _key(job, shape, varying), None
        if self._data is None or self._data() is not job.data:
            self.forget()
        for number, (other, like) in self._templates.items():
            if other == key and like.admits(start):
                self._templates.move_to_end(number)
                return like
        return Template(job, shape, varying, like)

    def remember(self, template: Template, job: Job, shape: Shape, varying: Sequence[str]) -> None:
        """Keep a template that has proven itself, as long as its data are there."""
        if self._data is None:
            self._data = weakref.ref(job.data, lambda _: self.forget())
        if template.is_lasting:
            self._templates[id(template)] = _key(job, shape, varying), template
        while len(self._templates) > KEPT:
            self._templates.popitem(last=False)

    def forget(self) -> None:
        """Let go of every template, and of the data in them."""
        self._templates.clear()
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
