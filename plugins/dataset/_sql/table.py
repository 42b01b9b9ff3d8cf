"""A table as data: opened, checked, counted, and read whole or as streams."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from runner import (
    MISSING_WORDS,
    AskedTask,
    Data,
    Database,
    DataError,
    MissingLabel,
    Options,
    Query,
    Reading,
    SourceKind,
    SplitPlan,
    Splits,
    Stream,
    Trained,
    Wording,
    find_source,
    option,
    read_query,
)

from .counting import counted
from .labels import AnyLabels, labels_of
from .rows import Layout, Reader, Text
from .stream import in_memory, streamed

MEMORY_BYTES = 1 << 30
"""However few the rows, more than this is streamed."""


@dataclasses.dataclass(frozen=True)
class Table:
    """What the params of a dataset say of a table."""

    source: str
    label: str | list[str] | dict[str, AskedTask]
    """A dict makes a head of each column."""
    query: str | None = None
    features: list[str] | None = None
    task: AskedTask = "auto"
    text: Text = "strings"
    memory_rows: int = 1_000_000
    missing_label: MissingLabel = "refuse"
    weight: str | None = None
    test: str | None = None
    secret: str | None = None
    options: Options = dataclasses.field(default_factory=Options)
    wording: Wording = dataclasses.field(default_factory=Wording)
    times: tuple[str, ...] = ()
    """Columns that must be times."""
    otherwise: SourceKind | None = None
    """The kind of files that neither ending nor head tells."""

    @property
    def labels(self) -> list[str]:
        """The label's columns."""
        return names_of(self.label)

    @contextmanager
    def opened(self, known: Reading | None = None, keep: bool = False) -> Iterator[Any]:
        """The source and the checked query; closed at the end, unless it is to be kept.

        known: how it was read in training.
        """
        # Of a query, any column may be computed.
        names = [] if self.query else [*self.labels, *(self.features or ())]
        database = Database(
            find_source(
                self.source, secret=self.secret, wording=self.wording, otherwise=self.otherwise
            ),
            options=self.options,
            known=known,
            names=names,
            times=self.times,
            labels=self.labels if len(self.labels) == 1 and self.task != "regression" else (),
        )
        try:
            yield database, read_query(database, self.query)
        except BaseException:
            database.close()
            raise
        if not keep:
            database.close()


def read_table(
    table: Table,
    split: SplitPlan,
    trained: Trained | None,
    expected: Callable[[], int | None] = lambda: None,
) -> Data | Splits:
    """The rows as arrays if they are few, else as streams, which keep the source open.

    trained: the run that is evaluated on them. expected: how many rows there must be.
    """
    known = Reading.recorded(trained.reading) if trained else None
    if (split.by or "").startswith("time:"):
        table = dataclasses.replace(table, times=(split.column or "",))
    if known is not None and known.features and table.features is None:
        table = dataclasses.replace(table, features=list(known.features))
    with table.opened(known, keep=True) as (database, query):
        layout = layout_of(query, table, split)
        labels = labels_of(layout.labels, table.label, table.task)
        used = {c.name for c in (*layout.features, *layout.labels, *layout.needed.values())}
        if doubts := [text for name, text in query.found.doubts.items() if name in used]:
            raise DataError("; ".join(doubts))
        layout, rows = counted(database, query, layout, table.missing_label)
        if (before := expected()) is not None and rows != before:
            raise DataError(
                f"{database.source.where} has changed since the command began: the query gave "
                f"{before} rows, now it gives {rows}"
            )
        if table.test is None:
            data = _read(Reader(database, query, layout), labels, split, rows, table)
        else:
            data = _with_test(database, query, layout, labels, split, rows, table)
        for line in [*query.found.lines(used), *_odd_classes(layout, data)]:
            warnings.warn(line, stacklevel=3)
    reading = dataclasses.replace(query.reading, features=layout.names, wide=_wide(data))
    return dataclasses.replace(data, reading=reading.plain)


def _wide(data: Data | Splits) -> tuple[str, ...]:
    """The features that are float64."""
    features = data.features if isinstance(data, Data) else _sample(data)
    if not isinstance(features, dict):
        return tuple(data.feature_names) if features.dtype == "float64" else ()
    return tuple(name for name, values in features.items() if values.dtype == "float64")


def _sample(data: Splits) -> Any:
    assert isinstance(data.train, Stream)
    return data.train.sample[0]


