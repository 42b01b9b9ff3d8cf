"""A kind of record is its class, its table and its INSERT: all else is derived from them."""

from __future__ import annotations

import gzip
import json

import pytest

from runner.journal.records import KINDS, Record
from tests.warehouse.conftest import House
from warehouse.ingest.staging import tables
from warehouse.journals.fields import form_of
from warehouse.journals.lines import FIELDS

NEW_KIND = """
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runner.journal import records as written

@dataclass(frozen=True)
class Power(written.Record):
    record: ClassVar[str] = "power"
    key: ClassVar[tuple[str, ...]] = ("epoch",)
    run_id: written.Id
    epoch: int
    watts: Sequence[float | None]
    by_device: Sequence[written.UsedComponent]

written.KINDS["power"] = Power

from warehouse import database

TABLE = "CREATE TABLE power (run_id VARCHAR NOT NULL, epoch BIGINT, watts DOUBLE, kind VARCHAR);"
INSERT = '''
INSERT INTO power
SELECT run_id, epoch, unnest(watts), by_device[1].kind
FROM staged_power SEMI JOIN fresh USING (run_id);
'''
ours = database.sql_of

def sql_of(folder):
    files = dict(ours(folder))
    if folder == "schema":
        files["900_power.sql"] = TABLE
    if folder == "ingest":
        files["insert.sql"] += INSERT
    return sorted(files.items())

database.sql_of = sql_of

import json, os, sys, time
import warehouse
from runner.journal.file import Journal
from runner.journal.lines import to_line
from tests.warehouse.conftest import ending, records
from warehouse.place import Place
from warehouse.verify import verify

place = Place.of(results)
"""


@pytest.mark.slow
def test_a_new_kind_goes_in_is_checked_verified_replaced_and_rebuilt(house: House) -> None:
    done = house.python(
        NEW_KIND
        + """
start, *epochs = records("run-1", 2, host="elsewhere")
by_device = [{"kind": "cpu", "name": "x", "more": 1}]
path = place.journals / "run-1.jsonl"
with Journal(place.journals, "run-1") as journal:
    for record in (start, *epochs, Power("run-1", 1, [1.5, float("nan"), None], by_device)):
        journal.append(record)
hour_ago = time.time() - 3600
os.utime(path, (hour_ago, hour_ago))
seen = [warehouse.sync(results).problems]
# It goes on after all, and the longer journal replaces the run whole.
with path.open("ab") as file:
    for record in (
        Power("run-1", 2, [2.5], by_device),
        Power("run-1", 2, [3.5], by_device),
        Power("run-1", 3, ["high"], by_device),
        *ending("run-1", 2),
    ):
        file.write(to_line(record))
path.rename(place.journals / "run-1.done.jsonl")
seen.append(warehouse.sync(results).problems)

def rows():
    with warehouse.connect(results) as con:
        return con.execute("SELECT epoch, watts::VARCHAR, kind FROM power ORDER BY ALL").fetchall()

seen.append(rows())
with place.locked():
    seen.append(verify(place))
    from warehouse.rebuild import rebuild
    rebuild(place)
seen.append(rows())
print(json.dumps(seen))
"""
    )
    out, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    first, second, rows, wrong, again = json.loads(out)
    assert first == []
    assert second == [
        "run-1.done.jsonl line 6: the same power is there already",
        "run-1.done.jsonl line 7: field 'watts' has a wrong value: ['high']",
    ]
    assert rows == again
    assert rows == [[1, "1.5", "cpu"], [1, "nan", "cpu"], [1, None, "cpu"], [2, "2.5", "cpu"]]
    assert wrong == []
    archived = gzip.decompress((house.journals / "archive/run-1.jsonl.gz").read_bytes())
    assert archived.count(b'"record":"power"') == 4


def test_every_kind_has_checks_and_a_staging_table() -> None:
    assert set(FIELDS) == set(KINDS)
    text = "".join(tables())
    for kind, record in KINDS.items():
        assert issubclass(record, Record) and f"TABLE staged_{kind} (" in text
        assert set(record.key) <= {field.name for field in FIELDS[kind]}, kind


def test_an_annotation_without_a_form_is_refused_at_once() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        form_of(complex)
    assert form_of(float | None).sql == "DOUBLE"
