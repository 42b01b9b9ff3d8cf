"""How long a run takes by each engine, against `model.fit` as one writes it by hand.

    python benchmarks/engines.py [--rounds 5] [--workload digits_mlp ...]

All variants train the same compiled Keras model on the same arrays, with validation after every
epoch and an evaluation at the end, from building the model on; tracing is included, and shown
apart as what the first epoch costs. They take turns in one process, in an order that rotates;
ratios are taken within a round, and their median and range are printed. `fit` is measured with
Keras' default of one step an execution and with an epoch's steps at once.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runner import Recipe, Splits, Task
from runner.backend.devices import import_tensorflow
from runner.config.compose import compose
from runner.config.config import Config
from runner.data.prepare import Prepared, load, prepare
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.engines.fast.engine import SHARED
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.events import Event

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Workload:
    """One model and its data, and what issue 4 asks of engine `fast` on it."""

    model: Callable[[], Any]
    data: Callable[[], Splits]
    batch_size: int
    epochs: int
    goal: float


@dataclass
class Measured:
    """One run of one variant."""

    wall: float = 0.0
    cpu: float = 0.0
    epochs: list[float] = field(default_factory=list)
    """When each epoch ended, in seconds from the beginning."""
    losses: list[float] = field(default_factory=list)

    @property
    def steady(self) -> float:
        """Seconds of an epoch after the first."""
        return (self.epochs[-1] - self.epochs[0]) / (len(self.epochs) - 1)

    @property
    def first(self) -> float:
        """Seconds that building, tracing and all else that is done once takes."""
        return self.epochs[0] - self.steady


# --- Workloads -----------------------------------------------------------------------------------


def digits_mlp() -> Any:
    import keras

    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            dense(64, "relu"),
            dense(64, "relu"),
            dense(10, "softmax"),
        ]
    )


def tabular_mlp() -> Any:
    import keras

    dense = keras.layers.Dense
    return keras.Sequential(
        [keras.Input((20,)), dense(128, "relu"), dense(128, "relu"), dense(1, "sigmoid")]
    )


def small_cnn() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


def lstm() -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((50, 8)), keras.layers.LSTM(32), keras.layers.Dense(2, "softmax")]
    )


def small_resnet() -> Any:
    """Three stages of one residual block each (He et al. 2015), 16 to 64 filters."""
    import keras

    layers = keras.layers

    def convolved(x: Any, filters: int, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolved(inputs, 16))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = layers.ReLU()(convolved(x, filters, stride))
        y = convolved(y, filters)
        short = x if stride == 1 else layers.Conv2D(filters, 1, stride)(x)
        x = layers.ReLU()(layers.add([short, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


def builtin(name: str) -> Splits:
    """A dataset that comes with the runner, split as it splits it."""
    config, _ = compose([f"dataset={name}", "split.val=0.1", "split.test=0.1"])
    return prepare(load(config), config).splits


def mnist() -> Splits:
    found = builtin("mnist5k")

    def with_channel(part: Any) -> tuple[Array, Array]:
        return part[0].reshape(-1, 28, 28, 1), part[1]

    assert found.val and found.test
    parts = [with_channel(part) for part in (found.train, found.val, found.test)]
    return Splits(*parts, task=found.task)


def drawn(classes: int, *shape: int) -> Splits:
    """Numbers without meaning, and labels that follow from them; the first axis is for training.

    A tenth of it on top is for val, and as much for test.
    """
    random = np.random.Generator(np.random.Philox(key=[0, 0]))
    rows, held = shape[0], shape[0] // 10
    features = random.normal(size=(rows + 2 * held, *shape[1:])).astype("float32")
    score = features.reshape(len(features), -1).sum(axis=1)
    labels = np.argsort(np.argsort(score)) * classes // len(score)
    bounds = [0, rows, rows + held, rows + 2 * held]
    parts = [(features[a:b], labels[a:b]) for a, b in itertools.pairwise(bounds)]
    task = Task.binary() if classes == 2 and len(shape) == 2 else Task.classification(classes)
    return Splits(*parts, task=task)


WORKLOADS = {
    "digits_mlp": Workload(digits_mlp, lambda: builtin("digits"), 32, 20, 0.22),
    "tabular_mlp": Workload(tabular_mlp, lambda: drawn(2, 20_000, 20), 128, 5, 0.35),
    "small_cnn": Workload(small_cnn, mnist, 64, 2, 0.60),
    "lstm": Workload(lstm, lambda: drawn(2, 2000, 50, 8), 32, 2, 0.75),
    "small_resnet": Workload(small_resnet, lambda: drawn(10, 1000, 32, 32, 3), 64, 2, 0.85),
}


# --- Variants ------------------------------------------------------------------------------------


def recipe_of(
    workload: Workload,
    splits: Splits,
    seed: int = 0,
    learning_rate: float = 0.001,
    **compile_options: Any,
) -> Recipe:
    """The workload's model, compiled."""
    import keras

    # Names begin anew; the garbage collection that comes with it costs 0.2 s, and is left out.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    model = workload.model()
    binary = splits.task.kind == "binary"
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss, metrics=["accuracy"], **compile_options)
    return Recipe(model, model.loss, model.optimizer)


