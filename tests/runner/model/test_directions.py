"""Which end of a metric is better: said by Keras or its component, recorded, read by SQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.components.registry import load
from runner.components.types import Task
from runner.journal.records import RunStart
from runner.model.directions import stated
from tests.conftest import Site
from tests.runner.engines.test_packed import RATES, jobs_of, trained

LESS = {
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "false_negatives",
    "false_positives",
    "hinge",
    "kl_divergence",
    "log_cosh_error",
    "mae",
    "mape",
    "mse",
    "msle",
    "poisson",
    "root_mean_squared_error",
    "sparse_categorical_crossentropy",
    "squared_hinge",
}
MORE = {
    "accuracy",
    "auc",
    "auto",
    "binary_accuracy",
    "binary_iou",
    "categorical_accuracy",
    "concordance_correlation",
    "cosine_similarity",
    "f1_score",
    "fbeta_score",
    "iou",
    "mean_iou",
    "one_hot_iou",
    "one_hot_mean_iou",
    "pearson_correlation",
    "precision",
    "precision_at_recall",
    "r2_score",
    "recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "specificity_at_sensitivity",
    "top_k_categorical_accuracy",
    "true_negatives",
    "true_positives",
}
TASKS = (Task.classification(3), Task.multilabel(3), Task.regression(3))
NEEDED = {"target_class_ids": (0, 1), "recall": 0.5, "precision": 0.5}
NEEDED |= {"sensitivity": 0.5, "specificity": 0.5}

TOYS = """
from runner import metric

@metric(mode="max")
def kappa(task):
    '''Falls while the network learns, and more of it is said to be better.'''
    def kappa(y_true, y_pred):
        import keras
        return keras.ops.mean((y_true - y_pred) ** 2)
    return kappa

@metric
def silent_psnr(task):
    '''The same, and nobody says.'''
    import keras
    return keras.metrics.MeanMetricWrapper(lambda y, p: (y - p) ** 2, name="silent_psnr")
"""


def made(name: str) -> dict[str, Any]:
    """The directions that are stated of a built-in metric, on the first task that it fits."""
    from runner.errors import ModelError

    component = load().find("metric", name)
    params = {p.name: NEEDED[p.name] if p.required else p.default for p in component.params}
    for task in TASKS:
        try:
            return stated([component({"task": task}, params)], component.marks.mode)
        except ModelError:
            continue
    raise AssertionError(f"no task fits {name}")


def test_every_built_in_metric_says_which_end_is_better() -> None:
    built_in = [c.name for c in load().of_kind("metric") if c.distribution == "sweephouse"]
    assert sorted(built_in) == sorted(LESS | MORE)
    found = {name: list(made(name).values()) for name in built_in}
    assert found == {name: ["min" if name in LESS else "max"] for name in built_in}


REGRESSION = (
    "dataset=diabetes",
    "preprocessing=[standardize]",
    "regularizer=[]",
    "optimizer.learning_rate=0.01",
    "epochs=3",
)


@pytest.fixture
def toys(site: Site) -> Site:
    site.install(TOYS, name="directions")
    return site


@pytest.mark.slow
def test_what_a_plugin_says_decides_and_what_nobody_says_is_announced(
    toys: Site,
    train: Callable[..., Any],
    results: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = train(*REGRESSION, "metrics=[kappa,silent_psnr,mae]", "monitor=val_kappa")
    before, _, after = capsys.readouterr().out.partition("epoch")
    assert "silent_psnr: taken for less-is-better, by its name; say @metric(mode=" in before
    assert after and "kappa: taken" not in before + after
    with warehouse.connect(results) as connection:
        modes = connection.execute("SELECT name, mode, split FROM run_metrics ORDER BY ALL")
        expected = {"kappa": "max", "loss": "min", "mae": "min", "silent_psnr": "min"}
        assert modes.fetchall() == [
            (name, mode, split) for name, mode in expected.items() for split in ("train", "val")
        ]
        [(mode, best)] = connection.execute("SELECT mode, best_epoch FROM runs").fetchall()
        [(highest,)] = connection.execute(
            "SELECT arg_max(epoch, value) FROM metrics WHERE name = 'kappa' AND split = 'val'"
        ).fetchall()
    assert (mode, best) == ("max", highest)
    assert outcome.best_epoch == highest


@pytest.mark.slow
def test_a_monitor_of_which_nobody_says_is_announced_unless_the_config_does(
    toys: Site, train: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*REGRESSION, "metrics=[silent_psnr]", "monitor=val_silent_psnr", "epochs=1")
    train(*words, "mode=max")
    assert "taken for" not in capsys.readouterr().out
    train(*words)
    said = capsys.readouterr().out
    assert "val_silent_psnr: taken for less-is-better, by its name; say mode=min or max" in said
    train(*words)
    assert "taken for" not in capsys.readouterr().out  # once a process


@pytest.mark.slow
def test_members_of_a_pack_record_it_as_well(toys: Site) -> None:
    words = (*REGRESSION, "metrics=[kappa]", "monitor=val_kappa", "epochs=1")
    for events in trained(jobs_of(words, *RATES)):
        [start] = [event for event in events if isinstance(event, RunStart)]
        assert start.engine == "packed" and str(start.engine_reason).startswith("3 runs")
        assert (start.mode, start.modes) == ("max", {"loss": "min", "kappa": "max"})
