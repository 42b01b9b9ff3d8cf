"""Engine `packed`: runs of one shape train side by side, as one program.

It groups what is alike, trains each group as packs, and hands what cannot be packed to engine
`fast`, with the reason.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from runner.backend.devices import is_mirrored, tensorflow_on, usable_processors
from runner.backend.names import Unsupported
from runner.backend.tensorflow_private import NotMapped, kernels_kept
from runner.components.kinds import KINDS
from runner.components.types import Recipe, Stream
from runner.config.config import Config
from runner.config.settings import Settings
from runner.engines.contract import Job
from runner.engines.evaluators import needs_the_model
from runner.engines.fast.engine import FastEngine, declines
from runner.engines.fast.shared import odd
from runner.engines.lifecycle import built, fail, insists, release
from runner.engines.packed.group import Group, train_together
from runner.engines.packed.pack import Pack
from runner.engines.packed.replay import (
    Draw,
    Replay,
    Unforeseen,
    built_with_draws,
    draws_of,
)
from runner.engines.packed.shared import SharedTemplates
from runner.engines.packed.start import Start, start_of
from runner.engines.packed.template import Template
from runner.engines.structure.symbols import shape_of
from runner.errors import in_one_line
from runner.record.events import OnEvent

SHARED = SharedTemplates()
ROWS = 16
"""Members of a pack: more of them gain little, and each costs memory."""
LEAST_ROWS = 8
"""With fewer than that, one pack on one thread is better than two."""
LANES = 8
WORTH_COMPILING = 8_000_000_000
"""Epochs of all members times rows times weights, from which on a compilation by XLA pays."""
CLOSE = 2e-5
"""How far the loss of the first steps may be from Keras' own: rounding, no more."""
HEAVY = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "While", "StatelessWhile"}
"""Ops that gain nothing on a processor by being done for many members at once."""
HEAVY_STEP = 50_000_000
"""Weights times batch size, from which on a step's products are work enough."""
ALONE = "no other run has its shape"
OWN = {"seed", "epochs", "checkpoint", "engine", "strict", "skip", "retry", "results"}
"""Settings in which the members of a pack may differ."""


