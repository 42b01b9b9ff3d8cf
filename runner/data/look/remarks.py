"""What seems wrong with a table, or is good to know before training: all of it at once."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from runner.components.types import Task
from runner.data.labels import FEW, AskedTask, Labels
from runner.data.look.table import LOOKED_AT, ColumnLook, TableLook
from runner.data.profile import RARE
from runner.data.sources.columns import is_row_number
from runner.data.sources.typed import typed
from runner.errors import DataError

MANY = 0.5
"""Text with more different values than this share of the rows is no category."""
FREE_TEXT = 3.0
"""Blanks in a value from which on it is a text to read."""
FAR = 10.0
"""So many ranges of the middle half beyond it, a number is an outlier."""
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
PURE = 0.995
"""A column tells the label where it is right in this share of the rows."""
SAME = 0.9999
"""Numbers with such a correlation are the same."""
LEFT_OUT = ": left out below"
COPIES = 0.01
"""From this share of equal rows on, they are kept in one part."""
IN_NEED = ("row number", "id", "leak")
"""Columns that are learnt from where there are no others."""
IMBALANCED = 5.0
"""From so many rows of the largest class for one of the smallest on, classes are weighted."""


@dataclass(frozen=True)
class Remark:
    """One thing about the table or a column."""

    kind: str
    """Such as constant, leak or outliers."""
    text: str
    column: str | None = None


@dataclass
class Remarks:
    """All that was seen, and what the command line makes of it."""

    task: Task | None = None
    """What the label is for; None where it cannot be learnt."""
    asked: AskedTask = "auto"
    listed: list[Remark] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Column -> of what kind the remark is, for which it is not learnt from."""
    classes: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    by_content: bool = False
    """Whether rows should be divided by their content."""

    def add(self, kind: str, text: str, column: str | None = None) -> None:
        """Note a thing."""
        self.listed.append(Remark(kind, text, column))

    def leave_out(self, kind: str, column: str, why: str, unless: str = "") -> None:
        """Note a column that is not learnt from."""
        self.add(kind, f"'{column}' {why}{LEFT_OUT}{unless}", column)
        self.left_out[column] = kind

    def keep(self, kinds: Collection[str]) -> None:
        """Take columns that were left out back, for there are no others."""
        for number, one in enumerate(self.listed):
            if one.kind in kinds and one.column in self.left_out:
                text = one.text.partition(LEFT_OUT)[0] + ", and there is no other column"
                self.listed[number] = Remark(one.kind, text, one.column)
                del self.left_out[one.column]


def remarks_on(look: TableLook, asked: AskedTask = "auto") -> Remarks:
    """Everything that can be said of the table."""
    remarks = Remarks(asked=asked)
    _label(look, remarks)
    _equal_columns(look, remarks)
    for column in look.columns:
        if column.name != look.label and column.name not in remarks.left_out:
            _column(look, column, remarks)
    _leaks(look, remarks)
    if len(remarks.left_out) == len(look.columns) - 1:
        remarks.keep(IN_NEED)
    _time(look, remarks)
    _equal_rows(look, remarks)
    return remarks


# --- The label -----------------------------------------------------------------------------------


def _label(look: TableLook, remarks: Remarks) -> None:
    """What the task is, by the one rule that training has, and how the classes are spread."""
    column = look.column(look.label)
    if column.missing:
        remarks.add(
            "missing label",
            f"the label '{column.name}' is missing in {column.missing} of {look.rows} rows: they "
            "are left out by dataset.missing_label=drop",
            column.name,
        )
    if column.family in ("date", "other"):
        remarks.add(
            "label",
            f"the label '{column.name}' is {column.column.type}, and a label is a number, a truth "
            "value or text: name another by --label, or compute one in --query",
            column.name,
        )
        return
    values = _values(look, column)
    if column.distinct is not None and column.distinct < 2:
        remarks.add(
            "label",
            f"the label '{column.name}' has {column.distinct} value{'s' * (column.distinct != 1)}:"
            " there is nothing to learn; name another by --label",
            column.name,
        )
        return
    if column.family == "text" and (column.distinct or 0) > MANY * len(values) > 10:
        remarks.add(
            "label",
            f"the label '{column.name}' has {column.distinct} different values in {look.rows} "
            "rows, so that they are hardly classes: name another by --label",
            column.name,
        )
        return
    _settle(look, column, values, remarks)
    if remarks.task is not None and remarks.task.kind in ("binary", "classification"):
        remarks.classes = dict(column.common) or _classes(look, column)
        _spread(look, column, remarks)


def _settle(look: TableLook, column: ColumnLook, values: Any, remarks: Remarks) -> None:
    order: list[AskedTask] = [remarks.asked]
    if remarks.asked == "auto" and column.family == "integer" and (column.distinct or 0) > FEW:
        order = ["regression"]
        remarks.asked = "regression"
        remarks.add(
            "label",
            f"'{column.name}' has {column.distinct} different whole numbers: taken for values; "
            "dataset.task=classification takes them for classes",
            column.name,
        )
    for asked in order:
        labels = Labels(f"the label '{column.name}'", asked, (column.name,))
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                labels.see(values)
                remarks.task = labels.settle()
            for one in caught:
                remarks.add("label", str(one.message), column.name)
        except DataError as error:
            remarks.add("label", str(error), column.name)


def _values(look: TableLook, column: ColumnLook) -> Any:
    name = column.column.name
    cast = {"boolean": "BOOLEAN", "integer": "BIGINT", "float": "DOUBLE"}.get(column.family)
    number = f"{name}::{cast}" if cast else name
    got = look.con.execute(
        f"SELECT {number} AS y FROM {LOOKED_AT} WHERE {name} IS NOT NULL"
    ).fetchnumpy()["y"]
    return np.asarray(np.ma.getdata(got))


