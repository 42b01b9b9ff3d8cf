"""What both commands have in common: one signal unwinds, what does not unwind is ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = """
import os, signal, sys, threading, time
from runner.system import stops

def work():
    threading.Timer(0.1, os.kill, [os.getpid(), signal.{name}]).start()
    try:
        time.sleep(30)
    finally:
        {unwinding}

stops.run_as_process(work, {patience})
"""


@pytest.mark.many
@pytest.mark.parametrize(
    ("name", "unwinding", "patience"),
    [
        ("SIGINT", "print('unwound', flush=True)", "None"),
        ("SIGTERM", "print('unwound', flush=True)", "9.0"),
        ("SIGTERM", "print('unwound', flush=True); raise RuntimeError('interrupted')", "None"),
        ("SIGINT", "print('unwound', flush=True); sys.exit(5)", "None"),
        ("SIGINT", "print('unwound', flush=True); time.sleep(30)", "0.3"),
        ("SIGINT", "print('unwound', flush=True); signal.raise_signal(2)", "None"),
    ],
    ids=["no_patience", "patience", "another_error", "an_exit", "no_end", "twice"],
)
def test_a_stop_ends_in_one_word_whatever_becomes_of_it(
    name: str, unwinding: str, patience: str
) -> None:
    code = COMMAND.format(name=name, unwinding=unwinding, patience=patience)
    since = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=25
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "unwound\n", "stopped\n")
    assert time.monotonic() - since < 20


def test_a_signal_that_was_ignored_from_the_start_stays_so() -> None:
    code = (
        "import signal, sys\n"
        "from runner.system import stops\n"
        "stops.run_as_process(lambda: signal.raise_signal(signal.SIGINT) or 7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (7, "")


def test_a_signal_after_the_end_changes_no_exit_code() -> None:
    code = (
        "import atexit, signal\n"
        "from runner.system import stops\n"
        "atexit.register(print, 'still there')\n"
        "atexit.register(signal.raise_signal, signal.SIGTERM)\n"
        "stops.run_as_process(lambda: 3)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "")