class PackedEngine:
    """Engine `packed`: packs where it pays; the rest goes to engine `fast`."""

    name = "packed"

    def __init__(self) -> None:
        self._fast = FastEngine()

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """TensorFlow on the device that the settings name."""
        return tensorflow_on(settings.device, settings.deterministic)

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Train the jobs, those of one shape together."""
        groups: dict[str, list[Job]] = {}
        for job in jobs:
            groups.setdefault(structure_of(job.config), []).append(job)
        for group in groups.values():
            left = group
            if group[0].more is not None:
                left = self._train_known(group, record)
            while left:
                left = self._train_some(left, record)

    def _train_known(self, jobs: Sequence[Job], record: OnEvent) -> list[Job]:
        """Train those jobs for which a program is there from an earlier call; the others are left.

        Nothing of them need be built, but what holds a new extreme of a param.
        """
        began = time.perf_counter()
        known = (
            SHARED.known(jobs[0], structure_of(jobs[0].config))
            if _declined(jobs[0]) is None
            else None
        )
        if known is None:
            return list(jobs)
        alike, left = self._probe(known.replay, jobs, record, keep=True)
        if alike:
            self._train_alike(lambda: known.template, known.replay, alike, left, record, began)
        return left

    def _train_some(self, jobs: Sequence[Job], record: OnEvent) -> list[Job]:
        """Train the first job's like; the others are left."""
        first, *others = jobs
        began = time.perf_counter()
        if (reason := _declined(first)) is not None:
            self._alone(jobs, reason, record)
            return []
        if not others and not SHARED.is_wanted(first, structure_of(first.config)):
            self._alone(jobs, ALONE, record)
            return []
        drawn: dict[int, Draw] = {}
        model = replace(first, make=functools.partial(_recording, first, drawn))
        if first.stop() or not built(model, record, self.name):
            return others
        recipe = model.recipe
        if (reason := declines(model) or odd(recipe) or _branches(recipe)) is not None:
            self._alone([model, *others], reason, record)  # which is built already
            return []
        shape = shape_of(model.recipe)
        start = start_of(model.recipe, shape)
        replay = Replay(first, start, draws_of(model.recipe, drawn))
        alike, left = self._probe(replay, jobs, record)
        if len(alike) == 1 and others:
            release(model)  # others were built since: random numbers would go on from theirs
            self._alone(alike, ALONE, record)
            return left

        def template() -> Template:
            return SHARED.borrow(model, start, shape, replay.varying)

        if (proven := self._train_alike(template, replay, alike, left, record, began)) is not None:
            SHARED.remember(proven, model, structure_of(first.config), shape, replay)
        return left

    def _train_alike(
        self,
        template_of: Callable[[], Template],
        replay: Replay,
        alike: Sequence[Job],
        left: list[Job],
        record: OnEvent,
        began: float,
    ) -> Template | None:
        """Train jobs of one shape as packs, and give their template; each alone where none can be.

        left: where jobs go that the template does not admit.
        """
        reason: str | None = None
        error: Exception | None = None
        first = alike[0]
        try:
            template = template_of()
            lanes, rows, compiled = _room(alike, template)
            if (far := template.difference(rows, compiled)) > CLOSE:
                reason = f"its loss would differ from Keras' own by {far:.1g}"
            program = template.program(rows, compiled)
            if first.config.settings.xla == "always" and not program.is_compiled:
                print("warning: XLA cannot compile the training of a pack", file=sys.stderr)
        except (NotMapped, Unsupported) as known:
            reason = str(known)
        except Exception as raised:
            # Whatever a model's code does while it is traced, it may still train alone.
            reason, error = _surprise(raised), raised
        if reason is not None:
            self._alone(alike, reason, record, error)
            return None
        count = len(alike)
        group = Group(
            template,
            deque(alike),
            functools.partial(self._start, replay, record),
            left,
            name=self.name,
            reason=f"{count} run{'s' if count > 1 else ''} from {first.start.run_id}",
            runs=count,
            prepared=time.perf_counter() - began,
        )
        train_together([Pack(group, rows, compiled, record) for _ in range(lanes)])
        return template

    def _probe(
        self, replay: Replay, jobs: Sequence[Job], record: OnEvent, keep: bool = False
    ) -> tuple[list[Job], list[Job]]:
        """Build the jobs with extreme params; those like the built ones, and the others.

        keep: the programs that are there stay optimized, unless it turns out that what is built
        may draw its values by ops that have to begin anew.
        """
        alike, left = list(jobs), []
        while probes := replay.extremes(alike):
            for job in probes:
                with kernels_kept() if keep else contextlib.nullcontext():
                    start = self._built_start(job, record)
                if keep and start is not None and not replay.foretells(job, start):
                    start = self._built_start(job, record)
                if start is not None and start.structure == replay.structure:
                    replay.add(job, start)
                    continue
                alike = [other for other in alike if other is not job]
                if start is not None:
                    left.append(job)
        return alike, left

    def _start(self, replay: Replay, record: OnEvent, job: Job) -> Start | None:
        """Build the job for its start; None where it cannot be built, which is then recorded."""
        try:
            return replay.start(job)
        except Unforeseen:
            return self._built_start(job, record)

    def _built_start(self, job: Job, record: OnEvent) -> Start | None:
        if not built(job, record, self.name):
            return None
        try:
            return start_of(job.recipe)
        finally:
            release(job)

    def _alone(
        self, jobs: Sequence[Job], reason: str, record: OnEvent, error: Exception | None = None
    ) -> None:
        """Have the jobs trained one by one, unless they insist on packs.

        error: where the reason is no rule, what was raised. It may be a bug, and who insists is
        shown it as one.
        """
        for job in jobs:
            settings = job.config.settings
            if settings.engine != self.name or not settings.strict:
                self._fast.train_one(job, record, f"packed declines: {reason}")
            elif error is not None:
                fail(job, record, self.name, error)
            else:
                insists(job, record, self.name, reason)


