"""A metric over the epochs, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from warehouse.figures.style import FEW, HEIGHT, WIDTH, finished, is_wide, rows

if TYPE_CHECKING:
    import pandas


def curves(frame: pandas.DataFrame, metric: str = "loss", log: bool | None = None) -> Any:
    """Lines of a metric, validation solid and training dashed, a point at each best epoch.

    frame: run, split, epoch, value, best (whether it is the run's best epoch), place (of the run
    among the others, 1 is best). A click on a line or in the legend brings a run out.
    """
    log = is_wide(frame["value"], 100) if log is None else log
    axis = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False)
    # Fewer ticks than epochs, or some would stand between two of them.
    last = frame["epoch"].max() - frame["epoch"].min()
    whole = alt.Axis(tickMinStep=1, format="d", tickCount=int(max(1, min(10, last))))
    few = frame["run"].nunique() <= FEW
    several = frame["split"].nunique() > 1
    frame = frame[frame["value"] > 0] if log else frame
    how: dict[str, Any] = {"bind": "legend"} if few else {"on": "click"}
    chosen = alt.selection_point(name="chosen", fields=["run"], **how)
    order = list(dict.fromkeys(frame.sort_values("place", kind="stable")["run"]))
    colour = (
        alt.Color("run:N", sort=order, title=None, scale=alt.Scale(scheme="tableau10"))
        if few
        else alt.Color(
            "place:Q",
            title="place",
            scale=alt.Scale(scheme="viridis"),
            legend=alt.Legend(type="gradient", tickMinStep=1, format="d"),
        )
    )
    lines = (
        alt.Chart(rows(frame))
        .mark_line(clip=True, strokeWidth=1.6 if few else 1.1)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=whole),
            y=alt.Y("value:Q", title=metric, scale=axis),
            color=colour,
            detail=["run:N", "split:N"],
            opacity=alt.condition(chosen, alt.value(0.9), alt.value(0.08)),
            tooltip=["run:N", "split:N", "epoch:Q", alt.Tooltip("value:Q", format=".6~g")],
            **(
                {
                    "strokeDash": alt.StrokeDash(
                        "split:N",
                        sort=["val", "train"],
                        title=None,
                        scale=alt.Scale(domain=["val", "train"], range=[[1, 0], [4, 3]]),
                    )
                }
                if several
                else {}
            ),
        )
    )
    points = (
        alt.Chart(rows(frame[frame["best"].astype(bool)].drop(columns=["best"])))
        .mark_point(filled=True, size=45 if few else 20, clip=True)
        .encode(
            x="epoch:Q",
            y=alt.Y("value:Q", scale=axis),
            color=colour,
            opacity=alt.condition(chosen, alt.value(1), alt.value(0.08)),
            tooltip=["run:N", "split:N", "epoch:Q", alt.Tooltip("value:Q", format=".6~g")],
        )
    )
    chart = alt.layer(
        lines.add_params(chosen, alt.selection_interval(name="view", bind="scales")), points
    )
    return finished(chart.properties(width=WIDTH, height=HEIGHT), f"{metric} by epoch")
