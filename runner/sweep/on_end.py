"""The command that is told how a run or a sweep came out: `on_end`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import warehouse
from runner.errors import WarehouseError
from runner.record.outcome import Outcome
from runner.sweep.closing import TRIED_AGAIN
from runner.sweep.limits import RECOVERING, SWEEP
from runner.system.terminal import complain

Command = str | Sequence[str]
"""A line, read as a shell reads words, or the words; no shell runs it."""
SECONDS = 60.0
"""The time that it has; then it is ended, and what it has started."""
OF_THIS_SWEEP = (SWEEP, RECOVERING)
"""How variables begin that would make what it trains a part of this very sweep."""
UNTOLD = ("losses", "traceback", "place", "stop_requested", "closing", "on_end")
"""Fields of an outcome that are long, or that no other program has a use for; so are the values
of single classes."""


def tell_of_run(outcome: Outcome, results: Path) -> None:
    """Give the outcome of a run to its command, if it has one."""
    if outcome.on_end is None:
        return
    told = {
        field.name: getattr(outcome, field.name)
        for field in dataclasses.fields(outcome)
        if field.name not in UNTOLD
    }
    told["evaluations"] = {
        split: {name: value for name, value in metrics.items() if "[" not in name}
        for split, metrics in outcome.evaluations.items()
    }
    _tell(outcome.on_end, {"kind": "run", **told, "results": results})


def tell_of_sweep(command: Command | None, sweep_id: str, status: str, results: Path) -> None:
    """Give the outcome of a sweep to its command, if it has one: its runs counted, and the best.

    status: finished, failed, stopped, limited, or refused where nothing could begin.
    """
    if command is None:
        return
    runs: dict[str, int] = {}
    best = None
    with contextlib.suppress(WarehouseError), warehouse.connect(results) as connection:
        runs = dict(connection.execute(_RUNS, [sweep_id]).fetchall())
        names = ("run_id", "monitor", "best", "best_epoch", "dataset")
        row = connection.execute(_BEST, [sweep_id]).fetchone()
        best = dict(zip(names, row, strict=True)) if row is not None else None
    told = {"sweep_id": sweep_id, "status": status, "runs": runs, "best": best}
    _tell(command, {"kind": "sweep", **told, "results": results})


_RUNS = f"""
SELECT status, count(*) FROM runs JOIN sweep_runs AS s USING (run_id)
WHERE s.sweep_id = ? AND NOT {TRIED_AGAIN} GROUP BY status
"""
_BEST = """
SELECT run_id, monitor, best, best_epoch, dataset FROM leaderboard
WHERE run_id IN (SELECT run_id FROM sweep_runs WHERE sweep_id = ?) AND rank IS NOT NULL
ORDER BY rank, run_id LIMIT 1
"""


def _tell(command: Command, told: Mapping[str, Any]) -> None:
    """Run the command with the JSON on its standard input; what goes wrong is one line."""
    words = shlex.split(command) if isinstance(command, str) else list(command)
    try:
        reason = _reason(words, json.dumps(_plain(told)).encode())
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        complain(f"warning: on_end: {words[0]} {reason}")


def _reason(words: Sequence[str], given: bytes) -> str:
    """Run it; why it failed, or nothing."""
    own = {name: v for name, v in os.environ.items() if not name.startswith(OF_THIS_SWEEP)}
    # Files, no pipes: whatever it leaves running may keep them open.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        process = subprocess.Popen(
            words, stdin=stdin, stderr=stderr, env=own, start_new_session=True
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            return f"took more than {SECONDS:g} s and was ended"
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code == 0:
            return ""
        stderr.seek(0)
        lines = stderr.read().decode("utf-8", "replace").split("\n")
        said = next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")
        return f"ended with exit code {code}{said}"


def _plain(value: Any) -> Any:
    """The value as every reader of JSON takes it: NaN and infinity are null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
