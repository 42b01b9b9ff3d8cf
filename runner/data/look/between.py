"""What is odd between columns and between rows: the same twice, and what tells the label."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from runner.data.labels import FEW
from runner.data.look.held import LOOKED_AT, ColumnLook, TableLook
from runner.data.look.remark import Remarks
from runner.data.sources.typed import typed

PURE = 0.995
"""A column tells the label where it is right in this share of the rows."""
SAME = 0.9999
"""Numbers with such a correlation are the same."""
COPIES = 0.01
"""From this share of equal rows on, they are kept in one part."""


def equal_columns(look: TableLook, remarks: Remarks) -> None:
    """Columns that hold the same in every row: one of them does."""
    alike: dict[Any, list[ColumnLook]] = {}
    for column in look.columns:
        if (column.distinct or 0) > 1:
            key = (column.missing, column.distinct, column.low, column.high)
            alike.setdefault(key, []).append(column)
    for columns in alike.values():
        first, *others = columns
        for other in others:
            a, b = first.column.name, other.column.name
            same = f"bool_and({a}::VARCHAR IS NOT DISTINCT FROM {b}::VARCHAR)"
            if look.ask(f"SELECT {same} FROM {LOOKED_AT}") != [(True,)]:
                continue
            twin, name = (first, other) if other.name != look.label else (other, first)
            word = "is the label itself" if twin.name == look.label else f"equals '{twin.name}'"
            remarks.leave_out("same column", name.name, f"{word} in every row")


def leaks(look: TableLook, remarks: Remarks) -> None:
    """Columns that alone tell the label."""
    if remarks.task is None:
        return
    label = look.column(look.label)
    leaking = {}
    for column in look.columns:
        if column is label or column.name in remarks.left_out or (column.distinct or 0) < 2:
            continue
        if why := _told_by(look, column, label, remarks):
            leaking[column.name] = why
    for name, why in leaking.items():
        unless = f"; keep it if it is known before '{label.name}' is"
        remarks.leave_out("leak", name, f"alone {why}", unless)


def _told_by(
    look: TableLook, column: ColumnLook, label: ColumnLook, remarks: Remarks
) -> str | None:
    """How a column tells the label, if it does."""
    x, y = column.column.name, label.column.name
    both = f"{LOOKED_AT} WHERE {x} IS NOT NULL AND {y} IS NOT NULL"
    number = column.family in ("integer", "float", "date")
    assert remarks.task is not None
    classes = remarks.task.kind in ("binary", "classification")
    if (column.distinct or 0) <= look.rows / 5 and (label.distinct or 0) <= look.rows / 5:
        [(right, total)] = look.ask(
            f"SELECT sum(m), sum(n) FROM (SELECT max(n) AS m, sum(n) AS n FROM "
            f"(SELECT {x} AS x, count(*) AS n FROM {both} GROUP BY {x}, {y}) GROUP BY x)"
        )
        base = max(remarks.classes.values()) / sum(remarks.classes.values()) if classes else 0
        if total and total >= look.rows / 2 and right >= PURE * total and base < 0.98:
            share = "in every row" if right == total else f"in {right / total:.1%} of the rows"
            return f"tells '{label.name}' {share}"
    if not number or column.family == "date":
        return None
    if classes and len(remarks.classes) <= FEW:
        ranges = look.ask(f"SELECT min({x}), max({x}) FROM {both} GROUP BY {y} ORDER BY 1, 2")
        if all(high < low for (_, high), (low, _) in pairwise(ranges)):
            return f"tells '{label.name}' in every row by its size"
    if remarks.task.kind == "regression" and label.family in ("integer", "float"):
        [(likeness,)] = look.ask(
            f"SELECT corr({x}::DOUBLE, {y}::DOUBLE) FROM {both} "
            f"AND isfinite({x}::DOUBLE) AND isfinite({y}::DOUBLE)"
        )
        if likeness is not None and abs(likeness) > SAME:
            return f"tells '{label.name}': it rises and falls with it (correlation {likeness:.5f})"
    return None


def times(look: TableLook, remarks: Remarks) -> None:
    """Columns of time, by which rows may be divided."""
    times = [
        column
        for column in look.columns
        if column.family == "date"
        and column.column.type != "TIME"
        and column.name not in {look.label, *remarks.left_out}
    ]
    if times:
        name = times[0].name
        remarks.add(
            "time",
            f"'{name}' is a time: {typed('split.by', f'time:{name}')} tests on the newest rows, "
            "and dataset=series learns from steps in the order of time",
            name,
        )


def equal_rows(look: TableLook, remarks: Remarks) -> None:
    """Rows that stand there twice, but for columns that are left out."""
    used = [c.column.name for c in look.columns if c.name not in remarks.left_out]
    if len(used) < 2:
        return
    [(distinct,)] = look.ask(f"SELECT count(DISTINCT hash({', '.join(used)})) FROM {LOOKED_AT}")
    remarks.duplicates = look.rows - distinct
    if not remarks.duplicates:
        return
    if remarks.duplicates > look.rows / 2:
        remarks.add(
            "equal rows",
            f"all {look.rows} rows hold {distinct} different ones: test and train will share some",
        )
        return
    count = "1 row equals" if remarks.duplicates == 1 else f"{remarks.duplicates} rows equal"
    remarks.add("equal rows", f"{count} an earlier one: split.by=hash keeps copies in one part")
    remarks.by_content = remarks.duplicates >= COPIES * look.rows
