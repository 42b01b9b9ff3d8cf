"""How soon a search finds what another finds late, on tables that nobody here made.

    python benchmarks/search.py [--tasks hpobench ...] [--seeds 10] [--methods neural tpe ...]

Leave one task out: the history is 100 random runs of each other task of its family, the budget
100 runs. A *hit* is the first run whose mean over all of its trainings is at most the median best
that the baseline has after 50 runs; a search without one counts 101. The *ratio* is the geometric
mean over tasks of the mean runs to a hit, divided by the baseline's own. In brackets the upper end
of its 95 % interval: tasks are drawn again with replacement, and seeds within each, of method and
baseline apart; the hit's threshold stays. Baselines are Optuna's TPE with its defaults, and the
same after the best 10 runs of the other tasks (`warm`). All draw the same noise.

Results are kept by --results, a folder: what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The matrices are small: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from search_tables import Table, history, table, tables

from plugins.sampler.neural import neural
from runner.components.search_types import History, PastTask, Trial

BUDGET, JUDGED_AT, WARM = 100, 50, 10
DRAWS = 1000
Suggest = Callable[[list[Trial], int], list[dict[str, Any]]]


@dataclass(frozen=True)
class Method:
    """A searcher and how it is asked: `neural`, `neural:one`, `tpe:8`, `neural:8:s2`."""

    text: str

    @property
    def searcher(self) -> str:
        """neural, tpe, warm (TPE after the best runs of others) or random."""
        return self.text.split(":")[0]

    @property
    def history(self) -> str:
        """The kind of history: all, one, shuffled or none."""
        kinds = {"one", "shuffled", "none"} & set(self.text.split(":"))
        return kinds.pop() if kinds else "all"

    @property
    def batch(self) -> int:
        """How many are asked for at once."""
        return next((int(word) for word in self.text.split(":") if word.isdigit()), 1)

    @property
    def structures(self) -> int | None:
        """To how many structures a batch is bound."""
        found = re.search(r":s(\d+)", self.text)
        return int(found[1]) if found else None

    @property
    def is_baseline(self) -> bool:
        """Whether others are judged by it."""
        return self.searcher in {"tpe", "warm"}

    def is_judged_by(self, other: Method) -> bool:
        """Whether the other is a baseline that is asked for as many at once."""
        return other.is_baseline and other != self and other.batch == self.batch

    def baseline(self, searcher: str) -> Method:
        """A baseline that is asked for as many at once."""
        return Method(searcher if self.batch == 1 else f"{searcher}:{self.batch}")


@dataclass(frozen=True)
class Search:
    """What one search came to."""

    means: list[float]
    """Of the configurations in the order tried, the mean loss over all of their trainings."""
    first: float
    """CPU seconds of the first ask, which trains the network."""
    later: float
    """CPU seconds of all other asks, a configuration."""


def search(method: Method, name: str, seed: int, enough: float = -math.inf) -> Search:
    """One search of one task, which ends when a mean is low enough."""
    task = table(name)
    suggest = suggester(method, task, seed)
    draws = np.random.default_rng([seed, zlib.crc32(name.encode()), 1]).random(BUDGET)
    means = task.means
    trials: list[Trial] = []
    rows: list[int] = []
    seconds = []
    while len(trials) < BUDGET and not any(means[row] <= enough for row in rows):
        start = time.process_time()
        batch = suggest(trials, min(method.batch, BUDGET - len(trials)))
        seconds.append(time.process_time() - start)
        for params in batch:
            rows.append(task.row(params))
            trials.append(Trial(params, (task.noisy(rows[-1], draws[len(trials)]),)))
    later = sum(seconds[1:]) / max(len(rows) - method.batch, 1)
    return Search([float(means[row]) for row in rows], seconds[0], later)


def suggester(method: Method, task: Table, seed: int) -> Suggest:
    """What is asked for configurations, given the trials so far."""
    if method.searcher == "random":
        rng = np.random.default_rng([seed, 5])
        return lambda _, n: [
            task.params(int(row)) for row in rng.choice(len(task.losses), n, replace=False)
        ]
    past = history(task.name, seed, method.history)
    if method.searcher in {"tpe", "warm"}:
        return optuna_suggester(task, past if method.searcher == "warm" else (), seed)

    def ask(trials: list[Trial], n: int) -> list[dict[str, Any]]:
        known = History(tuple(trials), past)
        asked = neural(task.space, known, (), n, seed, structures=method.structures)
        return [dict(suggestion.params) for suggestion in asked]

    return ask


def optuna_suggester(task: Table, past: tuple[PastTask, ...], seed: int) -> Suggest:
    """Optuna's TPE as it comes; numbers are its integers, their places in the table's order."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for params in best_of(past):
        study.enqueue_trial(
            {
                one.name: one.choices.index(params[one.name]) if one.ordered else params[one.name]
                for one in task.space
            }
        )
    asked: list[Any] = []

    def ask(trials: list[Trial], n: int) -> list[dict[str, Any]]:
        for trial, done in zip(asked, trials[len(trials) - len(asked) :], strict=True):
            study.tell(trial, done.values[0])
        asked[:] = [study.ask() for _ in range(n)]
        return [
            {
                one.name: one.choices[trial.suggest_int(one.name, 0, len(one.choices) - 1)]
                if one.ordered
                else trial.suggest_categorical(one.name, one.choices)
                for one in task.space
            }
            for trial in asked
        ]

    return ask


