"""What a report says, once, for the page and for Markdown: tables and figures in their order."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.journal.weights import read
from warehouse.figures.confusion import confusion
from warehouse.figures.curves import curves
from warehouse.figures.importance import importance
from warehouse.figures.parallel import parallel
from warehouse.lookup import SHORT
from warehouse.report.gather import FACTS, MOST_LINES, Chosen

if TYPE_CHECKING:
    import pandas

MOST_ROWS = 200
"""Rows of a table; a report is for reading, and SQL for the rest."""
MOST_METRICS = 24
"""Metrics of the test split that are shown."""
MOST_PICTURES = 20
"""Figures kept with the best run that are shown."""
LONGEST_VALUE = 400
FEW_LINES = 10
"""Runs up to which training is drawn beside validation."""


@dataclass(frozen=True)
class Table:
    """Rows under a title; a note says what they are, or how many were left out."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Figure:
    """A chart, and the name of its file."""

    name: str
    title: str
    chart: Any


@dataclass(frozen=True)
class Picture:
    """A figure that was kept with a run, as its file is."""

    name: str
    title: str
    content: bytes
    ending: str


Block = Table | Figure | Picture


def blocks(chosen: Chosen, results: Path) -> Iterator[Block]:
    """All that there is to say of the runs, from what is asked first.

    results: the folder where their files lie.
    """
    yield _runs(chosen)
    for metric in chosen.metrics():
        split = None if len(chosen.ids) <= FEW_LINES else "val"
        lines = chosen.curves(metric, None)
        if split in set(lines["split"]):
            lines = lines[lines["split"] == split]
        first = f"the best {MOST_LINES} of " if len(chosen.ids) > MOST_LINES else ""
        title = f"Curves of {first}{len(chosen.ids)} runs: {metric}"
        yield Figure(f"curves-{_safe(metric)}", title, curves(lines, metric))
    if chosen.params and len(chosen.ids) > 1:
        chart = parallel(chosen.parallel(), chosen.monitor, chosen.mode)
        yield Figure("parallel", "Params and outcome", chart)
    effects = chosen.effects()
    if len(effects):
        yield Figure("importance", "What mattered", importance(effects, chosen.monitor))
        yield _effects(effects, chosen.monitor)
    if len(seeds := chosen.seeds()):
        yield _seeds(seeds, chosen)
    if len(evaluations := chosen.evaluations()):
        yield _evaluations(evaluations, chosen)
    for run_id in chosen.ids[:1]:
        split, pairs = chosen.confusion(run_id)
        if len(pairs):
            title = f"Confusion of the best run, {split}"
            yield Figure("confusion", title, confusion(pairs, chosen.labels[run_id]))
    yield from _pictures(chosen, results)
    if len(chosen.ids) > 1:
        yield from _differences(chosen)
    yield from _failures(chosen)


def commands(chosen: Chosen) -> list[str]:
    """How to go on from the best run."""
    short = shlex.quote(chosen.ids[0][-SHORT:])
    return [
        f"python -m warehouse show {short}",
        f"python -m runner replay {short}",
        f"python -m runner restore {short} --to model.keras",
        f"python -m runner predict {short} --source new.csv --to predictions.parquet",
    ]


def shown(value: Any) -> str:
    """A value for people: six significant digits, nothing for what is missing."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    text = f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _table(title: str, note: str, frame: pandas.DataFrame) -> Table:
    """The frame's first rows; whole numbers stay whole, though some be missing."""
    head = frame.head(MOST_ROWS)
    if len(frame) > len(head):
        note = f"{note} The first {len(head)} of {len(frame)}."
    columns = [
        [int(v) if isinstance(v, float) and whole and v == v else v for v in head[name].tolist()]
        for name in head.columns
        for whole in [_is_whole(head[name])]
    ]
    return Table(title, note.strip(), list(head.columns), list(zip(*columns, strict=True)))


def _is_whole(values: pandas.Series) -> bool:
    import pandas

    if not pandas.api.types.is_float_dtype(values):
        return False
    known = values.dropna()
    return bool((known.abs() < 2**53).all() and (known == known.round()).all()) and (
        values.name in ("rank", "best_epoch", "epochs", "seed")
    )


