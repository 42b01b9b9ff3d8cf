"""Parallel coordinates: an axis for each param that varies and for the outcome, a line a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from warehouse.figures.style import HEIGHT, brief, distinct, finished, is_wide, rows

if TYPE_CHECKING:
    import pandas

MOST_AXES = 12
NONE = -0.12
"""The place of what has no value: a run without the param, or without a finite outcome."""
TICKS = 5
"""Values that are written at an axis of numbers; of texts, up to three times as many."""


def parallel(frame: pandas.DataFrame, outcome: str, mode: str = "min") -> Any:
    """A line for each run through its params to its outcome, coloured by the outcome.

    frame: run, a column for each param, and last the outcome; numbers or text. Drag over an axis
    to keep the lines that go through there; a click beside it ends that.
    mode: which end of the outcome is better, and dark.
    """
    import pandas

    names = [name for name in frame.columns if name != "run"][-MOST_AXES:]
    shown = dict(zip(names, distinct(names), strict=True))
    lines, ticks = [], []
    for name in names:
        places, texts, marks = _axis(frame[name])
        lines.append(
            pandas.DataFrame(
                {"run": frame["run"], "axis": shown[name], "place": places, "text": texts}
            )
        )
        ticks += [{"axis": shown[name], "place": place, "text": text} for place, text in marks]
    last = frame[names[-1]]
    colour = pandas.Series(_axis(last)[0], index=frame.index)
    long = pandas.concat(
        [part.assign(colour=colour, outcome=last) for part in lines], ignore_index=True
    )
    order = list(shown.values())
    brush = alt.selection_interval(name="brush", encodings=["x", "y"], empty=False)
    # A run is kept where any of its points lies in what was dragged; all are, where nothing was.
    inside = 'vlSelectionTest("brush_store", datum) ? 1 : 0'
    step = max(90, min(170, 1000 // len(order)))
    x = alt.X(
        "axis:N", sort=order, title=None, scale=alt.Scale(type="point", padding=0.5),
        axis=alt.Axis(labelAngle=0 if len(order) < 6 else -20, grid=True, gridColor="#b0bec5"),
    )  # fmt: skip
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[NONE, 1], nice=False))
    drawn = (
        alt.Chart(rows(long))
        .transform_calculate(inside=inside)
        .transform_joinaggregate(run_inside="max(inside)", groupby=["run"])
        .transform_joinaggregate(any_inside="max(inside)")
        .mark_line(strokeWidth=1.2)
        .encode(
            x=x,
            y=y,
            detail="run:N",
            color=alt.Color(
                "colour:Q",
                scale=alt.Scale(scheme="viridis", domain=[0, 1], reverse=mode == "max"),
                legend=None,
            ),
            opacity=alt.condition(
                "datum.run_inside > 0 || datum.any_inside == 0",
                alt.value(0.7),
                alt.value(0.03),
            ),
            tooltip=["run:N", alt.Tooltip("outcome", title=brief(outcome), type="nominal")],
        )
    )
    points = (
        alt.Chart(rows(long))
        .mark_point(opacity=0, size=30)
        .encode(x=x, y=y, tooltip=["run:N", "axis:N", "text:N"])
        .add_params(brush)
    )
    written = alt.Chart(rows(pandas.DataFrame(ticks, columns=["axis", "place", "text"])))
    words = written.mark_text(align="left", dx=6, fontSize=10.5, color="#263238")
    # White beneath, so that lines do not run through the words.
    halo = written.mark_text(
        align="left", dx=6, fontSize=10.5, stroke="white", strokeWidth=4, opacity=0.85
    )
    labels = [mark.encode(x=x, y=y, text="text:N") for mark in (halo, words)]
    chart = alt.layer(drawn, *labels, points).properties(
        width=alt.Step(step),
        height=HEIGHT,
        title={
            "text": f"Params and {brief(outcome)}",
            "subtitle": "a line is a run; drag over an axis to keep what goes through there",
            "subtitleColor": "#607d8b",
        },
    )
    return finished(chart)


def _axis(values: pandas.Series) -> tuple[list[float], list[str], list[tuple[float, str]]]:
    """Each value's place from 0 to 1, the values as text, and what is written at the axis."""
    import pandas

    if pandas.api.types.is_numeric_dtype(values):
        return _of_numbers(values)
    texts = ["none" if value is None or value != value or value == "{}" else str(value)
             for value in values]  # fmt: skip
    levels = sorted(set(texts))
    at = {text: (rank + 0.5) / len(levels) for rank, text in enumerate(levels)}
    step = max(1, len(levels) // (3 * TICKS))
    marks = [(at[text], brief(text)) for text in levels[::step]]
    return [at[text] for text in texts], texts, marks


def _of_numbers(
    values: pandas.Series,
) -> tuple[list[float], list[str], list[tuple[float, str]]]:
    """The same of numbers, on a log axis where they span orders of magnitude."""
    import numpy

    numbers = values.astype(float).to_numpy()
    scaled = numpy.where(numpy.isfinite(numbers), numbers, numpy.nan)
    log = is_wide(values.astype(float), 30)
    scaled = numpy.log10(scaled) if log else scaled
    known = scaled[numpy.isfinite(scaled)]
    least, most = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    span = most - least
    places = (scaled - least) / span if span else numpy.where(numpy.isnan(scaled), scaled, 0.5)
    missing = numpy.isnan(places)
    distinct_values = numpy.unique(known)
    if len(distinct_values) > TICKS:
        distinct_values = numpy.linspace(least, most, TICKS)
    marks = [
        (float((at - least) / span) if span else 0.5, f"{10**at if log else at:.3g}")
        for at in distinct_values
    ]
    if missing.any():
        marks.append((NONE, "none"))
    return (
        list(numpy.where(missing, NONE, places)),
        ["none" if number != number else f"{number:.6g}" for number in numbers],
        marks,
    )
