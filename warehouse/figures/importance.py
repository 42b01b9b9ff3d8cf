"""How much of the outcome each param of a sweep explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from warehouse.figures.style import WIDTH, distinct, finished, rows

if TYPE_CHECKING:
    import pandas

MOST = 25
"""Params that are drawn; those that explain least are left out."""


def importance(frame: pandas.DataFrame, monitor: str = "the outcome") -> Any:
    """Bars of the share that each param explains, with a mark for what chance would explain.

    frame: the rows of `sweep_effects`, of one monitor.
    """
    frame = frame.head(MOST).reset_index(drop=True)
    names = distinct(list(frame["param"]))
    counts = [
        f"{levels} levels, {runs} runs, fewest {fewest}"
        for levels, runs, fewest in zip(
            frame["levels"], frame["runs"], frame["fewest"], strict=True
        )
    ]
    data = rows(
        frame[["param", "effect", "share", "rank_share", "share_by_chance", "best_level"]].assign(
            name=names, counts=counts, effect=frame["effect"].fillna(0.0)
        )
    )
    of_share = alt.Scale(domain=[0, 1])
    base = alt.Chart(data).encode(y=alt.Y("name:N", sort=names, title=None))
    tooltip = [
        "param:N",
        alt.Tooltip("effect:Q", format=".1%", title="explained, less chance"),
        alt.Tooltip("share:Q", format=".1%", title="explained"),
        alt.Tooltip("rank_share:Q", format=".1%", title="explained, of ranks"),
        alt.Tooltip("share_by_chance:Q", format=".1%", title="by chance alone"),
        alt.Tooltip("best_level:N", title="best level"),
        "counts:N",
    ]
    bars = base.mark_bar(color="#4c78a8", height={"band": 0.6}).encode(
        x=alt.X(
            "effect:Q", title=f"share of the variance of {monitor}, alone", scale=of_share,
            axis=alt.Axis(format="%"),
        ),
        tooltip=tooltip,
    )  # fmt: skip
    chance = base.mark_tick(color="#e45756", thickness=2).encode(
        x=alt.X("share_by_chance:Q", scale=of_share), tooltip=tooltip
    )
    words = base.mark_text(align="left", dx=5, color="#607d8b", fontSize=10).encode(
        x=alt.X("shown:Q", scale=of_share), text="counts:N"
    )
    words = words.transform_calculate(shown="max(datum.effect, datum.share_by_chance)")
    chart = alt.layer(bars, chance, words).properties(
        width=WIDTH, height=alt.Step(26), title={
            "text": "What mattered: each param alone (analysis of variance)",
            "subtitle": "red: what as many levels explain by chance; interactions are in none",
            "subtitleColor": "#607d8b",
        },
    )  # fmt: skip
    return finished(chart)
