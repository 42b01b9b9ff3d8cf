"""What components may ask of their run, and that packs trace it for each member by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runner
from runner.components.types import Splits
from runner.journal.records import EpochEnd
from tests.conftest import Site
from tests.runner.engines.test_packed import alone, check, check_packed, jobs_of, trained

PLUGIN = '''
from runner import architecture, callback, loss, metric, optimizer, regularizer, schedule

ASKED = {}

@architecture
def by_task(input_shape, outputs, task):
    """One layer, named after the task."""
    import keras
    ASKED["task"] = task
    head = keras.layers.Dense(outputs, name=task.kind)
    return keras.Sequential([keras.layers.Input(input_shape), head])

@optimizer
def by_length(epochs, steps_per_epoch, *, learning_rate: float = 0.1):
    """Momentum that grows with the run's length."""
    import keras
    momentum = 1 - 1 / (epochs * steps_per_epoch)
    return keras.optimizers.SGD(learning_rate, momentum=momentum)

@schedule
def down(learning_rate, epochs):
    """In a line to nothing, by a callback."""
    import keras
    def rate(epoch, before):
        return learning_rate * (1 - epoch / epochs)
    return keras.callbacks.LearningRateScheduler(rate)

@regularizer
def by_steps(recipe, epochs, steps_per_epoch):
    """A penalty over the run's steps."""
    import keras
    for layer in recipe.model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.regularizer = keras.regularizers.L2(1 / (epochs * steps_per_epoch))
    return recipe

@loss
def balanced(task, summary):
    """Every class as much as any other."""
    import keras
    import numpy as np
    ASKED["summary"] = summary
    share = np.array(summary.counts, "float32") / summary.rows
    def cost(y_true, y_pred):
        true = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32"), 3)
        weight = keras.ops.sum(true / (3 * share), axis=-1)
        return weight * keras.losses.categorical_crossentropy(true, y_pred)
    return cost

@metric(mode="max")
def lift(summary):
    """Accuracy above that of the commonest class."""
    import keras
    most = max(summary.counts) / summary.rows
    def lift(y_true, y_pred):
        return keras.metrics.sparse_categorical_accuracy(y_true, y_pred) - most
    return lift

@callback
def asks(run_id, seed, results, data):
    """Note what it was offered."""
    import keras
    ASKED["callback"] = run_id, seed, results, data
    return keras.callbacks.Callback()
'''
RUN = (
    *("dataset=iris", "architecture=by_task", "optimizer=by_length", "regularizer=[by_steps]"),
    *("loss=balanced", "metrics=[lift]", "batch_size=16", "epochs=2"),
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    import importlib

    site = Site(tmp_path_factory.mktemp("asking") / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site.folder))
        site.install(PLUGIN, "asking")
        yield importlib.import_module("asking").ASKED
    site.forget("asking")


@pytest.mark.slow
def test_components_are_told_of_task_length_targets_and_run(
    asked: dict[str, Any], results: Path
) -> None:
    outcome = runner.run([*RUN, "callback=[asks]", "seed=7", f"results={results}"])
    assert outcome.status == "finished"
    assert asked["task"] == runner.Task.classification(3, ("setosa", "versicolor", "virginica"))
    run_id, seed, folder, data = asked["callback"]
    assert (run_id, seed, folder) == (outcome.run_id, 7, results)
    assert isinstance(data, Splits)
    features, targets = data.train
    with pytest.raises(ValueError, match="read-only"):
        features[0] = 0
    counts = tuple(np.bincount(targets).tolist())
    assert asked["summary"] == runner.Summary(len(targets), counts)


@pytest.mark.usefixtures("asked")
@pytest.mark.many
@pytest.mark.parametrize("words", [("optimizer=sgd", "regularizer=[]"), ()], ids=["one", "all"])
@pytest.mark.slow
def test_members_of_a_pack_that_differ_in_length_keep_their_own(words: tuple[str, ...]) -> None:
    base = [word for word in RUN if not word.startswith("epochs=")]
    base += ["schedule=down", *words]
    jobs = jobs_of(base, "epochs=2", "epochs=3", "epochs=4", "epochs=5")
    found = trained(jobs)
    check_packed(found, 4)
    check(found, alone(jobs))
    rates = [e.learning_rate for events in found for e in events if isinstance(e, EpochEnd)]
    assert np.array(rates[:5]) / rates[0] == pytest.approx([1, 1 / 2, 1, 2 / 3, 1 / 3])
