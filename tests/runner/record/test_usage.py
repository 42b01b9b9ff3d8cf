"""Samples of what the process uses: when they are taken, what they say, where they go."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from runner.journal.records import RunEnd, RunStart
from runner.record import usage
from runner.record.display import PlainProgress
from runner.record.recorder import Recorder
from runner.system.usage import Meter, Usage
from tests.runner.record.test_recorder import epoch_of, start_of


def start_with(run_id: str, config: dict[str, object]) -> RunStart:
    return dataclasses.replace(start_of(run_id), config=config)


def samples_in(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Run -> the sample records of its journal."""
    return {
        file.name.split(".")[0]: [
            line
            for line in map(json.loads, file.read_text().splitlines())
            if line["record"] == "system"
        ]
        for file in sorted((results / "journals").glob("*.jsonl"))
    }


def test_runs_that_train_together_each_have_the_processs_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "TICK", 0.03)
    monkeypatch.setattr(usage, "WRITE_SECONDS", 0.1)
    monkeypatch.setattr(usage, "SHARE", 1.0)
    recorder = Recorder(tmp_path, PlainProgress())
    config = {"limit_batches": None, "epochs": 1, "record_system": True}
    with recorder.usage:
        for run_id in ("a", "b"):
            recorder(start_with(run_id, config))
        recorder(start_with("c", config | {"record_system": False}))
        until = time.monotonic() + 10
        while len(samples_in(tmp_path)["b"]) < 2 and time.monotonic() < until:
            sum(range(10_000))
        for run_id in ("a", "b", "c"):
            recorder(epoch_of(run_id, 1))
            recorder(RunEnd.finished(run_id, 1.0, 1, 1))
    written = samples_in(tmp_path)
    assert written["c"] == []
    for run_id in ("a", "b"):
        numbers = [line["sample"] for line in written[run_id]]
        counts = [len(line["seconds"]) for line in written[run_id]]
        assert numbers == [1 + sum(counts[:place]) for place in range(len(counts))]
        first = written[run_id][0]
        assert set(first["runs_together"]) == {2}
        assert first["machine_cpu_share"][0] is None
        assert min(first["memory_bytes"]) > 1_000_000 and max(first["cpu_cores"]) > 0
        seconds = [value for line in written[run_id] for value in line["seconds"]]
        assert seconds == sorted(seconds)


def test_long_runs_are_sampled_ever_more_sparsely(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, taken = usage._Samples("a", began=0.0, before=0.0), 0
    for now in range(1, 86_401):
        if samples.is_due(float(now)):
            taken += 1
            samples.before = float(now)
            if now == 60:
                assert taken == 60
    assert 1_500 < taken < 2_000  # of a day


def test_a_run_below_a_second_starts_no_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meter() -> Meter:
        raise AssertionError("read")

    monkeypatch.setattr(usage, "Meter", meter)
    recorder = Recorder(tmp_path, PlainProgress())
    config = {"limit_batches": None, "epochs": 1, "record_system": True}
    with recorder.usage:
        recorder(start_with("a", config))
        recorder(RunEnd.finished("a", 0.0, 0, None))
    assert samples_in(tmp_path) == {"a": []}


def test_without_psutil_there_are_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "TICK", 0.01)
    monkeypatch.setitem(sys.modules, "psutil", None)
    with usage.UsageLog(lambda run_id: None) as nothing:
        nothing.begin("a")
        assert nothing._thread is not None
        nothing._thread.join(5)
        assert not nothing._thread.is_alive() and nothing.take("a") is None


def test_gpus_are_read_by_nvidias_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    def share(gpu: int) -> types.SimpleNamespace:
        if gpu == 2:  # a part of one: it has none
            raise NVMLError
        return types.SimpleNamespace(gpu=30 + 20 * gpu)

    library = types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetMemoryInfo=lambda gpu: types.SimpleNamespace(used=100 * gpu),
        nvmlDeviceGetUtilizationRates=share,
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    usage = Meter().read()
    assert (usage.gpu_share, usage.gpu_memory_bytes) == (0.5, 300)

    def broken() -> None:
        raise NVMLError("no driver")

    library.nvmlInit = broken
    usage = Meter().read()
    assert (usage.gpu_share, usage.gpu_memory_bytes) == (None, None)


def test_usage_is_what_was_used() -> None:
    meter = Meter()
    before = meter.read()
    sum(range(2_000_000))
    after = meter.read()
    assert isinstance(after, Usage) and meter.cores >= 1
    assert after.cpu_seconds > before.cpu_seconds and after.moment > before.moment
    assert after.machine_cpu_seconds >= before.machine_cpu_seconds
    assert after.machine_free_bytes > 0
