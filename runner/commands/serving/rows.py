"""Rows of a request, JSON or an Arrow table, as a model takes them.

A value is read as training read it. What is given as it was then, numbers as numbers, is taken as
it is; text that stood for dates or numbers goes through the SQL that training used. What does not
fit is one sentence with its row, counted from 0, and its column.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.commands.serving.fields import Field, Form
from runner.data.sources.column import Column
from runner.data.sources.rows import missing
from runner.errors import DataError
from runner.system.databases import CLOSED, identifier, shut

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runner.components.types import Features

    Array = np.ndarray[Any, Any]

NUMBERS = {int, float, bool, type(None)}
TEXTS = {str, int, type(None)}
MARK = "mixes types in a column: "
"""In the sentence about a value that a column cannot hold."""
WHERE = "the request"


class RowError(DataError):
    """A row does not fit: which one, and the column where it is about one."""

    def __init__(self, sentence: str, row: int | None = None, column: str | None = None) -> None:
        """sentence: what is wrong; the row is put before it."""
        super().__init__(sentence if row is None else f"row {row}: {sentence}")
        self.row, self.column = row, column


class Reader:
    """A reader of rows for one form; any thread may use it."""

    def __init__(self, form: Form) -> None:
        import duckdb

        self.form = form
        self._lock = threading.Lock()
        self._con = duckdb.connect(config={**CLOSED, "python_enable_replacements": "false"})
        self._con.execute("SET GLOBAL TimeZone = 'UTC'")
        shut(self._con, memory="512MB", threads=1)

    def of_json(self, rows: Sequence[Any]) -> Features:
        """Rows as objects by name, or as lists in the order of the fields."""
        if not rows:
            raise RowError("there are no rows")
        fields = self.form.fields
        return self.form.features(
            [self._column(field, _values(self.form, n, rows)) for n, field in enumerate(fields)]
        )

    def of_table(self, table: Any) -> Features:
        """Rows of an Arrow table, by the names of its columns."""
        if not table.num_rows:
            raise RowError("there are no rows")
        only, names = self.form.only, table.column_names
        if only is not None and only.shape and only.name not in names:
            if len(names) in (1, only.width):
                names = names if len(names) > 1 else [only.name]
                if len(names) == 1:
                    return self.form.features([_arrays(only, _listed(table.column(0)))])
                return self.form.features([np.stack(self._by_sql(table, names, ()), axis=1)])
            raise RowError(f"the table lacks the column {only.name!r}; it has {', '.join(names)}")
        lacking = [field.name for field in self.form.fields if field.name not in names]
        if lacking:
            have = f"it has {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
            raise RowError(f"the table lacks {missing(lacking, names)}; {have}", None, lacking[0])
        single = [field for field in self.form.fields if not field.shape]
        text = [field.name for field in single if field.is_text]
        found = dict(
            zip(
                [field.name for field in single],
                self._by_sql(table, [field.name for field in single], text),
                strict=True,
            )
        )
        columns = [
            _arrays(field, _listed(table.column(field.name)))
            if field.shape
            else _checked(field, found[field.name])
            for field in self.form.fields
        ]
        return self.form.features(columns)

    def _column(self, field: Field, values: Sequence[Any]) -> Array:
        """The values of a field, as float64 or as text."""
        if field.shape:
            return _arrays(field, values)
        kinds = set(map(type, values))
        if field.is_text:
            _refuse(field, values, kinds - TEXTS)
            texts = ["" if v is None or v in field.missing else str(v) for v in values]
            _refuse_odd_text(field, texts)
            return np.array(texts, dtype=object)
        if kinds <= NUMBERS:
            return _checked(field, _numbers(field, values))
        _refuse(field, values, kinds - NUMBERS - ({str} if field.read_as else set()))
        written = [v if v is None or isinstance(v, str) else _as_text(v) for v in values]
        _refuse_odd_text(field, [text or "" for text in written])
        given = {field.name: np.array(written, dtype=object)}
        return _checked(field, self._by_sql(given, [field.name], ())[0])

    def _by_sql(self, given: Any, names: Sequence[str], text: Sequence[str]) -> list[Array]:
        """The columns as training read them: text as text, all else as float64.

        given: an Arrow table, or text by column.
        """
        import duckdb

        if not names:
            return []

        def ask(rows: Any) -> list[Array]:
            with self._lock:
                return _read(self._con, self.form, rows, names, text)

        try:
            return ask(given)
        except duckdb.Error as error:
            count = given.num_rows if not isinstance(given, dict) else len(given[names[0]])

            def fails(end: int) -> bool:
                try:
                    ask(_first_rows(given, end))
                except duckdb.Error:
                    return True
                return False

            row = first_bad(count, fails)
            raise _explained(error, row, names) from None


def first_bad(count: int, fails: Callable[[int], bool]) -> int:
    """The first row of `count` that does not fit.

    fails: whether the first so many rows do not.
    """
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle + 1, high)
    return low - 1


def _read(
    con: DuckDBPyConnection, form: Form, given: Any, names: Sequence[str], text: Sequence[str]
) -> list[Array]:
    con.register("given", given)
    try:
        listed = ", ".join(map(identifier, names))
        columns = _described(con, f"SELECT {listed} FROM given")
        select = form.reading.of_results.select(columns, "given", WHERE)
        read = _described(con, f"SELECT {listed} FROM ({select})")
        values = ", ".join(
            f"{column.as_text if column.name in text else column.as_double} AS c{index}"
            for index, column in enumerate(read)
        )
        block = con.execute(f"SELECT {values} FROM ({select})").fetchnumpy()
    finally:
        con.unregister("given")
    return [np.asarray(block[f"c{index}"]) for index in range(len(names))]


def _described(con: DuckDBPyConnection, select: str) -> list[Column]:
    rows = con.execute(f"DESCRIBE {select}").fetchall()
    return [Column(name, str(type_)) for name, type_, *_ in rows]


def _first_rows(given: Any, end: int) -> Any:
    if isinstance(given, dict):
        return {name: values[:end] for name, values in given.items()}
    return given.slice(0, end)


def _explained(error: Exception, row: int, names: Sequence[str]) -> RowError:
    """The sentence about a value that SQL cannot read."""
    first = " ".join(str(error).partition("\n\n")[0].split())
    reason = first.partition(": ")[2] or first
    sentence = reason.partition(MARK)[2] or reason
    column = names[0] if len(names) == 1 else None
    return RowError(sentence, row, next((n for n in names if f"'{n}'" in sentence), column))


# --- Values of JSON ------------------------------------------------------------------------------


def _values(form: Form, place: int, rows: Sequence[Any]) -> list[Any]:
    """The values of one field; RowError where a row lacks it."""
    field, only = form.fields[place], form.only
    kinds = set(map(type, rows))
    if kinds == {dict}:
        try:
            return [row[field.name] for row in rows]
        except KeyError:
            row = next(n for n, row in enumerate(rows) if field.name not in row)
            have = list(rows[row])
            why = "give null where nothing is known of it"
            raise RowError(
                f"it lacks {missing([field.name], have)}; {why}", row, field.name
            ) from None
    if only is not None and (only.shape or list not in kinds) and dict not in kinds:
        return list(rows)
    if kinds == {list}:
        width = len(form.fields)
        odd = next((n for n, row in enumerate(rows) if len(row) != width), None)
        if odd is not None:
            names = ", ".join(field.name for field in form.fields[:20])
            raise RowError(f"it has {len(rows[odd])} values, and a row has {width}: {names}", odd)
        return [row[place] for row in rows]
    odd = next(
        n
        for n, row in enumerate(rows)
        if type(row) is not type(rows[0]) or not kinds & {dict, list}
    )
    raise RowError(
        f"it is {_kind(rows[odd])}, and rows are objects by name, or lists in the order of "
        "/schema, all of them alike",
        odd,
    )


def _numbers(field: Field, values: Sequence[Any]) -> Array:
    """Numbers, truth values and null as float64."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        row = next(n for n, v in enumerate(values) if isinstance(v, int) and abs(v) > 1e308)
        raise RowError(
            f"'{field.name}' holds a number beyond all types", row, field.name
        ) from None
    if nothing := field.missing_numbers:
        numbers[np.isin(numbers, nothing)] = np.nan
    return numbers


