"""Any column of the runs against any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from warehouse.figures.style import HEIGHT, WIDTH, finished, is_wide, rows, scale

if TYPE_CHECKING:
    import pandas


def scatter(
    frame: pandas.DataFrame, x: str, y: str, colour: str | None = None, log: bool | None = None
) -> Any:
    """A point for each run; x, y, colour: what the columns `x`, `y`, `colour` are called.

    frame: run, x, y and, where there is a third, colour; numbers or text. log: both axes, where
    they hold positive numbers; None: where they span orders of magnitude.
    """
    import pandas

    def axis(kind: Any, name: str, title: str) -> Any:
        if not pandas.api.types.is_numeric_dtype(frame[name]):
            return kind(f"{name}:N", title=title)
        positive = bool((frame[name].dropna() > 0).all())
        wide = is_wide(frame[name]) if log is None else log and positive
        return kind(f"{name}:Q", title=title, scale=scale(wide))

    tooltip = ["run:N", alt.Tooltip("x", title=x), alt.Tooltip("y", title=y)]
    encoding: dict[str, Any] = {"x": axis(alt.X, "x", x), "y": axis(alt.Y, "y", y)}
    if colour is not None:
        numeric = pandas.api.types.is_numeric_dtype(frame["colour"])
        scheme = alt.Scale(scheme="viridis") if numeric else alt.Scale(scheme="tableau10")
        if numeric and is_wide(frame["colour"]):
            scheme = alt.Scale(scheme="viridis", type="log")
        encoding["color"] = alt.Color(
            "colour:Q" if numeric else "colour:N", title=colour, scale=scheme
        )
        tooltip.append(alt.Tooltip("colour", title=colour))
    for entry, name in zip(tooltip[1:], ("x", "y", "colour"), strict=False):
        entry.type = (  # type: ignore[attr-defined]
            "quantitative" if pandas.api.types.is_numeric_dtype(frame[name]) else "nominal"
        )
    chart = (
        alt.Chart(rows(frame))
        .mark_circle(size=60, opacity=0.75)
        .encode(tooltip=tooltip, **encoding)
        .add_params(alt.selection_interval(name="view", bind="scales"))
        .properties(width=WIDTH, height=HEIGHT)
    )
    return finished(chart, f"{y} by {x}")
