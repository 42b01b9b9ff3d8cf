"""Known values come back through every door, in training and for new rows, or are refused."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runner import DataError, SplitPlan
from runner.components.types import Data, Splits, Task, Trained
from runner.config.compose import reading_what_is_typed
from runner.data.labels import as_trained
from runner.data.sources.dialect import SAMPLE
from runner.data.sources.reading import Reading
from runner.data.sources.rows import opened
from runner.evaluate.metrics import names_of
from tests.cases import quirks
from tests.cases.quirks import Column, Style, Table
from tests.plugins.conftest import Door

FEW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
MANY = settings(FEW, max_examples=100)
WHOLE = SplitPlan(val=0.0, test=0.0, seed=0)
NUMBERED = count()
"""What a database holds is looked at once in a process: each is a file of its own."""


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors")


# --- Reading -------------------------------------------------------------------------------------


class Read:
    """What a dataset gave: values by column and targets, in the order of `id`, and its lines."""

    def __init__(self, make: Door, name: str, **params: Any) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            data: Data | Splits = make("dataset", name, **params)
        self.lines = [str(line.message) for line in caught]
        self.task: Task = data.task
        self.reading = json.loads(json.dumps(data.reading))
        if isinstance(data, Data):
            features, targets = data.features, data.targets
        else:
            streams = [part for part in (data.train, data.val, data.test) if part is not None]
            blocks = [block for stream in streams for block in stream.read(None)]
            targets = np.concatenate([y for _, y in blocks])
            parts = [x for x, _ in blocks]
            features = (
                {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                if isinstance(parts[0], dict)
                else np.concatenate(parts)
            )
        if isinstance(features, dict):
            self.columns = dict(features)
        else:
            self.columns = {name: features[:, i] for i, name in enumerate(data.feature_names)}
        order = np.argsort(self.columns["id"])
        self.columns = {name: values[order] for name, values in self.columns.items()}
        self.targets = targets[order]
        self.weights: Any = None
        self.keys: Mapping[str, Any] = {}
        if isinstance(data, Data):
            self.weights = None if data.weights is None else data.weights[order]
            self.keys = {name: values[order] for name, values in data.columns.items()}

    def label(self) -> list[Any]:
        """The class of every row by its name, or its value."""
        if self.task.kind == "regression":
            return [float(value) for value in self.targets]
        names = names_of(self.task)
        return [names[int(code)] for code in self.targets]


def check(read: Read, table: Table) -> None:
    """The values are those of the table."""
    for column in table.features:
        wrong = wrong_in(read, column)
        assert not wrong, (column.kind, column.name, wrong, read.lines)
    check_label(read, table)


def wrong_in(read: Read, column: Column) -> Mapping[int, tuple[Any, Any]]:
    """Row -> what the column should hold and what it holds, where a float32 would tell them."""
    values = read.columns[column.name]
    wrong = quirks.differing(column, values.tolist())
    if values.dtype != np.float32:
        return wrong
    return {
        row: pair
        for row, pair in wrong.items()
        if not np.array_equal(*map(np.float32, pair), equal_nan=True)
    }


def check_label(read: Read, table: Table) -> None:
    values = table.label.values
    if table.classes is None:
        assert read.task.kind == "regression"
        assert read.label() == [float(np.float32(value)) for value in values]
        return
    assert sorted(names_of(read.task)) == sorted(table.classes), read.task
    assert read.label() == [_named(value) for value in values]


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(int(value))


def check_new(
    read: Read, table: Table, source: Path | str, query: str | None, like: Sequence[int]
) -> None:
    """`predict` is given what training was given of the same rows.

    like: for each new row its number in training.
    """
    known = Reading.recorded(read.reading)
    assert known is not None
    names = [column.name for column in table.features]
    text = [name for name in names if read.columns[name].dtype == object]
    with opened(str(source), query, known, [table.label.name]) as rows:
        blocks = list(rows.blocks(names, text))
    for i, name in enumerate(names):
        trained = read.columns[name][list(like)]
        new = np.concatenate([block[i] for block in blocks])
        assert same(trained, new.astype(trained.dtype)), ("predict", name, new, trained)


def check_evaluated(
    make: Door, name: str, read: Read, table: Table, like: Sequence[int], **params: Any
) -> None:
    """`evaluate` is given what training was given of the same rows, and knows its classes."""
    with as_trained(read.task):
        trained = Trained(read.task, read.reading)
        again = Read(make, name, trained=trained, **{"label": table.label.name, **params})
    order = np.asarray(like)[np.argsort(read.columns["id"][list(like)])]
    for column in table.features:
        before, now = read.columns[column.name][order], again.columns[column.name]
        assert same(before, now), ("evaluate", column.name, now, before)
    assert again.label() == [read.label()[row] for row in order]


def same(one: Any, other: Any) -> bool:
    """Whether two columns are equal to the last bit; missing numbers are."""
    if one.dtype == object or other.dtype == object:
        return bool(one.tolist() == other.tolist())
    return np.array_equal(one, other, equal_nan=True)


# --- Doors ---------------------------------------------------------------------------------------

some_rows = st.lists(st.integers(0, 11), min_size=2, max_size=9, unique=True)


KINDS = ("parquet", "json", "duckdb", "sqlite", "postgres", "mariadb")


def check_csv(
    make: Door, folder: Path, table: Table, style: Style, rows: list[int], order: list[int]
) -> None:
    """Of a CSV file, in memory and streamed; then of some of its rows, in another order."""
    params = style.params(table)
    file = quirks.csv_file(table, style, folder / f"{next(NUMBERED)}.csv")
    given: dict[str, Any] = {"label": table.label.name, **params}
    features = [column.name for column in table.features]
    read = Read(make, "csv", path=file, features=features, **given)
    check(read, table)
    streamed = Read(make, "csv", path=file, features=features, memory_rows=0, split=WHOLE, **given)
    check(streamed, table)
    assert streamed.reading == read.reading
    new = table.some(rows, order)
    again = quirks.csv_file(new, style, folder / f"{next(NUMBERED)}.csv")
    check_new(read, table, again, None, rows)
    check_evaluated(make, "csv", read, table, rows, path=again, **params)


def check_source(
    make: Door,
    place: Path | str,
    kind: str,
    table: Table,
    style: Style | None,
    rows: list[int],
    order: list[int],
    times_said: bool,
) -> None:
    """The same of a source that `sql` reads; style: of columns of text."""
    params = style.params(table, of_file=False) if style else {}
    if not times_said:
        params["time_format"] = None
    if style is None and kind == "sqlite":
        # It has neither truth values nor dates.
        params = {"time_format": ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"]}
        if table.label.kind == "truth":
            table = replace(
                table, classes=["0", "1"], columns=[*table.features, as_whole(table.label)]
            )
    query = "FROM quirks" if isinstance(place, str) else None

    def source(table: Table) -> str:
        where = place if isinstance(place, str) else place / f"{next(NUMBERED)}.{kind}"
        if kind == "json" and isinstance(where, Path):
            return str(quirks.json_file(table, where, style))
        return quirks.put(kind, table, style, where)

    given: dict[str, Any] = {"label": table.label.name, "query": query, **params}
    # What a server holds is known by its rows, once in a process.
    given |= {"identity": str(next(NUMBERED))} if query else {}
    first = source(table)
    read = Read(make, "sql", source=first, **given)
    if style is not None and not times_said:
        table = with_unread_times(read, table, style)
    check(read, table)
    if kind != "mariadb":
        check(Read(make, "sql", source=first, memory_rows=0, split=WHOLE, **given), table)
    again = source(table.some(rows, order))
    check_new(read, table, again, query, rows)
    check_evaluated(make, "sql", read, table, rows, source=again, **given)


def with_unread_times(read: Read, table: Table, style: Style) -> Table:
    """The same with texts for the times that are read as text, as nothing was said of them."""
    text = [name for name, values in read.columns.items() if values.dtype == object]
    columns = [
        style.as_text(column)
        if column.kind in ("date", "moment") and column.name in text
        else column
        for column in table.columns
    ]
    return replace(table, columns=columns)


def as_whole(column: Column) -> Column:
    """Truth values as 0 and 1."""
    return replace(column, kind="whole", values=[int(value) for value in column.values])


orders = st.permutations(range(7))


def of(table: Table, order: list[int]) -> list[int]:
    """The order of the table's features."""
    return [place for place in order if place < len(table.features)]


