"""What came of runs that the jobs of a cluster trained, as the warehouse has it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import warehouse
from runner.errors import JournalError
from runner.record.outcome import Outcome
from runner.sweep.failures import RunResult
from runner.sweep.plan import Run

# Of the tries of one run the last counts.
RESULTS = """
SELECT
    fingerprint, r.run_id, r.status, r.epochs, l.best_epoch, l.monitor, l.mode, l.best,
    r.seconds, r.error, r.reason, f.traceback
FROM runs AS r LEFT JOIN leaderboard AS l USING (run_id) LEFT JOIN failures AS f USING (run_id)
WHERE r.sweep_id = ?
QUALIFY row_number() OVER (PARTITION BY fingerprint ORDER BY r.run_id DESC) = 1
"""


def settled(
    runs: Sequence[Run],
    results: Path,
    sweep_id: str,
    refused: Collection[str],
    stopped: bool,
    left_out: bool,
) -> Iterator[tuple[str, RunResult]]:
    """The result of each run by its id.

    refused: ids of those that their jobs refused. stopped: whether the user stopped the sweep.
    left_out: whether those that have not begun were kept from it; they have none.
    """
    with warehouse.connect(results) as connection:
        rows = connection.execute(RESULTS, [sweep_id]).fetchall()
    found = {row[0]: row[1:] for row in rows}
    for run in runs:
        result: RunResult
        if run.fingerprint in found:
            result = _outcome(found[run.fingerprint], stopped)
        elif run.run_id in refused:
            result = JournalError("its job refused it")
        elif left_out:
            continue
        else:
            result = JournalError("its job is gone, and never began it")
        yield run.run_id, result


def _outcome(row: Sequence[Any], stopped: bool) -> Outcome:
    run_id, status, epochs, best_epoch, monitor, mode, best, seconds, error, reason, trace = row
    return Outcome(
        run_id,
        status=status,
        epochs=epochs or 0,
        best_epoch=best_epoch,
        monitor=monitor or "val_loss",
        mode=mode or "min",
        best=best,
        seconds=seconds or 0.0,
        error=error,
        reason=reason,
        traceback=trace,
        stop_requested=stopped,
    )
