"""The display while many runs train."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record import display as progress
from runner.record.display import (
    LiveProgress,
    LiveSweepProgress,
    PlainProgress,
    PlainSweepProgress,
    PlanningProgress,
    Progress,
)


def begin(run_id: str, epochs: int = 20) -> RunStart:
    config = {"epochs": epochs, "limit_batches": None, "batch_size": 8}
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(RunStart)}
    return RunStart(**fields | {"run_id": run_id, "config": config, "data": {"train": 80}})


def train(display: Progress, *losses: tuple[str, int, float]) -> None:
    for run_id, epoch, loss in losses:
        display.epoch(EpochEnd(run_id, epoch, loss, None, 0.1, 0.1))


def end(run_id: str) -> RunEnd:
    return RunEnd(run_id, "finished", "", 1.0, 2, 1)


def test_runs_that_train_at_once_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 3600.0)
    display = PlainSweepProgress(5)
    for run_id in "abc":
        display.start(begin(run_id))
    train(display, ("a", 1, 0.5), ("b", 2, 0.25))
    display.end(end("c"))
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    train(display, ("a", 3, 0.125))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "training 5 runs"
    [line] = out[1:]
    assert line.startswith("1/5 runs  2 in training: epochs 2 to 3 of 20, loss 0.1250 to 0.2500  ")
    assert line.endswith(" s left")


def test_a_sweep_on_a_terminal_is_a_bar_that_goes_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MOVE_SECONDS", 0.0)
    display = LiveSweepProgress(2)
    try:
        display.start(begin("a", epochs=2))
        train(display, ("a", 1, 0.5))
        print("finished  a")
        display.end(end("a"))
    finally:
        display.close()
    out = capsys.readouterr().out
    assert "finished  a" in out
    assert "1/2 runs" in out


@pytest.mark.parametrize("display", [PlainProgress, LiveProgress])
def test_a_long_run_prints_a_line_every_so_many_epochs(
    capsys: pytest.CaptureFixture[str], display: type[Progress]
) -> None:
    start = begin("a", epochs=300)
    shown = display()
    shown.start(dataclasses.replace(start, config={**start.config, "print_every": 100}))
    train(shown, *(("a", epoch, 1 / epoch) for epoch in range(1, 301)))
    shown.end(end("a"))
    lines = [line for line in capsys.readouterr().out.splitlines() if "loss 0.0" in line]
    printed = [line[line.index("epoch") :] for line in lines if "epoch " in line]
    wanted = [("100", "0.0100"), ("200", "0.0050"), ("300", "0.0033")]
    for (epoch, loss), line in zip(wanted, printed, strict=False):
        assert line.startswith(f"epoch {epoch}") and f"loss {loss}" in line
    assert len(printed) >= 3


def test_a_long_sweep_says_how_far_its_planning_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.record.display.PLANNING_SECONDS", 0.0)
    assert list(PlanningProgress(1234).counted("abc")) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.partition("  ")[0] for line in printed.err.splitlines()] == [
        "planned 1 of 1,234 jobs",
        "planned 2 of 1,234 jobs",
    ]
