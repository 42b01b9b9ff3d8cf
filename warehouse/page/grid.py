"""The grid of runs as data: which columns it has, and what stands in them.

A row is a list; its fields are called by their places (c0, c1, ...) in the browser, since AG Grid
in NiceGUI evaluates a field whose name begins with a colon.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from warehouse.page.feed import Feed

FACTS = {
    "run_id": "run",
    "experiment": "experiment",
    "status": "status",
    "monitor": "monitor",
    "best": "best",
    "best_epoch": "best epoch",
    "epochs": "epochs",
    "seconds": "seconds",
    "started_at": "started",
    "tags": "tags",
    "note": "note",
    "seed": "seed",
    "engine": "engine",
    "sweep_id": "sweep",
    "overrides": "overrides",
    "error": "error",
}
"""What a run says of itself: column of runs.sql -> heading."""
FIRST = ("status", "best", "best_epoch", "epochs")
LAST = ("seconds", "started_at", "experiment", "tags")
NUMBERS = {"best", "best_epoch", "epochs", "seconds", "seed"}
WIDTHS = {"status": 95, "epochs": 90, "seconds": 95, "started_at": 165, "experiment": 140}
KINDS = {
    "param": "params",
    "metric": "best_values",
    "last": "last_values",
    "evaluation": "evaluation_values",
}
"""Kind of a further column -> the question that fills it."""
SCORES = ("test accuracy", "test mae", "test rmse", "test f1_macro", "test loss")
"""Evaluations shown at first: the first two of these that there are."""
ASIDE = {
    "seed",
    "epochs",
    "checkpoint",
    "print_every",
    "record_steps",
    "record_system",
    "evaluate",
    "keep_predictions",
    "engine",
    "strict",
    "xla",
    "kernels",
    "device",
    "results",
    "skip",
    "retry",
    "sweep",
}
"""Settings that say how and where a run trains and what it keeps: offered, but not at first."""
MOST_PARAMS = 5
"""Params shown at first: those that vary, the less varied first."""
EXACT = 2**53
"""Beyond it a number would lose digits in the browser."""


def default_columns(names: Sequence[tuple[Any, ...]]) -> list[str]:
    """The columns of somebody who has chosen none: facts, what varies, evaluations on test."""
    varied = sorted(
        (variety, name)
        for kind, name, variety, _ in names
        if kind == "param" and variety > 1 and not is_aside(name)
    )
    params = [f"param:{name}" for _, name in varied[:MOST_PARAMS]]
    there = {name for kind, name, *_ in names if kind == "evaluation"}
    scores = [f"evaluation:{name}" for name in SCORES if name in there]
    return [*FIRST, *params, *scores[:2], *LAST]


def is_aside(param: str) -> bool:
    """Whether a param is none that people sweep over to compare."""
    return param.partition(".")[0] in ASIDE or param.endswith(".seed")


def known(column: str) -> bool:
    """Whether a column can be asked for; it may come out of an address."""
    kind, colon, name = column.partition(":")
    return column in FACTS or bool(colon and name and kind in KINDS)


def headings(columns: Sequence[str]) -> list[str]:
    """What stands above the columns: of a param its last word, where that is enough."""
    names = [column.partition(":")[2] for column in columns if column.startswith("param:")]
    once = dict(zip(names, words(names), strict=True))
    shown = []
    for column in columns:
        kind, _, name = column.partition(":")
        prefix = {"metric": "best ", "last": "last "}.get(kind, "")
        word = once.get(name, name) if kind == "param" else name
        shown.append(FACTS[column] if column in FACTS else prefix + word)
    return shown


def words(params: Sequence[str]) -> list[str]:
    """The last word of each param's name; all of it where two would be called the same."""
    last = [_last_word(name) for name in params]
    return [
        word if last.count(word) == 1 else name for name, word in zip(params, last, strict=True)
    ]


def _last_word(name: str) -> str:
    *path, word = name.split(".")
    return path[-1] if path and word == "name" else word


def rows(feed: Feed, columns: Sequence[str], runs: Iterable[str] | None = None) -> list[list[Any]]:
    """The rows, of all runs or of some: the run's id, then the columns."""
    ids = None if runs is None else sorted(runs)
    named = [column for column in dict.fromkeys(columns) if column in FACTS]
    facts = feed.ask("runs", only=["run_id", *(n for n in named if n != "run_id")], runs=ids)
    run_ids = [row[0] for row in facts.rows]
    filled = {
        name: _plain(row[place] for row in facts.rows) for place, name in enumerate(facts.columns)
    }
    del facts
    for kind, query in KINDS.items():
        names = [c.partition(":")[2] for c in columns if c.startswith(f"{kind}:")]
        if not names:
            continue
        values: dict[str, dict[str, Any]] = {name: {} for name in names}
        for run_id, name, value, *number in feed.ask(query, names=names, runs=ids).rows:
            values[name][run_id] = number[0] if number and number[0] is not None else value
        for name in names:
            filled[f"{kind}:{name}"] = _plain(map(values.pop(name, {}).get, run_ids))
    return list(map(list, zip(run_ids, *(filled[column] for column in columns), strict=True)))


def _plain(values: Iterable[Any]) -> list[Any]:
    """The values of a column: few of them need more than a look at their type."""
    return [
        value
        if value is None or type(value) is str or (type(value) is float and math.isfinite(value))
        else plain(value)
        for value in values
    ]


def plain(value: Any) -> Any:
    """The value as JSON can carry it, and as people want to read it."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return ", ".join(str(plain(each)) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{plain(key)}: {plain(each)}" for key, each in value.items())
    return str(value)


def definitions(columns: Sequence[str], is_number: dict[str, bool]) -> list[dict[str, Any]]:
    """AG Grid's definitions of the columns; the first is the run."""
    defined: list[dict[str, Any]] = [
        {
            "field": "c0",
            "colId": "run_id",
            "headerName": "run",
            "pinned": "left",
            "width": 115,
            ":cellRenderer": "sweephouse.link",
            "filter": "agTextColumnFilter",
        }
    ]
    for place, (column, heading) in enumerate(zip(columns, headings(columns), strict=True), 1):
        numeric = column in NUMBERS or is_number.get(column, False)
        each: dict[str, Any] = {
            "field": f"c{place}",
            "colId": column,
            "headerName": heading,
            "width": WIDTHS.get(column, 110),
            "headerTooltip": column,
            "filter": "agNumberColumnFilter" if numeric else "agTextColumnFilter",
        }
        if numeric:
            each |= {"type": "rightAligned", ":valueFormatter": "sweephouse.number"}
        if column == "status":
            each[":cellClass"] = "sweephouse.statusClass"
        if column == "sweep_id":
            each[":cellRenderer"] = "sweephouse.sweepLink"
        defined.append(each)
    return defined
