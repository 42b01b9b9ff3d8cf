"""The label of a table: what the task is, and how the classes are spread."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from runner.data.labels import FEW, Labels
from runner.data.look.held import LOOKED_AT, ColumnLook, TableLook
from runner.data.look.remark import Remarks, listed
from runner.data.profile import RARE
from runner.errors import DataError

MANY = 0.5
"""Text with more different values than this share of the rows is no class."""
IMBALANCED = 5.0
"""From so many rows of the largest class for one of the smallest on, classes are weighted."""


def about_label(look: TableLook, remarks: Remarks) -> None:
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
    """Decide the task, by the rule that training has."""
    if remarks.asked == "auto" and column.family == "integer" and (column.distinct or 0) > FEW:
        remarks.asked = "regression"
        remarks.add(
            "label",
            f"'{column.name}' has {column.distinct} different whole numbers: taken for values; "
            "dataset.task=classification takes them for classes",
            column.name,
        )
    labels = Labels(f"the label '{column.name}'", remarks.asked, (column.name,))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            labels.see(values)
            remarks.task = labels.settle()
        except DataError as error:
            remarks.add("label", str(error), column.name)
    for one in caught:
        remarks.add("label", str(one.message), column.name)


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
        text = listed([f"{name} ({count})" for name, count in rare.items()])
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