@given(table=quirks.tables(), style=quirks.known_styles, rows=some_rows, order=orders)
@FEW
def test_a_csv_file(
    make: Door, folder: Path, table: Table, style: Style, rows: list[int], order: list[int]
) -> None:
    check_csv(make, folder, table, style, rows, of(table, order))


@pytest.mark.slow
@given(table=quirks.tables(), style=quirks.known_styles, rows=some_rows, order=orders)
@MANY
@pytest.mark.exhaustive
def test_many_csv_files(
    make: Door, folder: Path, table: Table, style: Style, rows: list[int], order: list[int]
) -> None:
    check_csv(make, folder, table, style, rows, of(table, order))


def check_texts_or_types(
    make: Door,
    place: Path | str,
    kind: str,
    table: Table,
    style: Style | None,
    rows: list[int],
    order: list[int],
    times_said: bool,
) -> None:
    """Of a source that has types, or holds texts as they are written, times perhaps unsaid."""
    if style is not None:
        # Without an option, text is what a source with types says that it is.
        style = replace(style, words=[*style.words, "NA"])
        table = table.with_texts(style)
    check_source(make, place, kind, table, style, rows, of(table, order), times_said)


maybe_styles = st.one_of(st.none(), quirks.known_styles)


@given(
    table=quirks.tables(),
    style=maybe_styles,
    rows=some_rows,
    order=orders,
    times_said=st.booleans(),
)
@settings(FEW, max_examples=4)
def test_a_parquet_file(
    make: Door,
    folder: Path,
    table: Table,
    style: Style | None,
    rows: list[int],
    order: list[int],
    times_said: bool,
) -> None:
    check_texts_or_types(make, folder, "parquet", table, style, rows, order, times_said)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@given(
    table=quirks.tables(),
    style=maybe_styles,
    rows=some_rows,
    order=orders,
    times_said=st.booleans(),
)
@settings(FEW, max_examples=18)
def test_every_source(
    make: Door,
    folder: Path,
    request: pytest.FixtureRequest,
    kind: str,
    table: Table,
    style: Style | None,
    rows: list[int],
    order: list[int],
    times_said: bool,
) -> None:
    place = request.getfixturevalue(kind) if kind in ("postgres", "mariadb") else folder
    check_texts_or_types(make, place, kind, table, style, rows, order, times_said)


