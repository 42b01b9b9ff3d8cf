"""The command line that trains on a table, with the options that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.settings import Settings
from runner.data.look.held import TableLook
from runner.data.look.label import is_uneven
from runner.data.look.remark import Remarks
from runner.data.sources.typed import option

ORDER = (
    "delimiter",
    "header",
    "encoding",
    "missing",
    "decimal",
    "thousands",
    "time_format",
    "secret",
)


def command_of(look: TableLook, remarks: Remarks) -> list[str] | None:
    """The words of the shell; None where the table cannot be trained on."""
    if remarks.task is None:
        return None
    features = [c for c in look.columns if c.name not in {look.label, *remarks.left_out}]
    if not features:
        return None
    kind, key = ("csv", "path") if look.source.kind == "csv" else ("sql", "source")
    words = ["python -m runner", f"dataset={kind}", option(key, look.source.text)]
    if look.query:
        words.append(option("query", look.query))
    words.append(option("label", look.label))
    if remarks.left_out:
        words.append(option("features", [column.name for column in features]))
    words += [
        option(key, _typed(look.params[key])) for key in ORDER if look.params.get(key) is not None
    ]
    if look.column(look.label).missing:
        words.append("dataset.missing_label=drop")
    if remarks.asked != "auto":
        words.append(f"dataset.task={remarks.asked}")
    plain = all(c.family in ("integer", "float", "date") and not c.missing for c in features)
    words.append(f"preprocessing=[{'standardize' if plain else 'encode'}]")
    if is_uneven(remarks):
        words.append("class_weight=balanced")
    if remarks.by_content:
        words.append("split.by=hash")
    return words + _of_size(look)


def _of_size(look: TableLook) -> list[str]:
    settings = Settings()
    rows = look.rows - look.column(look.label).missing
    train = rows * (1 - settings.split.val - settings.split.test)
    if train >= 2 * settings.batch_size:
        return []
    return [f"batch_size={max(1, min(settings.batch_size, int(train / 4)))}"]


def _typed(value: Any) -> str | Sequence[str]:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [str(one) for one in value]
    return str(value)


def as_text(words: Sequence[str], width: int = 99) -> str:
    """The words as one command for the shell, on lines of this width."""
    lines, line = [], words[0]
    for word in words[1:]:
        if len(line) + len(word) + 3 > width:
            lines.append(f"{line} \\")
            line = f"    {word}"
        else:
            line = f"{line} {word}"
    return "\n".join([*lines, line])


def nothing_to_type(look: TableLook, remarks: Remarks) -> str:
    """Why there is no command."""
    if remarks.task is None:
        return f"'{look.label}' cannot be learnt as it is: name another column by --label"
    return f"nothing is left to learn '{look.label}' from: see above, or name another by --label"


def as_body(look: TableLook, remarks: Remarks) -> Mapping[str, Any]:
    """All of it as JSON takes it."""
    words = command_of(look, remarks)
    return {
        "source": look.source.text,
        "kind": look.source.kind,
        "query": look.query,
        "rows": look.rows,
        "more_rows": look.more,
        "options": look.params,
        "columns": [
            {
                "name": column.name,
                "type": column.family,
                "sql_type": column.column.type,
                "missing": column.missing,
                "distinct": column.distinct,
                "min": column.low,
                "max": column.high,
                "most_frequent": [
                    {"value": value, "rows": count} for value, count in column.common[:5]
                ],
                "left_out": remarks.left_out.get(column.name),
            }
            for column in look.columns
        ],
        "first_rows": [list(row) for row in look.first],
        "notes": look.notes,
        "remarks": [
            {"kind": one.kind, "column": one.column, "text": one.text} for one in remarks.listed
        ],
        "label": look.label,
        "label_is_guessed": look.guessed,
        "task": remarks.task.kind if remarks.task else None,
        "classes": remarks.classes,
        "command": as_text(words, 10**6) if words else None,
    }
