"""What seems wrong with a table, or is good to know before training: all of it at once."""

from __future__ import annotations

from runner.data.labels import AskedTask
from runner.data.look.between import equal_columns, equal_rows, leaks, times
from runner.data.look.held import TableLook
from runner.data.look.label import about_label
from runner.data.look.one_column import about_column
from runner.data.look.remark import Remarks

IN_NEED = ("row number", "id", "leak")
"""Columns that are learnt from where there are no others."""


def remarks_on(look: TableLook, asked: AskedTask = "auto") -> Remarks:
    """Everything that can be said of the table."""
    remarks = Remarks(asked=asked)
    about_label(look, remarks)
    equal_columns(look, remarks)
    for column in look.columns:
        if column.name != look.label and column.name not in remarks.left_out:
            about_column(look, column, remarks)
    leaks(look, remarks)
    if len(remarks.left_out) == len(look.columns) - 1:
        remarks.keep(IN_NEED)
    times(look, remarks)
    equal_rows(look, remarks)
    return remarks