@given(table=quirks.tables(), style=quirks.known_styles, seed=st.integers(0, 2**32))
@settings(FEW, max_examples=4)
def test_weights_and_keys(make: Door, folder: Path, table: Table, style: Style, seed: int) -> None:
    chance = random.Random(seed)
    rows = len(table.label.values)
    weights = Column("money", "how much", [chance.randrange(1, 10**6) / 4 for _ in range(rows)])
    keys = Column("text", "who", [chance.choice(quirks.TEXTS) for _ in range(rows)])
    times = Column("date", "when", [quirks.EPOCH + dt.timedelta(days=i * 37) for i in range(rows)])
    table = replace(table, columns=[*table.features, weights, keys, times, table.label])
    file = quirks.csv_file(table, style, folder / f"{next(NUMBERED)}.csv")
    given: dict[str, Any] = {"path": file, "label": table.label.name, **style.params(table)}
    given |= {"weight": "how much", "features": ["id"]}
    for column, by in ((keys, "group:who"), (times, "time:when")):
        read = Read(make, "csv", split=SplitPlan(0.2, 0.2, 0, by=by), **given)
        assert read.weights.tolist() == weights.values
        found = read.keys[column.name]
        if column is times:
            found = found / (86400 * 10**6)  # of microseconds
        assert found.tolist() == column.expected