def by_fit(workload: Workload, splits: Splits, steps: int = 1) -> Measured:
    """`model.fit` on NumPy arrays, as a user writes it."""
    import keras

    measured, clock = Measured(), time.perf_counter()

    def ended(epoch: int, logs: Any) -> None:
        measured.epochs.append(time.perf_counter() - clock)
        measured.losses.append(logs["loss"])

    model = recipe_of(workload, splits, steps_per_execution=steps).model
    model.fit(
        *splits.train,
        batch_size=workload.batch_size,
        epochs=workload.epochs,
        validation_data=splits.val,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=ended)],
        verbose=0,
    )
    model.evaluate(*splits.test, verbose=0)
    return measured


@functools.cache
def config_of(workload: Workload) -> Config:
    """The settings of a run; composed once, since that is no work of an engine."""
    return compose([f"epochs={workload.epochs}", f"batch_size={workload.batch_size}"])[0]


def by_engine(workload: Workload, splits: Splits, engine: str) -> Measured:
    """An engine of ours: the same, and the best epoch's weights kept and judged on val too."""
    measured, clock = Measured(), time.perf_counter()

    def record(event: Event) -> None:
        if isinstance(event, EpochEnd):
            measured.epochs.append(time.perf_counter() - clock)
            measured.losses.append(event.loss)
        if isinstance(event, RunEnd) and event.status != "finished":
            raise SystemExit(f"{engine}: {event.error}\n{event.traceback}")
        if isinstance(event, RunStart) and event.engine != engine:
            raise SystemExit(f"{engine}: trained by {event.engine}")

    config = config_of(workload)
    data = Prepared(splits, splits.train[0].shape[1:], None)
    start = RunStart(
        *("", "", "", "", 0, engine, "", "", 0, "val_loss", "min"), [], {}, [], [], {}
    )

    def make() -> Recipe:
        # As runner.build has it.
        recipe = recipe_of(workload, splits)
        recipe.optimizer.build(recipe.model.trainable_variables)
        return recipe

    job = Job(start, config, data, make)
    SHARED.forget()  # what an earlier run of this process has traced
    chosen = find_engine(engine)
    with chosen.ready(config.settings):
        chosen.train([job], record)
    return measured


def variants(workload: Workload, splits: Splits) -> dict[str, Callable[[], Measured]]:
    """What takes turns; the first is what the others are compared with."""
    steps = -(-len(splits.train[0]) // workload.batch_size)
    return {
        "fit": lambda: by_fit(workload, splits),
        "fit, 10 steps at once": lambda: by_fit(workload, splits, 10),
        f"fit, {steps} steps at once": lambda: by_fit(workload, splits, steps),
        "engine keras": lambda: by_engine(workload, splits, "keras"),
        "engine fast": lambda: by_engine(workload, splits, "fast"),
    }


# --- Measuring -----------------------------------------------------------------------------------


def timed(run: Callable[[], Measured]) -> Measured:
    """One run with its seconds of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    measured = run()
    measured.wall, measured.cpu = time.perf_counter() - wall, time.process_time() - cpu
    return measured


def report(name: str, goal: float, rounds: Sequence[dict[str, Measured]]) -> None:
    """One Markdown table."""
    print(f"\n**{name}** ({len(rounds)} rounds; goal for engine fast: {goal:.2f} of fit's wall)\n")
    print("| variant | wall | CPU | seconds | once, s | epoch, ms | loss against keras |")
    print("|---|---|---|---|---|---|---|")
    for variant in rounds[0]:
        mine = [turn[variant] for turn in rounds]
        cells = [variant]
        for what in ("wall", "cpu"):
            ratios = [getattr(turn[variant], what) / getattr(turn["fit"], what) for turn in rounds]
            cells.append(
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            )
        cells.append(f"{statistics.median(m.wall for m in mine):.2f}")
        cells.append(f"{statistics.median(m.first for m in mine):.2f}")
        cells.append(f"{1000 * statistics.median(m.steady for m in mine):.1f}")
        reference = rounds[0]["engine keras"].losses
        by = max(abs(a - b) / b for a, b in zip(mine[0].losses, reference, strict=True))
        # `fit` shuffles in its own way.
        cells.append(f"{by:.0e}" if variant.startswith("engine") else "other order")
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workload", choices=WORKLOADS, nargs="+", default=list(WORKLOADS))
    arguments = parser.parse_args()
    import_tensorflow()
    warm = Workload(tabular_mlp, lambda: drawn(2, 100, 20), 10, 2, 0)
    for run in variants(warm, warm.data()).values():
        run()
    for name in arguments.workload:
        workload = WORKLOADS[name]
        splits = workload.data()
        turns = variants(workload, splits)
        rounds = []
        for number in range(arguments.rounds):
            order = [*turns][number % len(turns) :] + [*turns][: number % len(turns)]
            found = {variant: timed(turns[variant]) for variant in order}
            rounds.append({variant: found[variant] for variant in turns})
        report(name, workload.goal, rounds)


if __name__ == "__main__":
    main()