def _recording(job: Job, drawn: dict[int, Draw]) -> Recipe:
    """Build the job's recipe, and note what its variables were drawn from."""
    recipe, draws = built_with_draws(job.make, job.config.settings.seed)
    drawn.update(draws)
    return recipe


def _surprise(error: Exception) -> str:
    """The reason of a decline that is no rule. A test in which one happens fails (conftest.py)."""
    return in_one_line(error)


def _room(jobs: Sequence[Job], template: Template) -> tuple[int, int, bool]:
    """How many packs train at once, the rows of each, and whether XLA compiles their training.

    A program of small steps keeps one processor busy. Where one member's step is work enough for
    a processor, a row has nothing to gain by neighbours, and each pack is of one.
    """
    count, most = len(jobs), min(usable_processors(), LANES)
    asked, more = jobs[0].config.settings.xla, jobs[0].more
    if template.ops & HEAVY or template.weights * template.batch > HEAVY_STEP:
        return min(most, count), 1, asked == "always"
    if more is not None:
        rows, compiled = _room_in_search(jobs, template, asked, more)
        return min(most, -(-count // rows)), rows, compiled
    lanes = max(1, min(most, count // LEAST_ROWS))
    rows = min(ROWS, -(-count // lanes))
    worth = rows > 1 and _work(jobs, template) > WORTH_COMPILING
    return lanes, rows, worth if asked == "auto" else asked == "always"


def _room_in_search(
    jobs: Sequence[Job], template: Template, asked: str, more: float
) -> tuple[int, bool]:
    """The rows of packs, and whether XLA compiles their training, where more jobs will follow.

    Packs have one of two sizes, whatever the number of jobs: a program of another size takes
    longer to trace than free rows cost, and where not, a pack shrinks by itself. XLA compiles for
    one of the two at most. Of the jobs to come, a template is expected to have its share so far.
    """
    rows = LEAST_ROWS if len(jobs) <= ROWS else ROWS
    if asked != "auto":
        return rows, asked == "always"
    if template.compiled_rows is None:
        work = _work(jobs, template)
        template.work += work
        if work + template.work * more <= WORTH_COMPILING:
            return rows, False
    return template.compiled_rows or rows, True


def _work(jobs: Sequence[Job], template: Template) -> int:
    """Epochs of all jobs, times training rows, times weights."""
    epochs = sum(job.config.settings.epochs for job in jobs)
    return epochs * template.taken * template.weights


def structure_of(config: Config) -> str:
    """Equal for runs that may share a program, as far as their configs tell."""
    kinds = {*(kind.key for kind in KINDS.values()), "heads"}
    plain = {
        key: _without_numbers(value) if key in kinds else value
        for key, value in config.plain().items()
        if key not in OWN
    }
    return json.dumps(plain, sort_keys=True)


def _without_numbers(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_numbers(item) for key, item in node.items()}
    if isinstance(node, int | float) and not isinstance(node, bool):
        return 0
    return node


def _branches(recipe: Recipe) -> str | None:
    """Why the recipe's optimizer cannot be mapped over members, if it cannot."""
    if recipe.model.optimizer.gradient_accumulation_steps:
        return "its optimizer accumulates gradients, and does something else in some steps"
    return None


def _declined(job: Job) -> str | None:
    """Why the job cannot be packed, as far as its config and data tell."""
    splits = job.data.splits
    if is_mirrored():
        return "device=all has every run on all devices"
    if job.resume is not None:
        return "a resumed run goes on alone"
    if job.config.settings.deterministic:
        return "deterministic=true asks for the last bit, and neighbours move it"
    if job.config.settings.precision == "mixed_float16":
        return "mixed_float16 scales its loss"
    if job.config.settings.record_steps is not None:
        return "record_steps asks for losses inside of an epoch"
    if isinstance(splits.train, Stream):
        return "its data are a stream"
    return needs_the_model(job.config)
