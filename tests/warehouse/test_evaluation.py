"""Outputs, layers, tensors and files of runs, and later evaluations, as rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.lines import to_line
from runner.journal.records import (
    Artifact,
    Confusion,
    Curves,
    Evaluation,
    EvaluationAdded,
    Layers,
    Record,
    Tensors,
    Weights,
)
from tests.warehouse.conftest import House, ending, records
from warehouse.database import sql_of
from warehouse.place import Place, this_host
from warehouse.rebuild import rebuild
from warehouse.verify import verify

Ask = Callable[..., list[tuple[Any, ...]]]


def predictions_of(house: House, run_id: str, split: str = "test", row: str = "range") -> Artifact:
    """A file of two predictions and the record that refers to it. row: SQL for the places."""
    draft = house.results / "draft.parquet"
    house.results.mkdir(exist_ok=True)
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT '{split}' AS split, {row} AS row, NULL::VARCHAR AS output, "
            "1.0 AS target, range::DOUBLE AS predicted, 'yes' AS target_name, "
            "['no', 'yes'][range + 1] AS predicted_name, 1.0 - range AS error, "
            f"[range]::FLOAT[] AS outputs FROM range(2)) TO '{draft}' (FORMAT parquet)"
        )
    content = draft.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    path = house.results / f"artifacts/{digest[:2]}/{digest}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(path)
    uri = path.relative_to(house.results).as_posix()
    return Artifact(run_id, "predictions", uri, digest, len(content))


def outputs_and_layers(house: House, run_id: str) -> list[Record]:
    """One record of every kind that is about outputs, layers and tensors."""
    return [
        Tensors(
            run_id,
            f"{run_id}:best:3",
            layer=["dense", "dense"],
            name=["kernel", "bias"],
            shape=[[4, 2], [2]],
            dtype=["float32", "float32"],
            parameters=[8, 2],
            mean=[0.5, float("nan")],
            std=[1.0, 0.0],
            l2=[3.0, 0.0],
            zero_share=[0.25, 1.0],
            dead_units=[1, None],
        ),
        Layers(
            run_id,
            name=["in", "dense"],
            class_name=["InputLayer", "Dense"],
            output_shape=[[4], None],
            parameters=[0, 10],
            inputs=[[], ["in"]],
            config=["{}", '{"units":2}'],
        ),
        predictions_of(house, run_id),
        Confusion(run_id, "test", ["no", "yes"], actual=[0, 1], predicted=[1, 1], rows=[3, 4]),
        Curves(
            run_id,
            "test",
            ["roc", "pr"],
            ["yes", "no"],
            x=[[0.0, 1.0], [0.5]],
            y=[[0.0, 1.0], [0.25]],
            threshold=[[float("inf"), None], [0.125]],
        ),
    ]


@pytest.fixture
def run_id(house: House) -> str:
    """A run that said all of it."""
    run_id = new_run_id()
    house.write([*records(run_id), *outputs_and_layers(house, run_id), *ending(run_id)])
    return run_id


def judged(house: House, run_id: str, value: float = 0.8) -> Path:
    """A later judgement of the run, in a journal of its own."""
    entry = EvaluationAdded(
        entry_id=new_run_id(),
        run_id=run_id,
        entered_at="2026-11-02T10:00:00+00:00",
        host=this_host(),
        weights_id=f"{run_id}:best:3",
        source="dataset=wine",
        data={"identity": "x", "test": 7},
    )
    with Journal(house.journals, f"judgement-{entry.entry_id}") as journal:
        journal.append(entry)
        journal.append(Evaluation(run_id, "test", {"accuracy": value, "recall[yes]": value}))
        journal.append(Confusion(run_id, "test", ["no", "yes"], [1], [1], [7]))
        return journal.finish()


@pytest.mark.slow
def test_every_list_becomes_rows(house: House, rows: Ask, run_id: str) -> None:
    warehouse.sync(house.results)
    figures = "layer, name, shape, parameters, zero_share, dead_units"
    assert rows(house, f"SELECT {figures} FROM tensors") == [
        ("dense", "kernel", [4, 2], 8, 0.25, 1),
        ("dense", "bias", [2], 2, 1.0, None),
    ]
    assert rows(house, "SELECT * EXCLUDE (run_id) FROM layers") == [
        (1, "in", "InputLayer", [4], 0, [], "{}"),
        (2, "dense", "Dense", None, 10, ["in"], '{"units":2}'),
    ]
    assert rows(house, "SELECT actual, predicted, rows FROM confusion") == [
        ("no", "yes", 3),
        ("yes", "yes", 4),
    ]
    points = "SELECT curve, class, point, x, y, threshold FROM curves_points ORDER BY ALL"
    assert rows(house, points) == [
        ("pr", "no", 1, 0.5, 0.25, 0.125),
        ("roc", "yes", 1, 0.0, 0.0, float("inf")),
        ("roc", "yes", 2, 1.0, 1.0, None),
    ]
    assert rows(
        house, "SELECT row, predicted_name, error, outputs FROM predictions ORDER BY error DESC"
    ) == [(0, "no", 1.0, [0.0]), (1, "yes", 0.0, [1.0])]


@pytest.mark.slow
@pytest.mark.file_only
def test_they_are_the_same_after_a_rebuild_and_verify_agrees(
    house: House, rows: Ask, run_id: str
) -> None:
    judged(house, run_id)
    warehouse.sync(house.results)
    tables = ("tensors", "layers", "confusion", "curves_points", "predictions", "judgements")
    before = {table: str(rows(house, f"FROM {table} ORDER BY ALL")) for table in tables}
    assert "[]" not in before.values()
    assert verify(Place(house.results)) == []
    rebuild(Place(house.results))
    for table in tables:
        assert str(rows(house, f"FROM {table} ORDER BY ALL")) == before[table]
    assert verify(Place(house.results)) == []


def test_a_journal_of_format_1_still_goes_in(house: House, rows: Ask) -> None:
    house.run(version=1)
    assert warehouse.sync(house.results).problems == []
    assert rows(house, "SELECT format, status FROM runs") == [(1, "finished")]


@pytest.mark.slow
def test_a_judgement_is_told_from_the_runs_own_and_goes_in_once(
    house: House, rows: Ask, run_id: str
) -> None:
    done = judged(house, run_id)
    copy = done.read_bytes()
    assert warehouse.sync(house.results).problems == []
    done.write_bytes(copy)  # left behind, as after a kill between COMMIT and archive
    assert warehouse.sync(house.results).problems == []
    assert not done.exists()
    values = rows(
        house,
        "SELECT e.value, j.source, j.data->>'$.test' FROM evaluations AS e "
        "LEFT JOIN judgements AS j USING (judgement_id) WHERE e.name = 'accuracy' ORDER BY ALL",
    )
    assert values == [(0.8, "dataset=wine", "7"), (0.9, None, None)]
    assert rows(house, "SELECT count(*) FROM class_scores") == [(0,)]
    assert rows(house, "SELECT sum(rows) FROM confusion WHERE judgement_id IS NULL") == [(7,)]
    shown = house.command("show", run_id).stdout
    assert "judgements" in shown and "dataset=wine" in shown and "0.9" in shown


@pytest.mark.slow
def test_a_run_that_went_on_keeps_its_judgements(house: House, rows: Ask) -> None:
    run_id = new_run_id()
    path = house.write([*records(run_id, 2), *outputs_and_layers(house, run_id)], finish=False)
    content = path.read_bytes()
    judged(house, run_id)
    assert warehouse.sync(house.results).lost == [run_id]
    path.with_name(f"{run_id}.done.jsonl").write_bytes(content)
    with path.with_name(f"{run_id}.done.jsonl").open("ab") as file:
        for record in ending(run_id, 2):
            file.write(to_line(record))
    assert warehouse.sync(house.results).problems == []
    assert rows(house, "SELECT status FROM runs") == [("finished",)]
    assert rows(house, "SELECT count(*) FROM predictions") == [(2,)]
    assert rows(house, "SELECT count(*) FROM tensors") == [(2,)]
    assert rows(house, "SELECT count(*) FROM evaluations WHERE judgement_id IS NOT NULL") == [(2,)]


def test_lines_that_do_not_belong_into_a_judgement_are_named(house: House, run_id: str) -> None:
    path = judged(house, run_id)
    with path.open("ab") as file:
        file.write(to_line(Evaluation("another", "val", {"accuracy": 1.0})))
        file.write(to_line(ending(run_id)[-1]))
    result = warehouse.sync(house.results)
    assert [sentence.partition(": ")[2] for sentence in result.problems] == [
        "belongs to run another, not to this judgement's",
        "a run_end in a judgement",
    ]


@pytest.mark.slow
@pytest.mark.file_only
def test_predictions_whose_file_is_gone_or_altered_cost_only_themselves(
    house: House, rows: Ask
) -> None:
    for spoil in (lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR1")):
        run_id = new_run_id()
        artifact = predictions_of(house, run_id, split=run_id)
        house.write([*records(run_id), artifact, *ending(run_id)])
        spoil(house.results / artifact.uri)
    assert warehouse.sync(house.results).problems == []
    assert rows(house, "SELECT count(*) FROM runs") == [(2,)]
    assert rows(house, "SELECT count(*) FROM predictions") == [(0,)]
    problems = verify(Place(house.results))
    text = "".join(problems)
    assert len(problems) == 2 and "cannot be read" in text and "has 4 bytes" in text


@pytest.mark.slow
@pytest.mark.file_only
def test_verify_tells_of_predictions_that_were_out_of_the_way_when_their_run_went_in(
    house: House, rows: Ask, run_id: str
) -> None:
    artifact = predictions_of(house, run_id)
    house.write([*records(run_id), artifact, *ending(run_id)])
    file = house.results / artifact.uri
    content = file.read_bytes()
    file.unlink()
    warehouse.sync(house.results)
    file.write_bytes(content)
    [problem] = verify(Place(house.results))
    assert "predictions" in problem and run_id in problem


@pytest.mark.slow
def test_predictions_that_their_table_refuses_cost_only_themselves(
    house: House, rows: Ask
) -> None:
    good, *bad = (new_run_id() for _ in range(4))
    house.write([*records(good), predictions_of(house, good), *ending(good)])
    refused = ("NULL", "'no place'", "range AS place, 1")
    for run_id, row in zip(bad, refused, strict=True):
        house.write([*records(run_id), predictions_of(house, run_id, row=row), *ending(run_id)])
    problems = warehouse.sync(house.results).problems
    assert len(problems) == 3 and all("are left out" in problem for problem in problems)
    assert rows(house, "SELECT count(*) FROM runs") == [(4,)]
    assert rows(house, "SELECT run_id, row FROM predictions ORDER BY row") == [
        (good, 0),
        (good, 1),
    ]


@pytest.mark.slow
@pytest.mark.file_only
def test_gc_removes_a_deleted_runs_predictions_file_and_rows(
    house: House, rows: Ask, run_id: str
) -> None:
    warehouse.sync(house.results)
    [file] = (house.results / "artifacts").rglob("*.parquet")
    os.utime(file, (1, 1))
    assert "0 files" in house.command("gc").stdout
    house.command("delete", run_id)
    assert "removed 1 file," in house.command("gc", "--yes").stdout
    assert not file.exists()
    assert rows(house, "SELECT count(*) FROM predictions") == [(0,)]
    assert verify(Place(house.results)) == []
    rebuild(Place(house.results))
    assert rows(house, "SELECT count(*) FROM predictions") == [(0,)]


def test_a_journal_cannot_name_a_file_outside_of_the_results(
    house: House, rows: Ask, tmp_path: Path
) -> None:
    run_id = new_run_id()
    inside = predictions_of(house, run_id)
    outside = tmp_path / "outside.parquet"
    (house.results / inside.uri).rename(outside)
    house.write(
        [
            *records(run_id),
            Artifact(run_id, "predictions", str(outside), inside.sha256, inside.bytes),
            *ending(run_id),
        ]
    )
    warehouse.sync(house.results)
    assert rows(house, "SELECT count(*) FROM predictions") == [(0,)]


def test_the_worked_questions_answer(house: House, run_id: str) -> None:
    moved = new_run_id()
    kept = [
        record
        for epoch in (1, 2)
        for record in (
            Weights(moved, f"{moved}:checkpoint:{epoch}", epoch, "checkpoint", "u", "s", 1, "f"),
            Tensors(
                moved,
                f"{moved}:checkpoint:{epoch}",
                ["dense"],
                ["kernel"],
                [[100]],
                ["float32"],
                [100],
                mean=[float(epoch)],
                std=[1.0],
                l2=[10.0],
                zero_share=[0.0],
                dead_units=[None],
            ),
        )
    ]
    house.write([*records(moved), *kept, *ending(moved)])
    judged(house, run_id)
    queries = dict(sql_of("queries"))
    with warehouse.connect(house.results) as con:

        def answer(name: str) -> list[tuple[Any, ...]]:
            return con.execute(queries[f"{name}.sql"]).fetchall()

        assert answer("layers_that_moved") == [(moved, "dense", 1, 2, 10.0, 1.0)]
        assert answer("confused_classes") == [(run_id, "no", "yes", 3, 1.0)]
        assert [row[3:5] for row in answer("parameters_of_runs")] == [(10, 2)]
        assert [row[-1] for row in answer("worst_errors")] == [1.0, 0.0]
        assert [row[1:6] for row in answer("judged_elsewhere")] == [
            ("dataset=wine", "test", "accuracy", 0.8, 0.9)
        ]
