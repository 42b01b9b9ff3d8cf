"""A run that is served: its model, the form of its rows, its answers."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import warehouse
from runner.commands.prediction import predictions_of
from runner.commands.serving.batcher import Batcher, Calls
from runner.commands.serving.fields import form_of
from runner.commands.serving.rows import Reader, RowError, first_bad
from runner.data.parts import chosen
from runner.engines.outputs import outputs_of, program_of
from runner.errors import DataError, RunnerError
from runner.evaluate.metrics import names_of
from runner.sweep.earlier import EarlierRun, trained
from runner.system.terminal import complain, say
from warehouse.place import Place

if TYPE_CHECKING:
    from runner.components.types import Features

    Array = np.ndarray[Any, Any]

PIECE = 1024
"""Rows that go through the model at once, at least."""
LOOK_SECONDS = 2.0
"""How often an alias is looked up that may have moved."""


class Served:
    """One run's model, ready to answer."""

    def __init__(self, kept: EarlierRun, called: str, most: int, calls: Calls) -> None:
        """called: as the user names the run. most: requests in one call of the model."""
        self.kept, self.called = kept, called
        self._model = kept.model()
        self.form = form_of(kept, self._model)
        self.reader = Reader(self.form)
        self._program = program_of(self._model)
        self._batcher = Batcher(self._outputs, most, calls)
        self._warm_up()

    def ask(self, features: Features) -> Future[Array]:
        """Have the model asked for the outputs of some rows."""
        return self._batcher.put(features)

    def answer(self, outputs: Array) -> tuple[dict[str, Array], list[int]]:
        """What is told of some rows, as columns, and the rows that have no prediction."""
        lost = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
        return predictions_of(self.kept.task, outputs), [int(row) for row in lost]

    def explained(self, error: DataError, features: Features, rows: int) -> RowError:
        """The model's sentence about rows, with the first of them that it is about."""

        def fails(end: int) -> bool:
            try:
                self._outputs(chosen(features, slice(0, end)))
            except DataError:
                return True
            return False

        row = first_bad(rows, fails)
        try:
            self._outputs(chosen(features, slice(row, row + 1)))
        except DataError as alone:
            return RowError(str(alone).removeprefix("the rows have "), row)
        return RowError(str(error))

    def schema(self) -> dict[str, Any]:
        """What a row holds, and what is told of it, as JSON takes it."""
        task = self.kept.task
        return {
            "run": self.kept.run_id,
            "served_as": self.called,
            "task": task.kind,
            "names": list(names_of(task)),
            "inputs": [field.plain for field in self.form.fields],
            "outputs": self._tells,
        }

    def close(self) -> None:
        """End when what waits is answered."""
        self._batcher.close()

    def _outputs(self, features: Features) -> Array:
        heads = self.kept.task.heads
        return outputs_of(self._model, features, PIECE, heads, self._program)

    def _warm_up(self) -> None:
        """Trace the program before somebody waits for it."""
        fields = self.form.fields
        row = [
            np.zeros([size or 1 for size in field.shape]).tolist()
            if field.shape
            else ""
            if field.is_text
            else 0
            for field in fields
        ]
        outputs = self._outputs(self.reader.of_json([row if len(row) > 1 else row[0]]))
        self._tells = list(predictions_of(self.kept.task, outputs))


class Serving:
    """The run that is served now; with `follow`, that which an alias names."""

    def __init__(self, run: str, results: Path | None, most: int) -> None:
        """Load the run's model; WarehouseError where there is none."""
        self.calls = Calls()
        self._run, self._results, self._most = run, results, most
        self.now = self._load(trained(run, results))
        self._over = threading.Event()

    def follow(self) -> None:
        """Look from time to time which run the alias names, and serve that."""
        threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def close(self) -> None:
        """End."""
        self._over.set()
        self.now.close()

    def _load(self, kept: EarlierRun) -> Served:
        return Served(kept, self._run, self._most, self.calls)

    def _follow(self) -> None:
        state, told = None, ""
        while not self._over.wait(LOOK_SECONDS):
            try:
                if (new := _state(Place.of(self._results))) == state:
                    continue  # nothing was taken in, so no alias was moved
                state = new
                if self._is_moved():
                    before, self.now = self.now, self._load(trained(self._run, self._results))
                    before.close()
                    say(f"serving   {self._run} is run {self.now.kept.run_id} now")
                told = ""
            except (RunnerError, OSError) as error:
                if str(error) != told:
                    told = str(error)
                    complain(f"warning: run {self.now.kept.run_id} is served still: {error}")

    def _is_moved(self) -> bool:
        with warehouse.connect(self._results) as con:
            return warehouse.find_run(con, self._run) != self.now.kept.run_id


def _state(place: Place) -> tuple[int, int, int]:
    """What changes when something is taken in."""
    file = place.database.stat()
    return file.st_ino, file.st_size, file.st_mtime_ns
