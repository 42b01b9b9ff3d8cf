"""A pack: runs of one shape that train side by side, each an epoch of its own at a time.

A run that has stopped leaves, and the next in the queue takes its row, so that one program of a
fixed size trains any number of runs. Callbacks, best weights, records and the end of each run are
the same code as for a run alone; only the model that they see is a row of the stack.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from runner.backend.seeds import order
from runner.components.types import Recipe
from runner.data.prepare import Part, parts
from runner.data.stream import example_of
from runner.engines.arrays import Logs, MemberValues, Rows
from runner.engines.contract import Job
from runner.engines.lifecycle import callbacks_of, conclude, started
from runner.engines.outputs import asked
from runner.engines.packed.group import Group
from runner.engines.packed.member import Member, MemberModel, Seat
from runner.engines.packed.pure import State
from runner.engines.packed.stack import Stack
from runner.engines.tracker import Tracker
from runner.errors import JournalError
from runner.journal.records import RunEnd
from runner.record.events import OnEvent

OF_ROWS = 0.5
"""The share of an epoch's time that goes with the number of rows."""


class Pack:
    """A stack of rows in which the runs of a group train until its queue is empty."""

    def __init__(self, group: Group, rows: int, compiled: bool, record: OnEvent) -> None:
        """compiled: whether XLA compiles the training."""
        group.packs.append(self)
        self._group, self._template, self._record = group, group.template, record
        template = group.template
        self._compiled = compiled
        self._program = template.program(rows, compiled)
        self._traced = True
        """Whether that is for the present number of rows; else the next epoch begins with it."""
        self._epoch_seconds = math.inf
        """How long an epoch takes with so many rows, once that is known."""
        self._warm = False
        """Whether an epoch was trained with so many rows."""
        self._rows: list[Member | None] = [None] * rows
        self._stack = Stack(template.fresh, rows)
        self._all_variables = range(len(template.fresh))
        self._waiting: deque[tuple[Member, list[MemberValues]]] = deque()
        self._numbers = np.zeros((rows, len(template.paths)), np.float32)
        base = len(template.pure.trainable)
        self._averages: list[MemberValues] | None = None
        """The trainable weights that the last epoch was evaluated with, if not those trained."""
        self._metrics = {base + i: template.fresh[base + i] for i in template.pure.metrics}

    def turns(self) -> Generator[Callable[[], None], None, None]:
        """Train until every run of the queue has ended or is left.

        Gives an epoch's computing as a function, for another thread, and goes on when it is
        done; an error of it is thrown in here.
        """
        import tensorflow as tf

        self._fill()
        while seated := self.seated():
            over = [member for member in seated if self._is_over(member)]
            try:
                if over:
                    self._leave(over)
                else:
                    self._each(seated, self._begin_epoch)
                    yield self._train
                    self._each(self.seated(), self._end_epoch)
                    # When all have reported: those of one epoch are compared with each other.
                    self._each(self.seated(), lambda member: member.tracker.judge())
            except tf.errors.ResourceExhaustedError as error:
                if len(self._rows) == 1:
                    self._each(self.seated(), functools.partial(_raise, error))
                else:
                    self._halve()
            except Exception as error:
                # What is wrong with the program is wrong with all that it trains.
                self._each(self.seated(), functools.partial(_raise, error))
            self._fill()
            self._shrink()

    # -- rows ----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give the free rows to the next runs of the queue."""
        for row, member in enumerate(self._rows):
            if member is None and self._waiting:
                member = self._rows[row] = self._return(row)
            while member is None and self._group.queue:
                member = self._rows[row] = self._admit(self._group.queue.popleft(), row)

    def _admit(self, job: Job, row: int) -> Member | None:
        import keras

        if job.stop():
            return None
        start = self._group.starts(job)
        if start is None:
            return None
        if not self._template.admits(start):
            self._group.left.append(job)
            return None
        for i, value in enumerate(self._template.values(start)):
            self._stack.write(i, row, value)
        self._numbers[row] = self._template.numbers(start)
        seat = Seat(self._stack, row)
        model = MemberModel(self._template.pure, seat)
        recipe = replace(self._template.recipe, callbacks=list(start.callbacks))
        recipe.model, recipe.optimizer = model, model.optimizer
        seated_job = replace(job, make=lambda: recipe)
        weights = functools.partial(self._evaluated_weights, seat, model)
        tracker = Tracker(
            seated_job,
            self._record,
            self._template.recipe.model,
            model.generators,
            weights,
        )
        settings = job.config.settings
        callbacks = keras.callbacks.CallbackList(
            callbacks_of(seated_job, tracker, _never, alone=False),
            model=model,
            epochs=settings.epochs,
            verbose=0,
        )
        member = Member(seated_job, start, seat, model, tracker, callbacks)
        try:
            self._record(started(seated_job, self._group.name, self._group.reason))
            callbacks.on_train_begin()
        except JournalError:
            return None
        except Exception as error:
            self._fail(member, error)
            return None
        return member

    def seated(self) -> list[Member]:
        """The runs in training here."""
        return [member for member in self._rows if member is not None]

    def _halve(self) -> None:
        """Go on with half as many rows; who has no seat any more waits for one."""
        rows = len(self._rows) // 2
        print(
            f"warning: a pack of {len(self._rows)} runs does not fit into memory; going on with "
            f"{rows} at a time",
            file=sys.stderr,
        )
        self._move(rows)

    def _shrink(self) -> None:
        """Halve the rows, again and again, where nobody will sit in the rest any more.

        Only if what is left to do is worth tracing everything anew.
        """
        rows, seated = len(self._rows), self.seated()
        if not seated or self._group.queue or self._waiting or any(map(self._is_over, seated)):
            return
        # XLA's draws of one row alone are others than TensorFlow's; of two they are the same.
        least, fewer = max(len(seated), 2 if self._compiled else 1), rows
        while fewer // 2 >= least:
            fewer //= 2
        if fewer < rows and self._is_worth_tracing(fewer, seated):
            self._move(fewer)
            self._fill()
            self._traced, self._epoch_seconds, self._warm = False, math.inf, False

    def _is_worth_tracing(self, fewer: int, seated: Sequence[Member]) -> bool:
        """Whether the epochs to come gain more by fewer rows than a new program for them costs."""
        template = self._template
        if not math.isfinite(self._epoch_seconds):
            return False
        epochs = max(member.job.config.settings.epochs - member.epoch for member in seated)
        saved = epochs * self._epoch_seconds * OF_ROWS * (1 - fewer / len(self._rows))
        return template.is_lasting and saved > template.seconds_to_trace(fewer, self._compiled)

    def _move(self, rows: int) -> None:
        """Go on with a stack of so many rows; all members wait for a seat in it."""
        smaller, members = Stack(self._template.fresh, rows), self.seated()
        for member in members:
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

    def _train(self) -> None:
        """Compute an epoch of every row, and its logs; where that fails, the rows stay."""
        import tensorflow as tf

        template, numbers, began = self._template, self._numbers, time.perf_counter()
        traced, rows = self._traced, len(self._rows)
        if not traced:
            self._program = template.program(rows, self._compiled)
            self._program.settle()
        program = self._program
        drawn = np.zeros((rows, template.taken), np.int64)
        for row, member in enumerate(self._rows):
            if member is not None:
                seed = member.job.config.settings.seed
                drawn[row] = order(seed, member.epoch + 1, template.count)[: template.taken]
        self._reset_metrics()
        before = self._stack.tensors()
        state = program.train(template.pure.state(before), numbers, drawn)
        logs, rates = program.results(state, numbers)
        self._stack.replace(state.all())
        if template.averages:
            state = program.averages(state, numbers)
            self._averages = [values.numpy() for values in state.trainable]
        if "val" in template.parts:
            try:
                val_logs = self._evaluate(state, "val")
            except tf.errors.ResourceExhaustedError:
                self._stack.replace(before)
                raise
            logs |= {f"val_{name}": values for name, values in val_logs.items()}
        for row, member in enumerate(self._rows):
            if member is not None:
                member.logs = {name: float(values[row]) for name, values in logs.items()}
                member.model.optimizer.scheduled = float(rates[row])
        if traced:
            # The first call has TensorFlow optimize the program.
            seconds = time.perf_counter() - began if self._warm else math.inf
            self._epoch_seconds, self._warm = min(self._epoch_seconds, seconds), True
        else:
            self._traced = True
            template.traced(rows, self._compiled)

    def _evaluate(self, state: State, part: str) -> Logs:
        """Metric -> the rows' values on a part."""
        self._reset_metrics()
        fresh = self._template.pure.state(self._stack.tensors())
        state = state._replace(other=fresh.other)
        return self._program.evaluate(state, self._numbers, self._template.parts[part])

    def _evaluated_weights(self, seat: Seat, model: MemberModel) -> list[MemberValues]:
        """One member's weights, the averages among them."""
        pure = self._template.pure
        averages = {id(v): a for v, a in zip(pure.trainable, self._averages or [], strict=False)}
        return [
            averages[id(like)][seat.row].copy() if id(like) in averages else weight.numpy()
            for like, weight in zip(pure.model.weights, model.weights, strict=True)
        ]

    def _reset_metrics(self) -> None:
        for variable, value in self._metrics.items():
            self._stack.fill(variable, value)

    def _begin_epoch(self, member: Member) -> None:
        if member.begun == member.epoch:
            member.begun += 1
            member.callbacks.on_epoch_begin(member.epoch)

    def _end_epoch(self, member: Member) -> None:
        member.tracker.share = self._group.share()
        member.callbacks.on_epoch_end(member.epoch, member.logs)
        member.epoch += 1

    def _is_over(self, member: Member) -> bool:
        return member.model.stop_training or member.epoch >= member.job.config.settings.epochs

    # -- the end of a run ------------------------------------------------------------------------

    def _leave(self, members: Sequence[Member]) -> None:
        """Conclude runs that are over: evaluate all of them at once, then each by itself."""
        self._each(members, self._settle)
        state = self._template.pure.state(self._stack.tensors())
        metrics = {part: self._evaluate(state, part) for part in self._template.parts}
        outputs = {
            name: self._program.outputs(state, self._numbers, part[0])
            for name, part in self._template.parts.items()
        }
        for member in members:
            if member in self._rows:
                self._each([member], lambda m: self._conclude(m, metrics, outputs))

    def _settle(self, member: Member) -> None:
        """Put the weights in place that are to be evaluated and kept; once."""
        if member.settled:
            return
        member.settled = True
        member.callbacks.on_train_end()
        if not member.tracker.trouble:
            member.tracker.take_best()

    def _conclude(
        self,
        member: Member,
        metrics: Mapping[str, Logs],
        outputs: Mapping[str, MemberValues],
    ) -> None:
        """End one run: evaluate it by what was computed for all rows, and record its end.

        metrics: part -> metric -> the rows' values. outputs: part -> the rows' outputs."""
        row = self._row(member)
        names = {id(example_of(part)[1]): name for name, part in parts(member.job.data.splits)}

        def evaluate(part: Part) -> Logs:
            of_part = metrics[names[id(example_of(part)[1])]]
            return {metric: values[row] for metric, values in of_part.items()}

        def predict(part: tuple[Rows, Rows]) -> Rows:
            if (name := names.get(id(part[1]))) is not None:
                return outputs[name][row]
            together = np.concatenate([rows[row] for rows in outputs.values()])
            return together if len(together) == len(part[1]) else asked(job)(part)

        recipe: Recipe = self._template.recipe
        job = replace(member.job, make=lambda: recipe)
        with self._template.become(self._stack, row, member.start):
            member.tracker.settle_on(recipe.model)
            end = conclude(job, member.tracker, self._record, evaluate, predict)
        self._rows[row] = None
        self._finish(member, end)

    def _finish(self, member: Member, end: RunEnd) -> None:
        group, tracker = self._group, member.tracker
        wall = time.perf_counter() - member.began
        between = (wall - tracker.wall_seconds) * tracker.share
        seconds = group.prepared / group.runs + tracker.seconds + between
        self._record(replace(end, seconds=seconds, wall_seconds=group.prepared + wall))

    def _fail(self, member: Member, error: BaseException) -> None:
        with contextlib.suppress(JournalError):  # it is over, recorded or not
            self._finish(member, member.tracker.failed(error))

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
    """Do nothing: nothing freezes layers in a pack, callbacks that could are declined."""
