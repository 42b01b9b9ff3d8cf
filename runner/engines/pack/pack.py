"""A pack: runs of one shape that train side by side, each an epoch of its own at a time.

A run that has stopped leaves, and the next in the queue takes its row, so that one program of a
fixed size trains any number of runs. Callbacks, best weights, records and the end of each run are
the same code as for a run alone; only the model that they see is a row of the stack.
"""

from __future__ import annotations

import functools
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from runner.balance import weighted
from runner.build import steps
from runner.data import Part, parts
from runner.engines.contract import Job, Record
from runner.engines.judging import asked
from runner.engines.lifecycle import callbacks_of, conclude
from runner.engines.pack.member import MemberModel, Seat
from runner.engines.pack.member_number import Decision, MemberNumber
from runner.engines.pack.numbers import Shape, Structural, bound
from runner.engines.pack.program import Program
from runner.engines.pack.pure import Pure, State
from runner.engines.pack.stack import Stack
from runner.engines.pack.start import Start
from runner.engines.tracker import Tracker
from runner.errors import JournalError, in_one_line
from runner.nouns import Recipe
from runner.randomness import order, seed_generators
from runner.records import RunEnd
from runner.stream import example_of, rows_of

PROOF_STEPS = 3
"""After one step, an optimizer's memory of the steps before it does not show yet."""


@dataclass(eq=False)
class Member:
    """A run that sits in a row of the stack."""

    job: Job
    start: Start
    seat: Seat
    model: MemberModel
    tracker: Tracker
    callbacks: Any
    began: float = field(default_factory=time.perf_counter)
    epoch: int = 0
    """How many epochs it has behind it."""
    logs: dict[str, float] = field(default_factory=dict)


class Template:
    """One built recipe that stands for all of its shape, and the program made of it."""

    def __init__(self, job: Job, shape: Shape, varying: Sequence[str]) -> None:
        """job: its recipe is built; shape: that recipe taken apart.

        varying: of the recipe's numbers, those that may differ between members.

        Raises NotMapped where the model has an op that cannot be mapped.
        """
        import tensorflow as tf

        self.recipe, self.shape, self.paths = job.recipe, shape, list(varying)
        model, size = self.recipe.model, job.config.settings.batch_size
        features, targets = example_of(job.data.splits.train)
        rows = weighted(features, targets, job.data.weights, job.data.class_weights)
        self.rows = tf.nest.map_structure(tf.constant, rows)
        # The model makes its metrics' variables when it first judges.
        model.test_step(tf.nest.map_structure(lambda part: part[:1], self.rows[:2]))
        model.reset_metrics()
        self.decisions: list[Decision] = []
        self.pure = Pure(model, seed_generators(model))
        self.fresh = [variable.numpy() for variable in self.pure.variables]
        while True:
            self.program = Program(self.pure, self._bind, len(self.paths), self.rows, size)
            try:
                self.ops = self.program.ops
                break
            except Structural as error:
                self.paths.remove(error.path)
                self.decisions.clear()

    def _bind(self, numbers: Any) -> AbstractContextManager[None]:
        values = {
            path: MemberNumber(numbers[i], self.shape.numbers[path], path, self.decisions)
            for i, path in enumerate(self.paths)
        }
        return bound(self.shape.places, values)

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
        """Make the template's own model the one in a row; a context, for its numbers."""
        for i, variable in enumerate(self.pure.variables):
            variable.assign(stack.read(i, row))
        numbers = {path: start.numbers[path] for path in self.paths}
        return bound(self.shape.places, numbers)


