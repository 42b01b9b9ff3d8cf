"""One name for one metric: a monitor is found by any of the names that a metric has."""

from __future__ import annotations

import pytest

from runner.errors import ConfigError
from runner.journal.records import EpochEnd, Evaluation, RunEnd, RunStart
from runner.model import build as building
from runner.model.build import build
from tests.runner.pairs import events_of, job_of

CANCER = ("dataset=breast_cancer", "epochs=3", "architecture.units=[4]", "regularizer=[]")
CARS = ("dataset=cars", "epochs=1", "preprocessing=[impute,standardize]", "regularizer=[]")


@pytest.mark.slow
def test_the_evaluations_name_of_a_metric_is_a_monitor(capsys: pytest.CaptureFixture[str]) -> None:
    building._say_renamed.cache_clear()
    events = events_of(job_of((*CANCER, "metrics=[accuracy,auc]", "monitor=val_roc_auc")))
    [start] = [event for event in events if isinstance(event, RunStart)]
    [end] = [event for event in events if isinstance(event, RunEnd)]
    assert (start.monitor, start.mode) == ("val_auc", "max")
    values = {e.epoch: e.metrics["val"]["auc"] for e in events if isinstance(e, EpochEnd)}
    assert end.best_epoch == max(values, key=lambda epoch: (values[epoch], -epoch))
    evaluated = [event.metrics for event in events if isinstance(event, Evaluation)]
    assert all("auc" in metrics for metrics in evaluated)
    assert "monitor=val_roc_auc: epochs have it as val_auc" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "monitor"),
    [
        ((*CANCER, "metrics=[auc]", "monitor=val_AUC"), "val_auc"),
        ((*CANCER, "metrics=[auc]", "metrics.auc.curve=PR", "monitor=val_pr_auc"), "val_auc"),
        ((*CANCER, "metrics=[f1_score]", "monitor=val_f1"), "val_f1_score"),
        ((*CARS, "metrics=[rmse]", "monitor=val_rmse"), "val_root_mean_squared_error"),
        ((*CARS, "metrics=[r2_score]", "monitor=r2"), "r2_score"),
    ],
)
def test_a_monitor_goes_by_any_name_of_its_metric(words: tuple[str, ...], monitor: str) -> None:
    job = job_of(words)
    assert build(job.config, job.data).monitor == monitor


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("monitor=val_roc_auc",), r"'val_roc_auc' .*val_accuracy.*; metrics=\[auc\] gives it"),
        (
            ("metrics=[auc]", "metrics.auc.curve=PR", "monitor=val_roc_auc"),
            "did you mean 'val_auc'",
        ),
        (("monitor=val_acuracy",), "did you mean 'val_accuracy'"),
    ],
)
def test_what_epochs_will_not_have_is_refused_with_near_names(
    words: tuple[str, ...], sentence: str
) -> None:
    job = job_of((*CANCER, *words))
    with pytest.raises(ConfigError, match=sentence):
        build(job.config, job.data)
