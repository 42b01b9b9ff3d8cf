"""One built recipe that stands for all of its shape, the data, and the program made of both."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from runner.backend.seeds import seed_generators
from runner.backend.tensorflow_private import NotMapped
from runner.data.class_weights import weighted
from runner.data.prepare import Prepared, parts
from runner.data.stream import example_of, rows_of
from runner.engines.arrays import MemberNumbers, Rows, Tensor
from runner.engines.contract import Job
from runner.engines.packed.program import Program
from runner.engines.packed.pure import Pure
from runner.engines.packed.stack import Stack
from runner.engines.packed.start import Start
from runner.engines.structure.member_number import Decision, MemberNumber
from runner.engines.structure.symbols import Shape, Structural, bound
from runner.model.averages import makes_averages
from runner.model.build import steps

PROOF_STEPS = 3
"""After one step, an optimizer's memory of the steps before it does not show yet."""


class Template:
    """A recipe that stands for all of its shape, with its data and its program."""

    def __init__(
        self, job: Job, shape: Shape, varying: Sequence[str], like: Template | None = None
    ) -> None:
        """job: its recipe is built; shape: that recipe taken apart.

        varying: of the recipe's numbers, those that may differ between members.
        like: one on the same data, which are then shared with it.

        Raises NotMapped where the model has an op that cannot be mapped, Unsupported where a
        private name of Keras or TensorFlow is gone.
        """
        import tensorflow as tf

        self._lock = threading.RLock()
        self.recipe, self.shape, self.paths = job.recipe, shape, list(varying)
        self.averages = makes_averages(self.recipe.model.optimizer)
        """Whether other weights are evaluated and kept than those that are trained."""
        model, size = self.recipe.model, job.config.settings.batch_size
        self.rows: Rows
        self.parts: dict[str, Rows]
        self.rows, self.parts = (like.rows, like.parts) if like else _resident(job.data)
        self.count = rows_of(job.data.splits.train)
        self.taken = min(self.count, steps(job.config, job.data) * size)
        self.batch = size
        # The model makes its metrics' variables when it first evaluates.
        model.test_step(tf.nest.map_structure(lambda part: part[:1], self.rows[:2]))
        model.reset_metrics()
        self.decisions: list[Decision] = []
        self.pure = Pure(model, seed_generators(model))
        weights = {id(weight) for weight in model.weights}
        self._kept = {i for i, v in enumerate(self.pure.variables) if id(v) in weights}
        self.weights = sum(int(np.prod(weight.shape)) for weight in self.pure.trainable)
        self.fresh = [variable.numpy() for variable in self.pure.variables]
        self._kernels = job.config.settings.quick_kernels
        self._spare: Program | None = self._program()
        self.is_lasting = not self._spare.draws_globally
        """Whether it may be traced anew after other models were built."""
        self._programs: dict[int, Program] = {}
        """Members of a pack -> its program, compiled by XLA; 0 -> that of any number of them."""
        self._differences: dict[tuple[int, bool], float] = {}
        self._traced: set[tuple[int, bool]] = set()
        self.work = 0
        """What searches have had trained by it: epochs times rows times weights."""
        self._traced_seconds = 0.0
        """How long it took to trace, and to compile, all that the last proven pack needs."""

    def _program(self) -> Program:
        while True:
            program = Program(
                self.pure, self._bind, len(self.paths), self.rows, self.batch, self._kernels
            )
            try:
                self.ops = program.ops
                return program
            except Structural as error:
                self.paths.remove(error.path)
                self.decisions.clear()

    @contextlib.contextmanager
    def _bound(self, values: Mapping[str, Any]) -> Iterator[None]:
        """Put values in the places of numbers; packs on other threads may be tracing, too."""
        with self._lock, bound(self.shape.places, values):
            yield

    def _bind(self, numbers: Tensor) -> AbstractContextManager[None]:
        values = {
            path: MemberNumber(numbers[i], self.shape.numbers[path], path, self.decisions)
            for i, path in enumerate(self.paths)
        }
        return self._bound(values)

    def admits(self, start: Start) -> bool:
        """Whether a run that begins so trains by this program."""
        same = {path for path in self.shape.numbers if path not in self.paths}
        return (
            start.structure == self.shape.structure
            and all(start.numbers[path] == self.shape.numbers[path] for path in same)
            and all(decision.holds(start.numbers[decision.path]) for decision in self.decisions)
        )

    def numbers(self, start: Start) -> list[float]:
        """The run's own numbers, in the order in which the program takes them."""
        return [start.numbers[path] for path in self.paths]

    def values(self, start: Start) -> list[Any]:
        """The run's first values, in the order of the program's variables."""
        other = list(start.other)
        rest = self.fresh[len(start.trainable) + len(other) : -len(start.slots) or None]
        return [*start.trainable, *other, *rest, *start.slots]

    def become(self, stack: Stack, row: int, start: Start) -> AbstractContextManager[None]:
        """Give the template's own model the weights of a row; a context, for its numbers."""
        for i, variable in enumerate(self.pure.variables):
            if i in self._kept:
                variable.assign(stack.read(i, row))
        numbers = {path: start.numbers[path] for path in self.paths}
        return self._bound(numbers)

    def program(self, members: int, compiled: bool) -> Program:
        """The program for packs of so many members; compiled: by XLA, which begins here."""
        with self._lock:
            key = members if compiled else 0
            if key not in self._programs:
                program = self._programs[key] = self._spare or self._program()
                self._spare = None
                if compiled:
                    self._compile(program, members)
            return self._programs[key]

    def _compile(self, program: Program, members: int) -> None:
        if whole := self.taken // self.batch:
            state = self.pure.state(Stack(self.fresh, members).tensors())
            # It draws random numbers inside of a loop, say: it is trained without XLA.
            with contextlib.suppress(NotMapped):
                program.compile_for(state, self._own_numbers(members), whole)

    @property
    def compiled_rows(self) -> int | None:
        """For packs of how many members XLA has compiled the training first, if for any."""
        return next((members for members, compiled in self._differences if compiled), None)

    def difference(self, members: int, compiled: bool) -> float:
        """The relative difference of a few steps' loss from that of Keras' own training step.

        What Keras means by a step is code that anybody may override; this is the proof that the
        program does the same. Everything that packs of so many members need is traced by then.
        It is proven once. Leaves the template's own model changed.
        """
        if (members, compiled) not in self._differences:
            began = time.perf_counter()
            self._differences[members, compiled] = self._difference(members, compiled)
            self._traced_seconds = time.perf_counter() - began
            self.traced(members, compiled)
        return self._differences[members, compiled]

    def traced(self, members: int, compiled: bool) -> None:
        """Note that all is traced that packs of so many members need."""
        self._traced.add((members, compiled))

    def seconds_to_trace(self, members: int, compiled: bool) -> float:
        """How long it takes, as far as one can tell, until such packs have all that they need."""
        return 0.0 if (members, compiled) in self._traced else self._traced_seconds

    def _difference(self, members: int, compiled: bool) -> float:
        import tensorflow as tf

        model, program = self.recipe.model, self.program(members, compiled)
        count = min(PROOF_STEPS, max(1, self.taken // self.batch))
        drawn = np.arange(min(count * self.batch, self.taken), dtype=np.int64)
        for variable, value in zip(self.pure.variables, self.fresh, strict=True):
            variable.assign(value)
        for batch in np.array_split(drawn, count):
            picked = tf.nest.map_structure(lambda part, b=batch: tf.gather(part, b), self.rows)
            expected = float(model.train_step(picked)["loss"])
        numbers = self._own_numbers(members)
        state = self.pure.state(Stack(self.fresh, members).tensors())
        # While XLA compiles the training, where it does, all else is traced.
        try:
            if self.averages:
                program.averages(state, numbers)
            for features, targets in self.parts.values():
                program.evaluate(state, numbers, (features, targets))
                program.outputs(state, numbers, features)
            if rest := self.taken % self.batch:
                program.train(state, numbers, np.tile(drawn[:rest], (members, 1)))
        finally:
            program.settle()
        after = program.train(state, numbers, np.tile(drawn, (members, 1)))
        loss = program.results(after, numbers)[0]["loss"][0]
        return float(abs(loss - expected) / max(abs(expected), 1e-6))

    def _own_numbers(self, members: int) -> MemberNumbers:
        values = [self.shape.numbers[path] for path in self.paths]
        return np.repeat(np.asarray([values], np.float32), members, axis=0)


def _resident(data: Prepared) -> tuple[Rows, dict[str, Rows]]:
    """The training rows as a step takes them, and the other parts, as tensors."""
    import tensorflow as tf

    features, targets = example_of(data.splits.train)
    rows = weighted(features, targets, data.weights, data.class_weights)
    others = {
        name: tf.nest.map_structure(tf.constant, example_of(part))
        for name, part in parts(data.splits)
        if name != "train"
    }
    return tf.nest.map_structure(tf.constant, rows), others
