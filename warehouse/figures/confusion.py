"""Which classes a model takes for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from warehouse.figures.style import distinct, finished, rows

if TYPE_CHECKING:
    import pandas

READABLE = 20
"""Classes up to which every field has its number."""


def confusion(frame: pandas.DataFrame, title: str = "confusion") -> Any:
    """A field for each pair of classes, its colour the share of the rows of the actual class.

    frame: actual, predicted, rows.
    """
    classes = sorted({*frame["actual"], *frame["predicted"]}, key=_natural)
    short = dict(zip(classes, distinct(classes), strict=True))
    totals = frame.groupby("actual")["rows"].transform("sum")
    data = frame.assign(
        share=frame["rows"] / totals,
        a=frame["actual"].map(short),
        p=frame["predicted"].map(short),
    )
    order = [short[name] for name in classes]
    field = max(12, min(36, 640 // max(len(classes), 1)))
    base = alt.Chart(rows(data)).encode(
        x=alt.X("p:N", sort=order, scale=alt.Scale(domain=order), title="predicted",
                axis=alt.Axis(grid=False, labelAngle=0 if len(classes) <= READABLE else -90)),
        y=alt.Y("a:N", sort=order, scale=alt.Scale(domain=order), title="actual",
                axis=alt.Axis(grid=False)),
        tooltip=["actual:N", "predicted:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
    )  # fmt: skip
    if max((len(name) for name in order), default=0) > 4:
        base.encoding.x.axis.labelAngle = -45
    chart: Any = base.mark_rect().encode(
        color=alt.Color(
            "share:Q",
            title="share of actual",
            scale=alt.Scale(scheme="blues", domain=[0, 1]),
            legend=alt.Legend(format="%"),
        )
    )
    if len(classes) <= READABLE:
        chart = alt.layer(
            chart,
            base.mark_text(fontSize=11).encode(
                text="rows:Q",
                color=alt.condition(
                    "datum.share > 0.55", alt.value("white"), alt.value("#263238")
                ),
            ),
        )
    side = alt.Step(field)
    return finished(chart.properties(width=side, height=side), title)


def _natural(name: str) -> tuple[bool, float, str]:
    """Numbers by their value, before other names."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
