"""How little time a run could take: its arithmetic and its bytes, against what the machine can do.

    python benchmarks/floors.py [--workload digits_mlp ...]

The arithmetic of a training step is counted in its traced graph by TensorFlow's own profiler
(products and convolutions, and what else it knows), validation and test as forward passes. The
bytes are those that no program can keep in a cache from step to step: the batch's rows, and for
every weight one reading forward and one backward, its gradient, and the optimizer's reading and
writing of weight and slots. What the machine can do is measured first: a large product of
matrices on all processors, and the copy of a large array. The floor is the greater of both times,
for training that starts no operation twice and waits for nothing; beside it is what engine `fast`
takes for the same run, tracing and all, and after its first epoch. Of a loop inside of a step, as
an LSTM's over time, the profiler counts one turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from engines import WORKLOADS, Workload, by_engine, recipe_of

from runner import Splits
from runner.backend.devices import import_tensorflow
from runner.engines.fast.engine import SHARED


@dataclass
class Work:
    """What a whole run has to do."""

    flops: float
    bytes: float
    training: float
    """The share of it that training is; the rest is validation and test."""


def flops_of(function: Callable[..., Any], *specs: Any) -> float:
    """The floating-point operations of one call, as TensorFlow's profiler counts them."""
    import tensorflow as tf
    from tensorflow.python.profiler import option_builder

    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    options = option_builder.ProfileOptionBuilder(
        option_builder.ProfileOptionBuilder.float_operation()
    )
    quiet = options.with_empty_output().build()
    return float(tf.compat.v1.profiler.profile(graph, options=quiet).total_float_ops)


def work_of(workload: Workload, splits: Splits) -> Work:
    """A run's arithmetic and bytes."""
    import tensorflow as tf

    model = recipe_of(workload, splits).model
    model.optimizer.build(model.trainable_variables)
    size = workload.batch_size
    features, targets = (
        tf.TensorSpec([size, *array.shape[1:]], array.dtype) for array in splits.train
    )
    model.test_step((tf.zeros([1, *features.shape[1:]]), tf.zeros([1], targets.dtype)))
    step = flops_of(lambda x, y: model.train_step((x, y)), features, targets)
    judged = flops_of(lambda x: model(x, training=False), features)
    rows = len(splits.train[0])
    others = sum(len(part[0]) for part in (splits.val, splits.test) if part)
    steps = workload.epochs * -(-rows // size)
    judgements = workload.epochs * len(splits.val[0] if splits.val else ()) + others
    weights = 4 * sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    slots = 4 * sum(int(np.prod(v.shape)) for v in model.optimizer.variables)
    a_step = 3 * weights + 2 * weights + 2 * slots + size * splits.train[0][0].nbytes
    training = step * steps
    total = training + judged * judgements / size
    return Work(total, a_step * steps, training / total)


def best_of(times: int, function: Callable[[], Any]) -> float:
    """The least seconds of several calls."""
    found = []
    for _ in range(times):
        clock = time.perf_counter()
        function()
        found.append(time.perf_counter() - clock)
    return min(found)


def machine() -> tuple[float, float]:
    """Floating-point operations and copied bytes a second, on all processors."""
    import tensorflow as tf

    side, length = 2048, 2**26
    square = tf.random.normal([side, side])
    product = best_of(5, lambda: tf.matmul(square, square).numpy())
    source, target = np.ones(length, np.float32), np.empty(length, np.float32)
    copied = best_of(5, lambda: np.copyto(target, source))
    return 2 * side**3 / product, 2 * source.nbytes / copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", choices=WORKLOADS, nargs="+", default=list(WORKLOADS))
    arguments = parser.parse_args()
    import_tensorflow()
    flops, band = machine()
    print(f"this machine: {flops / 1e9:.0f} GFLOP/s, {band / 1e9:.1f} GB/s\n")
    print("| workload | GFLOP | of it training | GB | floor, s | engine fast, s | steady, s |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.workload:
        workload = WORKLOADS[name]
        splits = workload.data()
        work = work_of(workload, splits)
        floor = max(work.flops / flops, work.bytes / band)
        SHARED.forget()
        took = by_engine(workload, splits, "fast")
        cells = [
            name,
            f"{work.flops / 1e9:.2f}",
            f"{work.training:.0%}",
            f"{work.bytes / 1e9:.2f}",
            f"{floor:.3f}",
            f"{took.epochs[-1]:.2f}",
            f"{took.steady * workload.epochs:.2f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
