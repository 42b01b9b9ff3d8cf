"""What all figures share: colours, fonts, sizes, and how rows are put into a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

if TYPE_CHECKING:
    import pandas

WIDTH, HEIGHT = 560, 320
FEW = 10
"""Runs that can be told apart by colour; more of them are coloured by how well they did."""
LONGEST = 42
"""Signs of a name that stand in a legend or on an axis; a tooltip has all of them."""
DIGITS = "%.6g"
CONFIG: dict[str, Any] = {
    "font": "DejaVu Sans, Verdana, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "grid": True,
        "gridColor": "#eceff1",
        "domainColor": "#90a4ae",
        "tickColor": "#90a4ae",
        "labelColor": "#37474f",
        "titleColor": "#263238",
        "titleFontWeight": "normal",
        "labelLimit": 220,
    },
    "legend": {"labelColor": "#37474f", "titleColor": "#263238", "labelLimit": 320},
    "title": {"anchor": "start", "color": "#263238", "fontSize": 14, "fontWeight": "normal"},
    "header": {"title": None},
}


def rows(frame: pandas.DataFrame) -> alt.InlineData:
    """The frame as CSV inside of the chart, a fraction of what JSON objects take.

    Columns become numbers or text by their dtype; what is not finite is left empty.
    """
    import pandas

    numbers = {name: pandas.api.types.is_numeric_dtype(frame[name]) for name in frame.columns}
    clean = frame.replace([float("inf"), float("-inf")], float("nan"))
    return alt.InlineData(
        values=clean.to_csv(index=False, float_format=DIGITS, lineterminator="\n"),
        format=alt.CsvDataFormat(
            type="csv",
            parse={name: "number" if number else "string" for name, number in numbers.items()},
        ),
    )


def is_wide(values: pandas.Series, ratio: float = 50) -> bool:
    """Whether the values are best seen on a log axis: positive, over orders of magnitude."""
    finite = values[(values.abs() < float("inf")) & values.notna()]
    return bool(len(finite) and finite.min() > 0 and finite.max() / finite.min() > ratio)


def scale(log: bool) -> alt.Scale:
    """An axis that need not begin at nothing, or a log one."""
    if log:
        return alt.Scale(type="log", nice=False, padding=12)
    return alt.Scale(zero=False, nice=True, padding=6)


def finished(chart: Any, title: str | None = None) -> Any:
    """The chart with our config and a title."""
    if title:
        chart = chart.properties(title=title)
    return chart.configure(**CONFIG)


def brief(text: str) -> str:
    """A name as it may stand beside others."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def distinct(names: list[str]) -> list[str]:
    """The names made brief, and told apart where that made two of them equal."""
    count: dict[str, int] = {}
    shown = []
    for name in map(brief, names):
        count[name] = count.get(name, 0) + 1
        shown.append(name if count[name] == 1 else f"{name} ({count[name]})")
    return shown