def best_of(past: tuple[PastTask, ...]) -> list[dict[str, Any]]:
    """The best runs of other tasks: of each its best, then of each its second, ten in all."""
    ranked = [sorted(task.trials, key=lambda trial: trial.values) for task in past]
    return [dict(trial.params) for best in zip(*ranked, strict=True) for trial in best][:WARM]


Results = dict[tuple[str, str, int], Search]


def results(folder: Path, methods: list[Method], names: list[str], seeds: int) -> Results:
    """The searches of all methods, baselines first; those that are not in the folder run now."""
    found: Results = {}
    for method in sorted(methods, key=lambda one: not one.is_baseline):
        file = folder / f"{method.text.replace(':', '-')}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        for line in lines:
            name, seed, *rest = json.loads(line)
            found[method.text, name, seed] = Search(*rest)
        missing = [
            (name, seed)
            for name in names
            for seed in range(seeds)
            if (method.text, name, seed) not in found
        ]
        for name, seed in missing:
            # Nothing is asked of it after it has hit what all baselines are judged by.
            judges = [one for one in methods if method.is_judged_by(one)]
            enough = min((threshold(found, one, name) for one in judges), default=-math.inf)
            one = found[method.text, name, seed] = search(method, name, seed, enough)
            with file.open("a") as out:
                out.write(json.dumps([name, seed, one.means, one.first, one.later]) + "\n")
    return found


def threshold(found: Results, baseline: Method, name: str) -> float:
    """The mean loss that a hit has at most."""
    return float(np.median([min(means[:JUDGED_AT]) for means in searches(found, baseline, name)]))


def searches(found: Results, method: Method, name: str) -> list[list[float]]:
    """The means of all searches of a task by a method."""
    return [one.means for key, one in sorted(found.items()) if key[:2] == (method.text, name)]


def runs_to_hit(means: list[float], threshold: float) -> int:
    """The number of the first run that hits, counted from 1."""
    hits = np.flatnonzero(np.array(means) <= threshold)
    return int(hits[0]) + 1 if len(hits) else BUDGET + 1


Counts = list[tuple[np.ndarray, np.ndarray]]


def hits(found: Results, method: Method, baseline: Method, names: list[str]) -> Counts:
    """Of each task the runs to a hit of the method's and of the baseline's searches."""
    counts = []
    for name in names:
        bar = threshold(found, baseline, name)
        ours, theirs = (
            np.array([runs_to_hit(means, bar) for means in searches(found, one, name)])
            for one in (method, baseline)
        )
        counts.append((ours, theirs))
    return counts


def ratio(counts: Counts) -> tuple[float, float, list[float]]:
    """The ratio, the upper end of its interval, and the ratio of each task."""
    each = [float(ours.mean() / theirs.mean()) for ours, theirs in counts]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        tasks = [counts[index] for index in rng.integers(len(counts), size=len(counts))]
        means = [[rng.choice(runs, len(runs)).mean() for runs in task] for task in tasks]
        drawn.append(np.mean([np.log(ours / theirs) for ours, theirs in means]))
    return float(np.exp(np.mean(np.log(each)))), float(np.exp(np.quantile(drawn, 0.975))), each


def report(found: Results, methods: list[Method], names: list[str], seeds: int) -> Iterator[str]:
    """Lines of a table in Markdown."""
    yield "| method | against | family | ratio (upper) | worst task |"
    families = {family: [n for n in own if n in names] for family, own in tables().items()}
    families = {family: own for family, own in families.items() if own}
    if len(families) > 1:
        families["all"] = [name for own in families.values() for name in own]
    for method in methods:
        for searcher in ("tpe", "warm"):
            baseline = method.baseline(searcher)
            if baseline not in methods or not method.is_judged_by(baseline):
                continue
            for family, own in families.items():
                value, upper, each = ratio(hits(found, method, baseline, own))
                worst = int(np.argmax(each))
                yield (
                    f"| {method.text} | {baseline.text} | {family} | {value:.2f} ({upper:.2f})"
                    f" | {own[worst]} {each[worst]:.2f} |"
                )
    for method in methods:
        own = [found[method.text, name, seed] for name in names for seed in range(seeds)]
        first = np.mean([one.first for one in own])
        later = 1000 * np.mean([one.later for one in own])
        yield f"{method.text}: first ask {first:.2f} CPU s, then {later:.1f} CPU ms a run"


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", nargs="+", default=list(tables()), help="tasks or families")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["tpe", "warm", "neural"])
    folder = Path(tempfile.gettempdir()) / "sweephouse_search"
    parser.add_argument("--results", type=Path, default=folder)
    arguments = parser.parse_args()
    names = [name for word in arguments.tasks for name in tables().get(word, [word])]
    methods = [Method(text) for text in arguments.methods]
    arguments.results.mkdir(parents=True, exist_ok=True)
    found = results(arguments.results, methods, names, arguments.seeds)
    print("\n".join(report(found, methods, names, arguments.seeds)))


if __name__ == "__main__":
    main()
