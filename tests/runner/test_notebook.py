"""Runs and sweeps from Python and from notebooks: what they give back, and how it is shown."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import runner
from runner.record import notebook
from runner.record.notebook import NotebookProgress
from runner.sweep.result import Result
from tests.runner.record.test_display import begin, end, train

NOTEBOOK = Path(__file__).parents[2] / "examples" / "sweep.ipynb"
SMALL = ("dataset=iris", "epochs=2", "limit_batches=1")


@pytest.mark.slow
def test_what_run_gives_has_curves_model_and_a_form_for_notebooks(
    train: Callable[..., Any],
) -> None:
    done = train(*SMALL)
    curves = done.curves()
    assert set(curves.run_id) == {done.run_id}
    losses = curves[(curves.name == "loss") & (curves.split == "train")].value
    assert losses.tolist() == pytest.approx(done.losses)
    assert done.model().input_shape == (None, 4)
    shown = done._repr_html_()
    assert done.run_id in shown and "best val_loss" in shown and "<polyline" in shown


def test_nothing_in_the_form_is_taken_for_html() -> None:
    odd = Result("<i>", error="<script>alert(1)</script>", evaluations={"<b>": {"accuracy": 1.0}})
    tags = set(re.findall(r"<(\w+)", odd._repr_html_()))
    assert tags == {"div", "b", "table", "tr", "th", "td"}


@pytest.mark.slow
def test_a_sweep_is_a_table_of_its_runs_and_trains_none_twice(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", str(results))
    jobs: list[Any] = [{"optimizer.learning_rate": 0.01}, ["optimizer.learning_rate=0.1"]]
    before = dict(os.environ)
    table = runner.sweep(jobs, common=SMALL, seed=[0, 1])  # type: ignore[operator]
    assert len(table) == 4 and set(table.status) == {"finished"}
    assert table.best.is_monotonic_increasing and set(table.seed) == {0, 1}
    assert set(table["optimizer.learning_rate"]) == {0.01, 0.1}
    assert dict(os.environ) == before
    capsys.readouterr()
    more = runner.sweep(jobs, common=SMALL, seed=range(3))  # type: ignore[operator]
    assert len(more) == 6 and set(table.run_id) < set(more.run_id)
    assert capsys.readouterr().out.count("skipped: ") == 4


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        (["optimizr=sgd"], "there is no key 'optimizr': did you mean 'optimizer'"),
        (["epochs=0"], "epochs=0 is not valid"),
        ([{"epochs": "many"}], "epochs=many is not valid"),
        ([["epochs=1", 5]], "5 is no override: give text such as 'epochs=5'"),
        ({"epochs": 1}, "a sweep takes a list of jobs"),
        ("epochs=1", "a sweep takes a list of jobs"),
    ],
)
@pytest.mark.many
def test_a_sweep_that_cannot_begin_is_one_sentence(
    results: Path, monkeypatch: pytest.MonkeyPatch, jobs: Any, sentence: str
) -> None:
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", str(results))
    with pytest.raises(runner.RunnerError, match=sentence):
        runner.sweep(jobs, common=SMALL)  # type: ignore[operator]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a cell shows, each state of it, as if this were a notebook."""
    states: list[str] = []
    handle = SimpleNamespace(update=states.append)

    def display(content: str, display_id: bool) -> Any:
        states.append(content)
        return handle

    module: Any = ModuleType("IPython.display")
    module.HTML, module.display = str, display
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(notebook, "MOVE_SECONDS", 0.0)
    return states


def test_a_bar_moves_in_a_notebook(cell: list[str]) -> None:
    one = NotebookProgress(1)
    one.start(begin("a", epochs=4))
    train(one, ("a", 1, 0.5))
    one.end(end("a"))
    one.close()
    assert "value='0.250'" in cell[-1] and "epoch 1/4  loss 0.5000" in cell[-1]
    many = NotebookProgress(2)
    for run in ("a", "b"):
        many.start(begin(run, epochs=4))
    train(many, ("a", 4, 0.5))
    many.end(end("a"))
    many.close()
    assert "value='0.500'" in cell[-1] and "1/2 runs  1 in training" in cell[-1]


def test_the_example_is_executed_and_names_no_place() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert '"execution_count": null' not in text and '"output_type": "error"' not in text
    assert not re.search(r"(?<![\w.>-])/(work|tmp|home|root|Users)\b", text)


@pytest.mark.slow
def test_the_example_runs_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipykernel")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.delenv("SWEEPHOUSE_RESULTS", raising=False)
    cells = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's about itself
        nbclient.NotebookClient(cells, timeout=300, resources=place).execute()
    last = [each for each in cells.cells if each.cell_type == "code"][-1]
    assert all(name in last.outputs[0]["data"]["text/html"] for name in ("adam", "sgd"))
    assert (tmp_path / "results" / "warehouse.duckdb").is_file()