def _read(
    reader: Reader, labels: AnyLabels, split: SplitPlan, rows: int, table: Table
) -> Data | Splits:
    if rows == 0:
        raise DataError(
            f"{reader.query.place} gives no rows: loosen its WHERE, or look at the source"
        )
    layout = reader.layout
    if rows <= table.memory_rows and rows * layout.row_bytes <= MEMORY_BYTES:
        data = in_memory(reader, labels)
        reader.database.close()
        return data
    if layout.weight is not None:
        raise DataError(
            f"dataset.weight={layout.weight.name} is for rows in memory, and these {rows} are "
            "streamed: raise dataset.memory_rows, or leave the weights out"
        )
    return streamed(reader, labels, split, rows)


def _odd_classes(layout: Layout, data: Data | Splits) -> list[str]:
    """A line about classes that may be no classes, but words for a missing label."""
    lines = []
    tasks = data.task if isinstance(data.task, dict) else {layout.labels[0].name: data.task}
    for label, task in tasks.items():
        words = [name for name in task.names if name.strip().lower() in MISSING_WORDS]
        if words and task.kind in ("classification", "binary"):
            lines.append(
                f"the label '{label}' has a class called {', '.join(map(repr, words))}: if that "
                f"is a missing label, add {option('missing', words)}"
            )
    return lines


def _with_test(
    database: Database,
    query: Query,
    layout: Layout,
    labels: AnyLabels,
    split: SplitPlan,
    rows: int,
    table: Table,
) -> Data:
    """The rows, and as test part those of `dataset.test`, which are read in the same way."""
    if (split.by or "").startswith("column:"):
        raise DataError(f"split.by={split.by} and dataset.test= both say which rows are test")
    wording = dataclasses.replace(table.wording, source="dataset.test=")
    features = [column.name for column in layout.features]
    other = dataclasses.replace(table, source=table.test or "", features=features, wording=wording)
    with other.opened(query.reading) as (test_database, test_query):
        test = layout_of(test_query, other, split)
        test, more = counted(test_database, test_query, test, table.missing_label)
        total = rows + more
        if total > table.memory_rows or total * layout.row_bytes > MEMORY_BYTES:
            raise DataError(
                f"dataset.test={table.test} is for rows in memory, and these {total} are too "
                "many: raise dataset.memory_rows, or divide by split.by=column:"
            )
        wide = layout.wide | test.wide
        readers = [
            Reader(database, query, dataclasses.replace(layout, wide=wide)),
            Reader(test_database, test_query, dataclasses.replace(test, wide=wide)),
        ]
        data = in_memory(readers[0], labels, readers[1])
    database.close()
    return data


def layout_of(query: Query, table: Table, split: SplitPlan) -> Layout:
    """Which columns are what; DataError for names that are none and types that cannot be used."""
    labels = tuple(query.column(one, "dataset.label") for one in table.labels)
    if not labels:
        raise DataError("dataset.label=[] names no column: give one or more")
    key = None
    if split.column is not None:
        key = query.column(split.column, f"split.by={split.by}")
        if (split.by or "").startswith("time:") and key.family not in ("date", "integer", "float"):
            raise DataError(
                f"split.by={split.by} needs a time or a number, and the column is {key.type}"
            )
    weight = query.column(table.weight, "dataset.weight") if table.weight is not None else None
    if weight is not None and weight.family not in ("integer", "float"):
        raise DataError(f"dataset.weight={weight.name} is {weight.type}: weights are numbers")
    if table.features is None:
        chosen = [c for c in query.columns if c not in labels and c not in (key, weight)]
    else:
        chosen = [query.column(one, "dataset.features") for one in table.features]
    if not chosen:
        raise DataError("dataset.features names no column: give one or more beside the label")
    for column in (*chosen, *labels):
        if column in labels and column in chosen:
            raise DataError(f"'{column.name}' is both in dataset.features and in dataset.label")
    odd = [f"'{c.name}' is of type {c.type}" for c in (*chosen, *labels) if c.family == "other"]
    if odd:
        raise DataError(
            f"the column {' and '.join(odd)}, which is neither number, truth value, text nor "
            "date: leave it out by dataset.features, or compute columns from it in dataset.query"
        )
    return Layout(tuple(chosen), labels, key, table.text, weight)


def names_of(names: str | Iterable[str]) -> list[str]:
    """One name or several, as a list."""
    return [names] if isinstance(names, str) else list(names)  # of a dict, the keys
