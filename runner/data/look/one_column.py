"""What is odd about one column by itself."""

from __future__ import annotations

from runner.data.look.held import LOOKED_AT, ColumnLook, TableLook
from runner.data.look.remark import Remarks
from runner.data.sources.columns import is_row_number

MANY = 0.5
"""Text with more different values than this share of the rows is no category."""
FREE_TEXT = 3.0
"""Blanks in a value from which on it is a text to read."""
FAR = 10.0
"""So many ranges of the middle half beyond it, a number is an outlier."""
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)


def about_column(look: TableLook, column: ColumnLook, remarks: Remarks) -> None:
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
        remarks.add("infinite", f"'{name}' is infinite in {column.infinite} of {rows} rows", name)
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
