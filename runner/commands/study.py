"""The work of `search import`: the trials of an Optuna study as runs, by journals like any other.

What a run is called follows from its study and its trial, so that a study that is imported twice,
or once more when it has grown, is there once.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from runner.errors import ConfigError
from runner.journal.file import write_journal
from runner.journal.results import JOURNALS, is_results, results_folder


def import_study(url: str, name: str | None = None, results: Path | None = None) -> str:
    """Make runs of a study's trials that have ended and are not there yet; say how many.

    url: as Optuna has it, such as `sqlite:///study.db`, or the path of such a file or of a journal
        of Optuna's.
    name: of the study, where the storage has several.

    Raises ConfigError where there is no such storage or study, or where Optuna is missing, and
    WarehouseError and JournalError where the results folder cannot be read or written.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(
            "search import needs the package optuna, which is missing: "
            "pip install 'sweephouse[search]'"
        )
    import warehouse
    from runner.tracking.optuna_study import read_study

    study = read_study(url, name)
    folder = results_folder(results)
    known = _known(folder, [run.start.run_id for run in study.runs])
    counts: Counter[str] = Counter()
    for run in study.runs:
        if run.start.run_id in known:
            continue
        write_journal(folder / JOURNALS, run.start.run_id, [run.start, *run.epochs, run.end])
        counts[run.end.status] += 1
    outcome = warehouse.sync(folder)
    sentence = _sentence(study.name, counts, len(known), study.unended)
    return f"{sentence}; {outcome.sentence()}" if outcome.reason or outcome.problems else sentence


def _known(folder: Path, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs that the warehouse has whole."""
    import warehouse

    if not is_results(folder):
        return set()
    # What a killed import left is a lost run, which the whole one replaces.
    warehouse.sync(folder)
    with warehouse.connect(folder) as connection:
        rows = connection.execute(
            "SELECT run_id FROM runs WHERE run_id IN (SELECT unnest($1::VARCHAR[])) "
            "AND status NOT IN ('running', 'lost')",
            [list(run_ids)],
        ).fetchall()
    return {run_id for (run_id,) in rows}


def _sentence(name: str, counts: Counter[str], known: int, unended: int) -> str:
    words = {"finished": "finished", "stopped": "pruned", "failed": "failed"}
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    total = sum(counts.values())
    noun = "trial" if total == 1 else "trials"
    sentence = f"imported {total} {noun} of study '{name}' as runs of experiment 'optuna:{name}'"
    if parts:
        sentence += f" ({', '.join(parts)})"
    if known:
        sentence += f"; {known} there before"
    if unended:
        sentence += f"; {unended} not ended yet, for a later import"
    return sentence