@given(table=quirks.tables())
@FEW
def test_arrays(make: Door, folder: Path, table: Table) -> None:
    numbers = [column for column in table.features if not column.is_text]
    file = folder / f"{next(NUMBERED)}.npz"
    x = np.array([column.expected for column in numbers], "float64").T
    np.savez(file, x=x, y=np.array(table.label.values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = make("dataset", "arrays", path=file)
    for i, column in enumerate(numbers):
        kind = data.features.dtype.type
        assert np.array_equal(data.features[:, i], kind(x[:, i]), equal_nan=True), column
        # No two ids and no two times become one.
        if column.kind in ("large", "moment"):
            assert len(np.unique(data.features[:, i])) == len(np.unique(x[:, i])), column
    if table.classes is None:
        assert data.task.kind == "regression"
        assert data.targets.tolist() == [float(np.float32(v)) for v in table.label.values]
    else:
        names = names_of(data.task)
        assert [names[code] for code in data.targets] == list(map(_named, table.label.values))


@given(table=quirks.tables(labels=["values"]), style=quirks.styles, chance=st.randoms())
@FEW
def test_a_series(
    make: Door, folder: Path, table: Table, style: Style, chance: random.Random
) -> None:
    """In the order of time, however its rows stand."""
    rows = len(table.label.values)
    form = style.date if style.date == "%Y-%m-%d" else f"{style.date} %H:%M"
    days = [dt.datetime(2023, 11, 1) + dt.timedelta(days=i) for i in range(rows)]
    values = [float(value) for value in table.label.values]
    columns = [
        Column("text", "when", [day.strftime(form) for day in days]),
        Column("number", "größe", values),
    ]
    mixed = list(range(rows))
    chance.shuffle(mixed)
    shuffled = [replace(c, values=[c.values[i] for i in mixed]) for c in columns]
    # A blank in a time would be refused; text is as it is.
    style = replace(style, words=[""], encoding="utf-8")
    written = Table(shuffled, None)
    file = quirks.csv_file(written, style, folder / f"{next(NUMBERED)}.csv")
    params = style.params(written) | {"time_format": form}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = make(
            "dataset",
            "series",
            path=file,
            target="größe",
            columns=["größe"],
            time="when",
            window=3,
            split=SplitPlan(val=0.3, test=0.0, seed=0),
            **params,
        )
    part = np.concatenate([data.train[0][:, 0, 0], data.train[0][-1, 1:, 0], data.train[1][-1]])
    assert part.tolist() == np.float32(values[: len(part)]).tolist()


@pytest.mark.slow
@given(
    table=quirks.tables(),
    style=quirks.known_styles,
    rows=st.lists(st.integers(0, 11), min_size=1, max_size=6, unique=True),
)
@settings(FEW, max_examples=25)
def test_new_rows_come_by_another_door(
    make: Door, folder: Path, table: Table, style: Style, rows: list[int]
) -> None:
    """Of a run that was trained on a CSV file: typed, or written by another program."""
    file = quirks.csv_file(table, style, folder / f"{next(NUMBERED)}.csv")
    names = [column.name for column in table.features]
    given = {"label": table.label.name, "features": names, **style.params(table)}
    read = Read(make, "csv", path=file, **given)
    new = table.some(rows, range(len(names)))
    other = replace(
        style,
        delimiter="," if style.delimiter == "|" else "|",
        quoted=not style.quoted,
        counted=not style.counted,
        packed=not style.packed,
        end="\n",
    )
    unlabelled = replace(new, columns=new.features)
    place = folder / str(next(NUMBERED))
    for source in (
        quirks.put("parquet", new, None, place.with_suffix(".parquet")),
        quirks.json_file(new, place.with_suffix(".json")),
        quirks.csv_file(new, other, place.with_suffix(".csv")),
        quirks.csv_file(unlabelled, style, place.with_suffix(".tsv")),
    ):
        check_new(read, table, source, None, rows)


# --- Without a word ------------------------------------------------------------------------------


OPTION = r"'dataset\.(?:[^']|'\\'')*'|dataset\.\w+=[^\s,;]+"
"""As a sentence names it, with its quotes."""
KEYS = ("decimal", "thousands", "missing", "time_format", "encoding")
"""Of how values are written."""


def typed_in(sentences: Sequence[str], right: Mapping[str, Any]) -> dict[str, Any]:
    """The options that sentences name, as typing them gives them; of several the right one."""
    typed: dict[str, list[Any]] = {}
    parser = OverridesParser.create()
    for text in re.findall(OPTION, " ".join(sentences)):
        [word] = shlex.split(text.rstrip(":."))
        with reading_what_is_typed(multirun=False):
            override = parser.parse_override(word)
        key = override.key_or_group.removeprefix("dataset.")
        typed.setdefault(key, []).append(override.value())
    return {
        key: right[key] if right.get(key) in values else values[0] for key, values in typed.items()
    }


def check_told(make: Door, folder: Path, table: Table, style: Style) -> None:
    """Without an option, and with those that are told, a table is read right or remarked on."""
    file = quirks.csv_file(table, style, folder / f"{next(NUMBERED)}.csv")
    right = style.params(table)
    formats = right.pop("time_format") or []
    given: dict[str, Any] = {}
    features = [column.name for column in table.features]
    for _ in range(6):
        sentences = []
        try:
            read = Read(make, "csv", path=file, label=table.label.name, features=features, **given)
            sentences = read.lines
        except DataError as refused:
            read, sentences = None, [str(refused)]
        told = typed_in(sentences, right | {"time_format": next(iter(formats), None)})
        told = {key: value for key, value in told.items() if key in KEYS}
        if isinstance(told.get("time_format"), str) and given.get("time_format"):
            told["time_format"] = [*as_list(given["time_format"]), told["time_format"]]
        new = {key: value for key, value in told.items() if given.get(key) != value}
        if not new:
            break
        given |= new
    assert read is not None, (sentences, given)
    for column in table.features:
        wrong = wrong_in(read, column)
        if column.is_text:
            # What says nothing in a column of numbers may be a word among words.
            wrong = {row: pair for row, pair in wrong.items() if pair[1] not in style.words}
        if wrong and any(f"'{column.name}'" in line for line in sentences):
            continue  # It may be otherwise, and a line says so.
        assert not wrong, (column.kind, column.name, given, right, wrong, sentences)
    check_label(read, table)


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@given(table=quirks.tables(), style=quirks.styles)
@FEW
def test_what_is_told_reads_a_file_right(
    make: Door, folder: Path, table: Table, style: Style
) -> None:
    check_told(make, folder, table, style)


@pytest.mark.slow
@given(table=quirks.tables(), style=quirks.styles)
@MANY
@pytest.mark.exhaustive
def test_what_is_told_reads_many_files_right(
    make: Door, folder: Path, table: Table, style: Style
) -> None:
    check_told(make, folder, table, style)


# --- What these have found, one by one -----------------------------------------------------------


def lines_in(file: Path, rows: Sequence[str], encoding: str = "utf-8") -> Path:
    body = ("\n".join(rows) + "\n").encode(encoding)
    file.write_bytes(gzip.compress(body) if file.suffix == ".gz" else body)
    return file


def test_a_column_may_be_called_like_a_missing_value(make: Door, tmp_path: Path) -> None:
    file = lines_in(tmp_path / "a.csv", ["id,NA,y", *(f"{i},{i / 2},{i % 2}" for i in range(30))])
    read = Read(make, "csv", path=file, label="y", missing=["NA"])
    assert read.columns["NA"].tolist() == [i / 2 for i in range(30)]


def test_beside_ids_all_numbers_are_what_they_are_for_new_rows(make: Door, tmp_path: Path) -> None:
    rows = [f"{20_000_001 + i},{i}.1,{i % 2}" for i in range(30)]
    read = Read(make, "csv", path=lines_in(tmp_path / "a.csv", ["id,x,y", *rows]), label="y")
    assert read.columns["x"].tolist() == [i + 0.1 for i in range(30)]
    table = Table(
        [
            Column("large", "id", [7, 8]),
            Column("number", "x", [0.1, 0.2]),
            Column("whole", "y", [0, 1]),
        ],
        ["0", "1"],
    )
    small = quirks.csv_file(table, Style(), tmp_path / "b.csv")
    with as_trained(read.task):
        again = Read(make, "csv", path=small, label="y", trained=Trained(read.task, read.reading))
    assert again.columns["x"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_column_may_be_missing_in_all_new_rows(make: Door, tmp_path: Path, kind: str) -> None:
    days = [dt.datetime(2024, 5, 1 + i) for i in range(30)]
    columns = [
        Column("large", "id", list(range(30))),
        Column("date", "d", days),
        Column("text", "t", [f"t{i % 3}" for i in range(30)]),
        Column("whole", "y", [i % 2 for i in range(30)]),
    ]
    holes = [replace(c, values=[None] * 30) if c.name in ("d", "t") else c for c in columns]
    files = []
    for number, table in enumerate((Table(columns, None), Table(holes, None))):
        file = tmp_path / f"{number}.{kind}"
        if kind == "csv":
            files.append(quirks.csv_file(table, Style(), file))
        elif kind == "json":
            files.append(quirks.json_file(table, file))
        else:
            of_number = [
                replace(c, kind="whole") if number and c.name != "id" else c for c in table.columns
            ]
            files.append(Path(quirks.put(kind, replace(table, columns=of_number), None, file)))
    read = Read(make, "sql", source=str(files[0]), label="y")
    known = Reading.recorded(read.reading)
    with opened(str(files[1]), None, known, ["y"]) as rows:
        [[day, text]] = rows.blocks(["d", "t"], ["t"])
    assert np.isnan(day).all() and set(text) == {""}
    with as_trained(read.task):
        again = Read(
            make, "sql", source=str(files[1]), label="y", trained=Trained(read.task, read.reading)
        )
    assert np.isnan(again.columns["d"]).all() and set(again.columns["t"]) == {""}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_an_encoding_is_told_and_read_of_packed_files_too(
    make: Door, tmp_path: Path, name: str, encoding: str
) -> None:
    sign = "€" if encoding == "cp1252" else "ü"
    rows = [f"{i},{sign}{'ab'[i % 2]},{i % 2}" for i in range(30)]
    file = lines_in(tmp_path / name, ["id,x,y", *rows], encoding)
    with pytest.raises(DataError, match=rf"say dataset\.encoding={encoding},"):
        Read(make, "csv", path=file, label="y")
    read = Read(make, "csv", path=file, label="y", encoding=encoding)
    assert set(read.columns["x"]) == {f"{sign}a", f"{sign}b"}


def test_truth_values_and_thousands_beside_words_are_told(make: Door, tmp_path: Path) -> None:
    rows = [
        f"{i},{('true', 'false', 'none')[i % 3]},{('1.557', '-856', '?')[i % 3]},{i % 2}"
        for i in range(30)
    ]
    file = lines_in(tmp_path / "a.csv", ["id,t,x,y", *rows])
    read = Read(make, "csv", path=file, label="y")
    assert any("truth values such as 'false' beside 'none'" in line for line in read.lines)
    assert "'dataset.missing=[none,\"?\"]'" in read.lines[-1]
    read = Read(make, "csv", path=file, label="y", missing=["none", "?"])
    assert read.columns["t"][:2].tolist() == [1, 0] and np.isnan(read.columns["t"][2])
    assert any("if 1.234 is more than a thousand" in line for line in read.lines)


@pytest.mark.parametrize("kind", ["parquet", "sqlite"])
def test_dates_in_columns_of_text_are_told(make: Door, tmp_path: Path, kind: str) -> None:
    days = [dt.datetime(2024, 1 + i % 12, 1 + i % 28) for i in range(60)]
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        texts = [day.strftime(form) for day in days]
        columns = [Column("large", "id", list(range(60))), Column("text", "d", texts)]
        table = Table([*columns, Column("whole", "y", [i % 2 for i in range(60)])], None)
        source = quirks.put(kind, table, None, tmp_path / f"{form[1]}.{kind}")
        read = Read(make, "sql", source=source, label="y")
        assert f"'d' is read as text, and looks like dates such as '{min(texts)}'" in read.lines[0]
        assert (
            read.lines[1] == f"to read them so, add 'dataset.time_format=[{form}]'" or "." in form
        )
        read = Read(make, "sql", source=source, label="y", **typed_in(read.lines, {}))
        first = (days[0] - quirks.EPOCH).days
        assert read.columns["d"][0] == first


@pytest.mark.parametrize(
    ("texts", "params", "values"),
    [
        (["\u22125", "6"], {}, [-5, 6]),
        (["\u22121.234,5", "6"], {"decimal": ",", "thousands": "."}, [-1234.5, 6]),
        (["inf", "5"], {}, [np.inf, 5]),
        (["-inf", "1,5"], {"decimal": ","}, [-np.inf, 1.5]),
        (["1 Mar 2024", "28 May 2023"], {}, [19783, 19505]),
        (["01-Mar-24", "28-May-23"], {}, [19783, 19505]),
        (["March 1, 2024", "May 28, 2023"], {}, [19783, 19505]),
        (["1 May 2024", "2 May 2024"], {}, [19844, 19845]),
    ],
)
def test_other_numbers_and_dates_of_people_are_read(
    make: Door, tmp_path: Path, texts: list[str], params: dict[str, Any], values: list[float]
) -> None:
    rows = ["id;x;y", *(f"{i};{texts[i % 2]};{i % 2}" for i in range(30))]
    file = lines_in(tmp_path / "a.csv", rows)
    read = Read(make, "csv", path=file, label="y", **params)
    assert read.columns["x"][:2].tolist() == values
    new = lines_in(tmp_path / "b.csv", ["x", texts[1], texts[0]])
    with opened(str(new), None, Reading.recorded(read.reading), ["y"]) as table:
        [[column]] = table.blocks(["x"], [])
    assert column.tolist() == values[::-1]


def test_a_fraction_may_come_late(make: Door, tmp_path: Path) -> None:
    rows = ["id,x,y", *(f"{i},{i % 7},{i % 2}" for i in range(SAMPLE + 5)), "-1,0.5,1"]
    file = lines_in(tmp_path / "a.csv.gz", rows)
    read = Read(make, "csv", path=file, label="y")
    assert read.columns["x"][:3].tolist() == [0.5, 0, 1]
    assert Reading.recorded(read.reading).columns["x"].type == "DOUBLE"
