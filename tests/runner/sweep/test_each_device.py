"""`device=gpus`: a process for each device, which are parts of the processor here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import warehouse
from tests.runner.session import as_users_have_it

ROOT = Path(__file__).parents[3]
PLUGIN = """
import os
from runner import callback

@callback
def killed(*, once: str):
    "Ends its process as the kernel does where memory is short, once."
    import keras
    def end(epoch, logs):
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), 9)
    return keras.callbacks.LambdaCallback(on_epoch_end=end)
"""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_sweep_is_on_all_devices_and_a_process_that_dies_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "killing.py").write_text(PLUGIN, encoding="utf-8")
    words = ["--plugin", "killing.py", "callback=killed", "callback.killed.once=once"]
    sweep = ["device=gpus", "dataset=iris", "architecture.units=[4]", "epochs=2", "seed=range(16)"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "runner", "--multirun", *words, *sweep],
        env=as_users_have_it({"SWEEPHOUSE_CPUS": "2", "PYTHONPATH": path}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "16 runs train on 2 of 2 devices" in said
    assert "the process of a device has ended (killed by signal 9)" in said
    assert "16 finished" in said and "interrupted and tried again" in said
    with warehouse.connect(tmp_path / "results") as con:
        finished = con.execute(
            "SELECT count(DISTINCT fingerprint), min(epochs), list_sort(list(DISTINCT device)) "
            "FROM runs WHERE status = 'finished'"
        ).fetchall()
        others = con.execute("SELECT DISTINCT status FROM runs WHERE status <> 'finished'")
        assert others.fetchall() == [("lost",)]
    assert finished == [(16, 2, ["cpu:0", "cpu:1"])]