class Pack:
    """Trains runs of one shape until their queue is empty.

    starts: gives a job's start, or None where it has none; called when a row is free for it.
    Those that the template does not admit are left in `left`.
    """

    def __init__(
        self,
        template: Template,
        jobs: Sequence[Job],
        starts: Callable[[Job], Start | None],
        rows: int,
        name: str,
        record: Record,
    ) -> None:
        import tensorflow as tf

        self._template, self._starts, self._record = template, starts, record
        self._queue, self._name = deque(jobs), name
        self.left: list[Job] = []
        self._rows: list[Member | None] = [None] * rows
        self._stack = Stack(template.fresh, rows)
        self._all_variables = range(len(template.fresh))
        self._waiting: deque[tuple[Member, list[Any]]] = deque()
        self._numbers = np.zeros((rows, len(template.paths)), np.float32)
        first = jobs[0]
        self._batch = first.config.settings.batch_size
        self._train_rows = rows_of(first.data.splits.train)
        self._taken = min(self._train_rows, steps(first.config, first.data) * self._batch)
        self.steps = -(-self._taken // self._batch)
        self._parts = {
            name: tf.nest.map_structure(tf.constant, example_of(part))
            for name, part in parts(first.data.splits)
            if name != "train"
        }
        pure = template.pure
        base = len(pure.trainable)
        self._metrics = {base + i: template.fresh[base + i] for i in pure.metrics}

    def compile(self) -> None:
        """Have XLA compile the training."""
        if whole := self._taken // self._batch:
            state = self._template.pure.state(self._stack.tensors())
            self._template.program.compile_for(state, self._numbers, whole)

    def differs(self) -> float:
        """How far the loss of a few steps is from Keras' own training step, relative.

        What Keras means by a step is code that anybody may override; this is the proof that the
        program does the same. Leaves the template's own model changed.
        """
        import tensorflow as tf

        template, rows = self._template, self._stack
        model, pure = template.recipe.model, template.pure
        steps = min(PROOF_STEPS, self._taken // self._batch)
        drawn = np.arange(steps * self._batch, dtype=np.int64)
        for variable, value in zip(pure.variables, template.fresh, strict=True):
            variable.assign(value)
        for batch in drawn.reshape(steps, self._batch):
            picked = tf.nest.map_structure(lambda part, b=batch: tf.gather(part, b), template.rows)
            expected = model.train_step(picked)["loss"]
        own = [template.shape.numbers[path] for path in template.paths]
        numbers = np.repeat(np.asarray([own], np.float32), len(self._rows), axis=0)
        state = pure.state(rows.tensors())
        state = template.program.train(state, numbers, np.tile(drawn, (len(self._rows), 1)))
        found = template.program.results(state, numbers)[0]["loss"][0]
        return float(abs(found - expected) / max(abs(float(expected)), 1e-6))

    def run(self) -> None:
        """Train until every run of the queue has ended or is left."""
        self._fill()
        while active := [member for member in self._rows if member is not None]:
            self._each(active, lambda m: m.callbacks.on_epoch_begin(m.epoch))
            if self._trained(active):
                self._each(active, self._end_epoch)
                self._leave([m for m in active if m in self._rows and self._is_over(m)])
            self._fill()

    # -- rows ----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give the free rows to the next runs of the queue."""
        for row, member in enumerate(self._rows):
            if member is None and self._waiting:
                member = self._rows[row] = self._return(row)
            while member is None and self._queue:
                member = self._rows[row] = self._admit(self._queue.popleft(), row)

    def _admit(self, job: Job, row: int) -> Member | None:
        import keras

        if job.stop():
            return None
        start = self._starts(job)
        if start is None:
            return None
        if not self._template.admits(start):
            self.left.append(job)
            return None
        for i, value in enumerate(self._template.values(start)):
            self._stack.write(i, row, value)
        self._numbers[row] = self._template.numbers(start)
        seat = Seat(self._stack, row)
        model = MemberModel(self._template.pure, seat)
        recipe = replace(self._template.recipe, callbacks=list(start.callbacks))
        recipe.model, recipe.optimizer = model, model.optimizer
        own = replace(job, make=lambda: recipe)
        tracker = Tracker(own, self._record, self._template.recipe.model, model.generators)
        settings = job.config.settings
        callbacks = keras.callbacks.CallbackList(
            callbacks_of(own, tracker, _never), model=model, epochs=settings.epochs, verbose=0
        )
        member = Member(own, start, seat, model, tracker, callbacks)
        try:
            self._record(replace(job.start, engine=self._name))
            callbacks.on_train_begin()
        except JournalError:
            return None
        except Exception as error:
            self._fail(member, error)
            return None
        return member

    def _halve(self) -> None:
        """Go on with half as many rows; who has no seat any more waits for one."""
        rows = len(self._rows) // 2
        print(
            f"warning: a pack of {len(self._rows)} runs does not fit into memory; going on with "
            f"{rows} at a time",
            file=sys.stderr,
        )
        smaller = Stack(self._template.fresh, rows)
        for member in [m for m in self._rows if m is not None]:
            values = [member.seat.stack.read(i, member.seat.row) for i in self._all_variables]
            self._waiting.append((member, values))
        self._stack, self._rows = smaller, [None] * rows
        self._numbers = np.zeros((rows, self._numbers.shape[1]), np.float32)

    def _return(self, row: int) -> Member:
        """Give a free row to one who lost its seat."""
        member, values = self._waiting.popleft()
        member.seat.stack, member.seat.row = self._stack, row
        for i, value in enumerate(values):
            self._stack.write(i, row, value)
        self._numbers[row] = self._template.numbers(member.start)
        return member

    # -- an epoch ------------------------------------------------------------------------------

    def _trained(self, active: Sequence[Member]) -> bool:
        """Train an epoch of every row; whether that could be done."""
        import tensorflow as tf

        try:
            self._train()
        except tf.errors.ResourceExhaustedError as error:
            if len(self._rows) > 1:
                self._halve()
                return False
            self._each(active, functools.partial(_raise, error))
            return False
        except Exception as error:
            # What is wrong with the program is wrong with all that sit in it, and with no other.
            self._each(active, functools.partial(_raise, error))
            self.left.extend(self._queue)
            self._queue.clear()
            return False
        return True

    def _train(self) -> None:
        """One epoch of every row; the logs of each."""
        program, numbers = self._template.program, self._numbers
        drawn = np.zeros((len(self._rows), self._taken), np.int64)
        for row, member in enumerate(self._rows):
            if member is not None:
                seed = member.job.config.settings.seed
                drawn[row] = order(seed, member.epoch + 1, self._train_rows)[: self._taken]
        self._reset_metrics()
        state = self._template.pure.state(self._stack.tensors())
        state = program.train(state, numbers, drawn)
        logs, rates = program.results(state, numbers)
        self._stack.replace(state.all())
        if "val" in self._parts:
            judged = self._judge(state, "val")
            logs |= {f"val_{name}": values for name, values in judged.items()}
        for row, member in enumerate(self._rows):
            if member is not None:
                member.logs = {name: float(values[row]) for name, values in logs.items()}
                member.model.optimizer.scheduled = float(rates[row])

    def _judge(self, state: State, part: str) -> Mapping[str, Any]:
        """Metric -> the rows' values on a part."""
        self._reset_metrics()
        fresh = self._template.pure.state(self._stack.tensors())
        state = state._replace(other=fresh.other)
        judged = self._template.program.judge(state, self._numbers, self._parts[part])
        return self._template.program.results(judged, self._numbers)[0]

    def _reset_metrics(self) -> None:
        for variable, value in self._metrics.items():
            self._stack.fill(variable, value)

    def _end_epoch(self, member: Member) -> None:
        member.callbacks.on_epoch_end(member.epoch, member.logs)
        member.epoch += 1

    def _is_over(self, member: Member) -> bool:
        return member.model.stop_training or member.epoch >= member.job.config.settings.epochs

    # -- the end of a run ------------------------------------------------------------------------

    def _leave(self, members: Sequence[Member]) -> None:
        """Conclude runs that are over: judge all of them at once, then each by itself."""
        if not members:
            return
        self._each(members, self._settle)
        state = self._template.pure.state(self._stack.tensors())
        judged = {part: self._judge(state, part) for part in self._parts}
        program = self._template.program
        said = {
            name: program.outputs(state, self._numbers, part[0])
            for name, part in self._parts.items()
        }
        for member in members:
            if member in self._rows:
                self._each([member], lambda m: self._conclude(m, judged, said))

    def _settle(self, member: Member) -> None:
        """Put the weights in place that are to be judged and kept."""
        row, model = self._row(member), self._template.recipe.model
        with self._template.become(self._stack, row, member.start):
            # Optimizers that average weights put the average in place now, as in `fit`.
            model.optimizer.finalize_variable_values(model.trainable_weights)
            for own, weight in zip(member.model.weights, model.weights, strict=True):
                own.assign(weight.numpy())
        member.callbacks.on_train_end()
        if not member.tracker.trouble:
            member.tracker.take_best()

    def _conclude(
        self,
        member: Member,
        judged: Mapping[str, Mapping[str, Any]],
        said: Mapping[str, Any],
    ) -> None:
        """judged: part -> metric -> the rows' values. said: part -> the rows' outputs."""
        row = self._row(member)
        names = {id(example_of(part)[1]): name for name, part in parts(member.job.data.splits)}

        def evaluate(part: Part) -> Mapping[str, Any]:
            found = judged[names[id(example_of(part)[1])]]
            return {metric: values[row] for metric, values in found.items()}

        def predict(part: tuple[Any, Any]) -> Any:
            if (name := names.get(id(part[1]))) is not None:
                return said[name][row]
            together = np.concatenate([outputs[row] for outputs in said.values()])
            return together if len(together) == len(part[1]) else asked(own)(part)

        recipe: Recipe = self._template.recipe
        own = replace(member.job, make=lambda: recipe)
        with self._template.become(self._stack, row, member.start):
            member.tracker.settle_on(recipe.model)
            end = conclude(own, member.tracker, self._record, evaluate, predict)
        self._rows[row] = None
        self._finish(member, end)

    def _finish(self, member: Member, end: RunEnd) -> None:
        self._record(replace(end, seconds=time.perf_counter() - member.began))

    def _fail(self, member: Member, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error))
        self._finish(member, member.tracker.end("failed", in_one_line(error), trace))

    def _each(self, members: Sequence[Member], act: Callable[[Member], None]) -> None:
        """Do it for each; what goes wrong with one is that one's end alone."""
        for member in members:
            try:
                act(member)
            except JournalError:
                self._vacate(member)
            except Exception as error:
                self._vacate(member)
                self._fail(member, error)

    def _vacate(self, member: Member) -> None:
        if member in self._rows:
            self._rows[self._row(member)] = None

    def _row(self, member: Member) -> int:
        return next(i for i, other in enumerate(self._rows) if other is member)


def _raise(error: BaseException, member: Member) -> None:
    raise error


def _never() -> None:
    """Nothing freezes layers in a pack: callbacks that could are declined."""