def _runs(chosen: Chosen) -> Table:
    import pandas

    table = chosen.table
    columns: dict[str, Any] = {"run": table["run_id"].str[-SHORT:]}
    columns |= {name: table[name] for name in ("rank", "status", "best", "best_epoch")}
    columns |= {name: chosen.column(name) for name in chosen.params}
    columns |= {name: table[name] for name in FACTS if name not in columns}
    scores = [n for n in ("test_accuracy", "test_loss", "test_mae") if n in table.columns]
    columns |= {name: table[name] for name in scores}
    note = f"best: {chosen.monitor} at the best epoch, {_better(chosen.mode)}."
    return _table("Runs", note, pandas.DataFrame(columns))


def _better(mode: str) -> str:
    return "greater is better" if mode == "max" else "less is better"


def _effects(effects: pandas.DataFrame, monitor: str) -> Table:
    names = ("param", "effect", "share", "rank_share", "share_by_chance", "levels", "runs",
             "fewest", "best_level", "best_mean")  # fmt: skip
    note = (
        f"Shares of the variance of {monitor} that each param explains alone; effect is less what "
        "chance gives as many levels. Additive: params that vary together each get the credit of "
        "both. With fewest at 1 or 2, read nothing into it."
    )
    return _table("What mattered, in numbers", note, effects[list(names)])


def _seeds(seeds: pandas.DataFrame, chosen: Chosen) -> Table:
    frame = seeds.assign(best_run=seeds["best_run"].str[-SHORT:]).drop(columns="config_hash")
    labels = seeds["best_run"].map(lambda run_id: _without_seed(chosen.labels.get(run_id, "")))
    frame.insert(0, "configuration", labels)
    note = (
        f"{chosen.monitor} of one configuration over all its seeds in the warehouse; low and high "
        "are the 95 % confidence interval of the mean, by Student's t."
    )
    return _table("Over seeds", note, frame)


def _without_seed(label: str) -> str:
    return " ".join(word for word in label.split(" ")[1:] if not word.startswith("seed="))


def _evaluations(evaluations: pandas.DataFrame, chosen: Chosen) -> Table:
    ids = evaluations["run_id"]
    frame = evaluations.drop(columns="run_id").rename(columns=lambda n: n.removeprefix("test_"))
    note = "The kept weights of each run."
    if len(frame.columns) > MOST_METRICS:
        note += f" The first {MOST_METRICS} of {len(frame.columns)} metrics."
        frame = frame.iloc[:, :MOST_METRICS]
    frame.insert(0, "run", ids.map(chosen.labels))
    return _table("On the test split", note, frame.head(20))


def _pictures(chosen: Chosen, results: Path) -> Iterator[Picture]:
    """The figures that were kept with the best run; of each name the last."""
    rows = chosen.ask(
        "SELECT name, arg_max(uri, epoch) AS uri, arg_max(sha256, epoch) AS sha256 FROM "
        "(SELECT * REPLACE (coalesce(epoch, 0) AS epoch) FROM artifacts) "
        "WHERE run_id = $run AND kind = 'figure' AND judgement_id IS NULL "
        f"GROUP BY name ORDER BY name LIMIT {MOST_PICTURES}",
        run=chosen.ids[0],
    )
    for name, uri, sha256 in rows.itertuples(index=False):
        ending = Path(uri).suffix
        with contextlib.suppress(WarehouseError):  # one that is gone: `verify` names it
            content = read(results, uri, sha256)
            yield Picture(f"kept-{_safe(name)}", f"Best run: {name}", content, ending)


def _differences(chosen: Chosen) -> Iterator[Table]:
    best, frame = chosen.differences()
    if not len(frame):
        return
    note = "Params, components, data, code and versions that differ between the best runs."
    rows = [
        (kind, name, *(values[place] for place in range(len(best))))
        for kind, name, values in zip(
            frame["kind"], frame["name"], frame["values"].map(list), strict=True
        )
    ]
    columns = ["kind", "name", *(run_id[-SHORT:] for run_id in best)]
    yield Table("Differences", note, columns, rows[:MOST_ROWS])


def _failures(chosen: Chosen) -> Iterator[Table]:
    frame = chosen.ask(
        "SELECT status, coalesce(error, 'its process is gone') AS reason, count(*) AS runs "
        "FROM runs WHERE status IN ('failed', 'lost') "
        "AND run_id IN (SELECT unnest($ids::VARCHAR[])) GROUP BY ALL ORDER BY runs DESC, reason"
    )
    if len(frame):
        yield _table("Failures", "", frame)


def _safe(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in name)[:40]