def _classes(look: TableLook, column: ColumnLook) -> dict[str, int]:
    name = column.column.name
    return dict(
        look.ask(
            f"SELECT {name}::VARCHAR, count(*) FROM {LOOKED_AT} WHERE {name} IS NOT NULL "
            "GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1001"
        )
    )


def _spread(look: TableLook, column: ColumnLook, remarks: Remarks) -> None:
    counts = remarks.classes
    even = sum(counts.values()) / max(1, len(counts))
    rare = {name: n for name, n in counts.items() if n < RARE * even or n < 5}
    if rare:
        text = _listed([f"{name} ({count})" for name, count in rare.items()])
        remarks.add(
            "rare classes",
            f"rare classes of '{column.name}': {text} of {look.rows} rows; with few rows of a "
            "class, val or test may have none",
            column.name,
        )
    most, least = max(counts.values()), min(counts.values())
    if most >= IMBALANCED * least:
        often = max(counts, key=lambda name: counts[name])
        share = most / sum(counts.values())
        remarks.add(
            "imbalance",
            f"the classes of '{column.name}' are uneven: always saying {often} is right in "
            f"{share:.0%}; class_weight=balanced counts all the same, and accuracy says little",
            column.name,
        )


def is_uneven(remarks: Remarks) -> bool:
    """Whether the classes are so uneven that they should be weighted."""
    counts = remarks.classes.values()
    return bool(counts) and max(counts) >= IMBALANCED * min(counts)


# --- Columns -------------------------------------------------------------------------------------


def _column(look: TableLook, column: ColumnLook, remarks: Remarks) -> None:
    """What is odd about one column that may be a feature."""
    name, rows = column.name, look.rows
    present = rows - column.missing
    if column.family == "other":
        remarks.leave_out(
            "type", name, f"is {column.column.type}, which is no number, truth value, text or date"
        )
    elif not present:
        remarks.leave_out("empty", name, "is empty in all rows")
    elif column.distinct == 1:
        if column.missing:
            remarks.add(
                "constant",
                f"'{name}' is {column.low} in {present} rows and missing in the others",
                name,
            )
        else:
            remarks.leave_out("constant", name, f"is {column.low} in every row")
    elif column.family == "integer" and is_row_number(
        rows, column.missing, column.distinct, column.low or "", column.high or ""
    ):
        remarks.leave_out("row number", name, "only counts the rows")
    elif column.distinct == present > 20 and column.family == "integer" and _is_id(column, rows):
        remarks.leave_out("id", name, "is another number in every row, as an id is")
    elif column.family == "text":
        _text(look, column, present, remarks)
    if name in remarks.left_out:
        return
    if column.missing:
        share = column.missing / rows
        remarks.add(
            "missing",
            f"'{name}' is missing in {column.missing} of {rows} rows ({share:.0%})",
            name,
        )
    if column.infinite:
        remarks.add("infinite", f"'{name}' is infinite in {column.infinite} rows", name)
    if column.family in ("integer", "float"):
        _outliers(look, column, remarks)


def _is_id(column: ColumnLook, rows: int) -> bool:
    """Whether different whole numbers are names rather than amounts: by how dense they are."""
    called = column.name.strip().lower()
    if called in ("id", "key", "nr", "no", "number") or called.endswith(
        ("_id", " id", "-id", "nr")
    ):
        return True
    span = int(column.high or 0) - int(column.low or 0) + 1
    return rows > 100 and span <= 2 * rows


def _text(look: TableLook, column: ColumnLook, present: int, remarks: Remarks) -> None:
    name, distinct = column.name, column.distinct or 0
    if present <= 20 or distinct <= MANY * present:
        if distinct > 100:
            remarks.add(
                "many values",
                f"'{name}' has {distinct} different values: encode has a column for each of the "
                "100 most frequent ones and one for all else",
                name,
            )
        return
    if column.words >= FREE_TEXT:
        remarks.leave_out(
            "text",
            name,
            "is free text (dataset=text with dataset.text= and preprocessing=[vectorize] "
            "learns from one)",
        )
        return
    kind = (
        "is another text in every row, as an id is"
        if distinct == present
        else (f"has {distinct} different texts in {present} rows, too many to learn from")
    )
    remarks.leave_out("id", name, kind)


def _outliers(look: TableLook, column: ColumnLook, remarks: Remarks) -> None:
    if column.quartiles is None:
        return
    low, high = column.quartiles
    reach = FAR * (high - low)
    if reach <= 0:
        return
    value = f"{column.column.name}::DOUBLE"
    beyond = f"({value} < {low - reach} OR {value} > {high + reach}) AND isfinite({value})"
    [(count, least, most)] = look.ask(
        f"SELECT count(*), min({value}), max({value}) FROM {LOOKED_AT} WHERE {beyond}"
    )
    if not count:
        return
    text = (
        f"'{column.name}' has {count} value{'s' * (count != 1)} far from the others, such as "
        f"{most if abs(most) > abs(least) else least:g} (half are from {low:g} to {high:g})"
    )
    for number in {least, most}:
        if number in SENTINELS:
            text += f"; if {number:g} stands for nothing, add dataset.missing=[{number:g}]"
    remarks.add("outliers", text, column.name)


# --- Between columns -----------------------------------------------------------------------------


def _equal_columns(look: TableLook, remarks: Remarks) -> None:
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


def _leaks(look: TableLook, remarks: Remarks) -> None:
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


def _time(look: TableLook, remarks: Remarks) -> None:
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


def _equal_rows(look: TableLook, remarks: Remarks) -> None:
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


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