def _checked(field: Field, column: Array) -> Array:
    """The column; RowError where the model takes whole numbers and it holds none."""
    if not field.dtype.startswith(("int", "uint")):
        return column
    odd = np.flatnonzero(~(column % 1 == 0))
    if odd.size:
        value = column[odd[0]]
        said = "nothing" if np.isnan(value) else f"{value:g}"
        raise RowError(
            f"'{field.name}' takes a whole number, and it is {said}", int(odd[0]), field.name
        )
    return column


def _refuse(field: Field, values: Sequence[Any], kinds: set[type]) -> None:
    """Raise RowError for the first value of one of these kinds."""
    if kinds:
        row = next(n for n, value in enumerate(values) if type(value) in kinds)
        raise RowError(
            f"'{field.name}' takes {_article(field.takes)}, and it is {_kind(values[row])}",
            row,
            field.name,
        )


def _refuse_odd_text(field: Field, texts: Sequence[str]) -> None:
    """Raise RowError for half of a character, which JSON can hold and text cannot."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        row = next(
            n for n, text in enumerate(texts) if any("\ud800" <= c <= "\udfff" for c in text)
        )
        raise RowError(f"'{field.name}' holds half of a character", row, field.name) from None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _kind(value: Any) -> str:
    """The value in words: null, 'abc', a list."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "…")
    return {None: "null", True: "true", False: "false"}.get(value, f"the number {value!r:.40}")


