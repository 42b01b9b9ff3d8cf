"""What the runner adds to a bare `model.fit` of the same run: python benchmarks/overhead.py.

Both variants train the same network on the same rows with a validation split, evaluate on val
and test, and draw their seeds alike; the runner also writes journal, weights and warehouse. They
take turns in one process, and the median of the pairwise ratios is what counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runner import run
from runner.backend.devices import import_tensorflow
from runner.config.compose import compose
from runner.data.prepare import prepare
from runner.sweep.plan import plan

WORKLOADS = {
    "digits_mlp": ["dataset=digits", "architecture=mlp", "regularizer=[l2,dropout]"],
    "mnist_cnn": ["dataset=mnist5k", "architecture=cnn", "regularizer=[]", "batch_size=64"],
}


def bare(overrides: list[str]) -> Callable[[], None]:
    """The loop that a user would write, over arrays that are loaded and split already."""
    config, experiment = compose(overrides)
    data = prepare(plan(config, experiment, overrides).data, config)
    splits, settings = data.splits, config.settings

    def train() -> None:
        import keras

        layers = keras.layers
        keras.utils.clear_session()
        keras.utils.set_random_seed(settings.seed)
        if "dataset=digits" in overrides:
            l2 = keras.regularizers.L2(1e-4)
            body = [
                layers.Flatten(),
                layers.Dense(64, "relu", kernel_regularizer=l2),
                layers.Dropout(0.2),
                layers.Dense(64, "relu", kernel_regularizer=l2),
                layers.Dropout(0.2),
                layers.Dense(10, "softmax", kernel_regularizer=l2),
            ]
        else:
            body = [
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(10, "softmax"),
            ]
        model = keras.Sequential([keras.Input(data.input_shape), *body])
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
        )
        model.fit(
            *splits.train,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            validation_data=splits.val,
            verbose=0,
        )
        model.evaluate(*splits.val, verbose=0)
        model.evaluate(*splits.test, verbose=0)

    return train


def timed(train: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        train()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workload", choices=WORKLOADS, default="digits_mlp")
    arguments = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*WORKLOADS[arguments.workload], f"epochs={arguments.epochs}"]
        overrides += [f"results={Path(folder) / 'results'}", "engine=keras"]
        ours, theirs = (lambda: run(overrides)), bare(overrides)
        timed(ours)
        timed(theirs)
        rounds = [(timed(ours), timed(theirs)) for _ in range(arguments.rounds)]
    for index, name in enumerate(("wall", "CPU")):
        ratios = sorted(mine[index] / other[index] for mine, other in rounds)
        seconds = statistics.median(other[index] for _, other in rounds)
        print(
            f"{arguments.workload:<12} {name:<5} runner/bare "
            f"median {statistics.median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f}; "
            f"bare {seconds:.2f} s)"
        )


if __name__ == "__main__":
    main()
