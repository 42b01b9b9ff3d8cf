"""How soon a search finds what another finds late, on our own ground: real trainings.

    python benchmarks/search_own.py [--tasks iris wine ...] [--trials 24] [--seeds 1]

Thirteen tasks of built-in and packaged data, tables, images, series and text, with built-in
architectures, and one space for all of them. The text needs vaderSentiment-0.5.zip in the present
folder (`pip download vaderSentiment==0.5 --no-binary :all: --no-deps`). First a warehouse is
filled: random trials of each task, trained as packs. Then each task is searched by each sampler;
the past is the warehouse, of which its own trials are no part. A hit is the first trial whose best
val_loss is at most the median that the first half of TPE's trials reach. What was searched before
is not searched again: a search goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import warehouse

STANDARD = "preprocessing=[standardize]"
TABLES = "dataset.path={vega_datasets}/_data/"
EMBEDDED = ["architecture=embed", "architecture.width=32"]
TASKS = {
    "iris": ["dataset=iris", STANDARD],
    "wine": ["dataset=wine", STANDARD],
    "breast_cancer": ["dataset=breast_cancer", STANDARD],
    "diabetes": ["dataset=diabetes", STANDARD],
    "cars": ["dataset=cars", "preprocessing=[impute,standardize]"],
    "weather": [
        "dataset=csv",
        f"{TABLES}seattle-weather.csv",
        "dataset.label=weather",
        "dataset.features=[precipitation,temp_max,temp_min,wind]",
        STANDARD,
    ],
    "electricity": [
        "dataset=csv",
        f"{TABLES}iowa-electricity.csv",
        "dataset.label=net_generation",
        "dataset.features=[source]",
        "dataset.task=regression",
        "preprocessing=[encode]",
        "batch_size=16",  # it has 51 rows
    ],
    "digits": ["dataset=digits"],
    "digits_cnn": ["dataset=digits", "architecture=cnn"],
    "mnist": ["dataset=mnist5k", "dataset.rows=1000"],
    "mnist_cnn": ["dataset=mnist5k", "dataset.rows=1000", "architecture=cnn"],
    "vowels": ["dataset=japanese_vowels", "architecture=rnn", "architecture.padding=0"],
    "news": ["dataset=snippets", "dataset.source=news", "preprocessing=[vectorize]", *EMBEDDED],
}
SPACE = [
    "optimizer=adam,sgd",
    "optimizer.learning_rate=tag(log,interval(1e-4,1e-1))",
    "regularizer.dropout.rate=interval(0,0.5)",
    "regularizer.l2.strength=tag(log,interval(1e-6,1e-2))",
]
FIXED = ["regularizer=[l2,dropout]", "epochs=8", "search.confirm=0", "search.batch=8"]
BEST = """
SELECT t.value FROM trials AS t ORDER BY t.number
"""


def search(
    results: Path, task: str, sampler: str, trials: int, seed: int, past: str, in_all: int
) -> None:
    """Search a task, or go on with it, in a process of its own.

    in_all: how many trials the warehouse then has, those of earlier tasks among them.
    """
    if results.exists() and len(values(results)) >= in_all:
        return
    words = [word.format(vega_datasets=folder_of("vega_datasets")) for word in TASKS[task]]
    command = [
        *(sys.executable, "-m", "runner", "-m", "hydra/sweeper=search"),
        *(*words, *SPACE, *FIXED),
        *(f"search.sampler={sampler}", f"search.trials={trials}", f"search.seed={seed}"),
        *(f"search.history={past}", f"results={results}"),
    ]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    print(f"{results.name} {task}: {time.monotonic() - start:.0f} s", flush=True)
    # A run that diverges makes it 1, and is a trial like any other.
    if done.returncode not in (0, 1) or len(values(results)) < in_all:
        sys.exit(done.stderr[-2000:])


def folder_of(package: str) -> Path:
    """Where an installed package lies, found without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def values(results: Path) -> list[float]:
    """The value of each trial in order; infinity for those without."""
    with warehouse.connect(results) as connection:
        rows = connection.execute(BEST).fetchall()
    return [float("inf") if value is None else float(value) for (value,) in rows]


def main() -> None:
    """Fill, search, compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--search", nargs="+", help="those left out in turn; all by default")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=1)
    folder = Path(tempfile.gettempdir()) / "sweephouse_search_own"
    parser.add_argument("--results", type=Path, default=folder)
    arguments = parser.parse_args()
    past = arguments.results / "past"
    trials = arguments.trials
    for number, task in enumerate(arguments.tasks, 1):
        search(past, task, "random", trials, 0, "none", number * trials)
    ratios = []
    for task in arguments.search or arguments.tasks:
        found: dict[str, list[list[float]]] = {"tpe": [], "neural": []}
        for seed in range(1, 1 + arguments.seeds):
            for sampler, runs in found.items():
                results = arguments.results / f"{task}_{sampler}_{seed}"
                known = str(past) if sampler == "neural" else "none"
                search(results, task, sampler, trials, seed, known, trials)
                runs.append(values(results))
        half = trials // 2
        bar = np.median([min(runs[:half]) for runs in found["tpe"]])
        hits = {
            sampler: np.mean(
                [next((i for i, v in enumerate(one, 1) if v <= bar), len(one) + 1) for one in runs]
            )
            for sampler, runs in found.items()
        }
        ratios.append(hits["neural"] / hits["tpe"])
        best = {sampler: min(map(min, runs)) for sampler, runs in found.items()}
        print(f"{task}: runs to a hit {hits}, best {best}, ratio {ratios[-1]:.2f}", flush=True)
    print(f"geometric mean of {len(ratios)} tasks: {np.exp(np.mean(np.log(ratios))):.2f}")


if __name__ == "__main__":
    main()