def _article(kind: str) -> str:
    return kind if kind == "text" else f"a {kind}"


# --- Arrays --------------------------------------------------------------------------------------


def _arrays(field: Field, values: Sequence[Any]) -> Array:
    """Nested lists as one array of the field's shape, a row of it for each; a flat one will do."""
    array = _as_array(values)
    if array is not None and _fits(field, array.shape[1:]):
        return _checked_array(field, array)
    if array is not None and array.shape[1:] == (field.width,) and None not in field.shape:
        return _checked_array(field, array.reshape(-1, *field.shape))
    wanted = "×".join("any" if size is None else str(size) for size in field.shape)
    for row, value in enumerate(values):
        one = _as_array(value)
        if one is None:
            raise RowError(f"'{field.name}' takes numbers in lists of {wanted}", row, field.name)
        if not _fits(field, one.shape) and one.shape != (field.width,):
            has = "×".join(map(str, one.shape)) or "1"
            raise RowError(
                f"'{field.name}' takes {wanted} numbers, and it has {has}", row, field.name
            )
    raise RowError(f"the rows have different shapes of '{field.name}'", None, field.name)


def _as_array(values: Any) -> Array | None:
    """Lists as numbers; None where they are ragged or hold what is none."""
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # null among them
            array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.dtype.kind in "fiub" else None


def _fits(field: Field, shape: tuple[int, ...]) -> bool:
    return len(shape) == len(field.shape) and all(
        theirs in (None, ours) for ours, theirs in zip(shape, field.shape, strict=True)
    )


def _checked_array(field: Field, array: Array) -> Array:
    flat = array.reshape(len(array), -1).astype(np.float64)
    if field.dtype.startswith(("int", "uint")) and not (flat % 1 == 0).all():
        row = int(np.flatnonzero(~(flat % 1 == 0).all(axis=1))[0])
        raise RowError(f"'{field.name}' takes whole numbers, and not all are", row, field.name)
    return array


def _listed(column: Any) -> Sequence[Any]:
    """A column of lists: their numbers as an array where all have one length."""
    import pyarrow as pa

    whole = column.combine_chunks()
    sizes = []
    inner = whole
    while pa.types.is_fixed_size_list(inner.type) and not inner.null_count:
        sizes.append(inner.type.list_size)
        inner = inner.flatten()
    if sizes and pa.types.is_primitive(inner.type) and not inner.null_count:
        numbers: Array = inner.to_numpy(zero_copy_only=False).reshape(len(whole), *sizes)
        return numbers  # type: ignore[return-value]
    listed: list[Any] = column.to_pylist()
    return listed
