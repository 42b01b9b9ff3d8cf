"""A trained model over HTTP: answers are those of `predict`, what does not fit is a sentence."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import runner
from runner.commands.prediction import predict
from runner.commands.serving.batcher import Batcher, Calls
from runner.commands.serving.fields import Field, Form
from runner.commands.serving.rows import Reader, RowError
from runner.data.sources.reading import Reading
from runner.errors import DataError
from tests.runner.session import as_users_have_it
from warehouse.__main__ import main as warehouse_command

pytest.importorskip("starlette")
import httpx

from runner.commands.serving import served
from runner.commands.serving.app import STREAM, build
from runner.commands.serving.served import Serving

ROWS = """
    SELECT 20 + i % 50 AS age,
        CASE WHEN i % 9 <> 4 THEN round(i * 1.37 % 11, 2)::DOUBLE END AS size,
        DATE '2020-01-01' + (i * 7 % 900)::INTEGER AS day,
        ['red', 'blue', 'green'][1 + i % 3] AS hue,
        (i * 5 % 13 + i % 3) > 7 AS y
    FROM range(120) AS t(i)
"""


class Client:
    """Requests to an app, without a socket."""

    def __init__(self, app: Any) -> None:
        self.app, self.headers = app, {"host": "localhost"}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            headers = self.headers | more.pop("headers", {})
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("POST", path, **more)


class Counter:
    """Two runs on a table, their alias, and the server of it, asked without a socket."""

    def __init__(self, folder: Path) -> None:
        self.results, self.csv = folder / "results", folder / "rows.csv"
        duckdb.execute(f"COPY ({ROWS}) TO '{self.csv}'")
        words = ["dataset=csv", f"dataset.path={self.csv}", "dataset.label=y", "epochs=2"]
        words += ["preprocessing=[encode]", f"results={self.results}"]
        self.runs = [runner.run([*words, f"seed={seed}"]).run_id for seed in (0, 1)]
        self.alias(self.runs[0])
        self.serving = Serving("@production", self.results, 64)
        self.rows = [
            {
                name: str(value) if name == "day" else value
                for name, value in row.items()
                if name != "y"
            }
            for row in duckdb.sql(ROWS).to_arrow_table().to_pylist()
        ]

    def alias(self, run: str) -> None:
        words = ["--results", str(self.results), "alias", "production", run, "--move"]
        assert warehouse_command(words) == 0

    def client(self, token: str | None = None, most: int = 1_000_000) -> Client:
        app, _ = build(self.serving, "127.0.0.1", token, most)
        return Client(app)

    def said(self, to: Path) -> list[tuple[Any, ...]]:
        """What `predict` says of the rows: class, probability."""
        predict("@production", str(self.csv), to, results=self.results)
        return duckdb.sql(f"SELECT predicted, probability FROM '{to}' ORDER BY row").fetchall()


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    counter = Counter(tmp_path_factory.mktemp("counter"))
    yield counter
    counter.serving.close()


def told(response: Any) -> list[tuple[Any, ...]]:
    """The classes and probabilities of an answer."""
    assert response.status_code == 200, response.text
    rows = response.json()["predictions"]
    return [(row["predicted"], pytest.approx(row["probability"], abs=1e-6)) for row in rows]


def test_objects_lists_and_arrow_get_the_answers_of_predict(
    counter: Counter, tmp_path: Path
) -> None:
    client, expected = counter.client(), counter.said(tmp_path / "said.parquet")
    assert expected == told(client.post("/predict", json={"rows": counter.rows}))
    names = [field["name"] for field in client.get("/schema").json()["inputs"]]
    lists = [[row[name] for name in names] for row in counter.rows]
    assert expected == told(client.post("/predict", json=lists))
    table = duckdb.sql(f"SELECT * EXCLUDE (y) FROM ({ROWS})").to_arrow_table()
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    response = client.post("/predict", content=sink.getvalue(), headers={"content-type": STREAM})
    answer = pa.ipc.open_stream(response.content).read_all()
    assert answer.schema.metadata == {b"run": counter.runs[0].encode()}
    assert answer["predicted"].to_pylist() == [name for name, _ in expected]
    assert np.allclose(answer["probability"], [p for _, p in expected], atol=1e-6)


def test_the_schema_has_names_types_and_categories(counter: Counter) -> None:
    schema = counter.client().get("/schema").json()
    assert (schema["run"], schema["served_as"]) == (counter.runs[0], "@production")
    assert schema["outputs"] == ["predicted", "probability", "p_false", "p_true"]
    takes = {field["name"]: field["takes"] for field in schema["inputs"]}
    assert takes == {"age": "whole number", "size": "number", "day": "date or time", "hue": "text"}
    [hue] = [field for field in schema["inputs"] if field["name"] == "hue"]
    assert set(hue["categories"]) == {"red", "blue", "green"} and hue["dtype"] == "string"


ROW = {"age": 30, "size": 1.5, "day": "2021-03-04", "hue": "red"}


@pytest.mark.parametrize(
    ("changed", "column", "sentence"),
    [
        (
            {"day": "2021-13-04"},
            "day",
            "row 1: 'day' holds '2021-13-04', which is no date or time",
        ),
        ({"size": "big"}, "size", "row 1: 'size' holds 'big', which is no number"),
        ({"size": [1]}, "size", "row 1: 'size' takes a number, and it is a list"),
        ({"hue": 1.5}, "hue", "row 1: 'hue' takes text, and it is the number 1.5"),
        ({"hue": "\ud800"}, "hue", "row 1: 'hue' holds half of a character"),
        ({"age": 10**400}, "age", "row 1: 'age' holds a number beyond all types"),
        ({"hue": ...}, "hue", "row 1: it lacks 'hue'; give null where nothing is known of it"),
    ],
)
def test_a_bad_row_is_named_with_its_column(
    counter: Counter, changed: dict[str, Any], column: str, sentence: str
) -> None:
    bad = {name: value for name, value in (ROW | changed).items() if value is not ...}
    response = counter.client().post("/predict", content=json.dumps([ROW, bad, ROW]))
    assert response.status_code == 422
    assert response.json() == {"error": sentence, "row": 1, "column": column}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is no JSON"),
        (b"[" * 100_000, 400, "it is nested too deep"),
        (b'[{"age": NaN}]', 400, "NaN is not of JSON, null stands for what is missing"),
        (b"\xff\xfe", 400, "the body is no JSON"),
        (b'{"row": []}', 400, 'send {"rows": [...]}'),
        (b'{"rows": []}', 422, "there are no rows"),
        (b"[[1, 2, null]]", 422, "row 0: it has 3 values, and a row has 4: age, size, day, hue"),
        (b'[["1", 2, null, ""], 3]', 422, "row 1: it is the number 3, and rows are objects"),
        (b" " * 2_000_000, 413, "more than 1,000,000 bytes"),
    ],
)
def test_a_bad_body_is_one_sentence(
    counter: Counter, body: bytes, status: int, sentence: str
) -> None:
    response = counter.client().post("/predict", content=body)
    assert response.status_code == status and sentence in response.json()["error"]


def test_what_is_no_arrow_and_tables_that_lack_a_column_are_told(counter: Counter) -> None:
    def post(content: bytes) -> Any:
        return counter.client().post("/predict", content=content, headers={"content-type": STREAM})

    assert post(b"rubbish").status_code == 400
    for change, sentence in (
        ({"hues": "red"}, "the table lacks 'hue' (did you mean 'hues'?); it has age, size, day"),
        ({"hue": 3.5}, "row 0: the request has the column 'hue' of type DOUBLE, which was text"),
    ):
        row = {name: value for name, value in (ROW | change).items() if name != "hue" or change}
        row = {name: value for name, value in row.items() if "hues" not in change or name != "hue"}
        table = pa.Table.from_pylist([row])
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        response = post(sink.getvalue())
        assert response.status_code == 422 and sentence in response.json()["error"]


def test_only_who_may_is_answered_and_all_are_counted(counter: Counter) -> None:
    client = counter.client(token="sesame")
    assert client.get("/health").status_code == 401
    client.headers["authorization"] = "Bearer sesame"
    assert client.get("/health").json()["status"] == "ok"
    for header in ({"host": "evil.test"}, {"origin": "http://evil.test"}):
        assert client.get("/health", headers=header).status_code == 403
    assert client.get("/predict").headers["allow"] == "POST"
    assert "there is no /models: /predict" in client.get("/models").json()["error"]
    assert client.post("/predict", json=[ROW, ROW]).status_code == 200
    lines = client.get("/metrics").text.splitlines()
    assert 'sweephouse_requests_total{path="/health",status="401"} 1' in lines
    assert 'sweephouse_requests_total{path="/health",status="403"} 2' in lines
    assert "sweephouse_rows_total 2" in lines


def test_an_alias_that_moves_is_followed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(served, "LOOK_SECONDS", 0.05)
    serving = Serving("@production", counter.results, 1)
    serving.follow()
    try:
        counter.alias(counter.runs[1])
        until = time.monotonic() + 60
        while serving.now.kept.run_id == counter.runs[0] and time.monotonic() < until:
            time.sleep(0.05)
        assert serving.now.kept.run_id == counter.runs[1]
        assert "@production is run" in capsys.readouterr().out
    finally:
        serving.close()
        counter.alias(counter.runs[0])


# Without a model


def test_what_arrives_meanwhile_shares_a_call_and_a_bad_request_fails_alone() -> None:
    began, go, sizes = threading.Event(), threading.Event(), []

    def model(features: Any) -> Any:
        sizes.append(len(features))
        began.set()
        assert go.wait(30)
        if (features < 0).any():
            raise DataError("below nothing")
        return features * 2

    calls = Calls()
    batcher = Batcher(model, 3, calls)
    futures = [batcher.put(np.full((1, 1), 0.0))]
    assert began.wait(30)
    futures += [batcher.put(np.full((number, 1), float(number))) for number in (1, 2, 3)]
    futures.append(batcher.put(np.full((1, 1), -1.0)))
    futures.append(batcher.put(np.full((1, 1), 9.0)))
    assert batcher.put(np.full((1, 1), 5.0)).cancel()
    go.set()
    answers = [f.result(30).tolist() if f.exception(30) is None else "failed" for f in futures]
    assert answers == [[[0.0]], [[2.0]], [[4.0]] * 2, [[6.0]] * 3, "failed", [[18.0]]]
    assert sizes == [1, 6, 2, 1, 1]
    assert (calls.calls, calls.requests, calls.largest) == (3, 5, 3)
    batcher.close()


def pictures(dtype: str = "float32") -> Reader:
    import keras

    form = Form(
        (Field("features", dtype, (2, 3)),),
        Reading(),
        {"features": keras.Input((2, 3), dtype=dtype)},
    )
    return Reader(form)


def test_arrays_come_as_lists_nested_or_flat_and_in_arrow() -> None:
    reader, array = pictures(), np.arange(12.0).reshape(2, 2, 3)
    given = [
        reader.of_json(array.tolist()),
        reader.of_json(array.reshape(2, 6).tolist()),
        reader.of_json([{"features": row} for row in array.tolist()]),
        reader.of_table(pa.table({"features": array.tolist()})),
        reader.of_table(
            pa.table({f"x{n}": column for n, column in enumerate(array.reshape(2, 6).T)})
        ),
    ]
    assert all((one == array).all() and one.dtype == "float32" for one in given)
    assert np.isnan(reader.of_json([[[0, 1, None], [0, 0, 0]]])[0, 0, 2])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[[1, 2, 3]] * 2, [[1, 2]] * 2], "row 1: 'features' takes 2×3 numbers, and it has 2×2"),
        ([[[1, 2, 3]] * 2, [[1, 2], [1]]], "row 1: 'features' takes numbers in lists of 2×3"),
        ([[["a", "b", "c"]] * 2], "row 0: 'features' takes numbers in lists of 2×3"),
        ([{"feature": []}], r"row 0: it lacks 'features' \(did you mean 'feature'\?\)"),
    ],
)
def test_arrays_of_other_shapes_are_named(rows: list[Any], sentence: str) -> None:
    with pytest.raises(RowError, match=sentence):
        pictures().of_json(rows)


def test_whole_numbers_must_be_whole() -> None:
    with pytest.raises(RowError, match=r"row 1: 'features' takes whole numbers, and not all are"):
        pictures("int32").of_json([[1] * 6, [1.5] * 6])


# As a process


@pytest.mark.slow
def test_under_load_all_answers_are_those_of_predict_and_requests_share_calls(
    counter: Counter, tmp_path: Path
) -> None:
    expected = counter.said(tmp_path / "said.parquet")
    words = ["serve", "@production", "--port", "0", "--results", str(counter.results)]
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *words],
        env=as_users_have_it({"PYTHONUNBUFFERED": "1"}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        url = first.rpartition(" at ")[2].strip()
        assert url.startswith("http://127.0.0.1:"), first + process.stdout.read()

        def ask(number: int) -> list[tuple[str, float]]:
            rows = [counter.rows[(number + i) % 120] for i in range(1 + number % 4)]
            body = json.dumps({"rows": rows}).encode()
            with urllib.request.urlopen(f"{url}/predict", body, timeout=60) as response:
                said = json.load(response)["predictions"]
            return [(row["predicted"], row["probability"]) for row in said]

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(ask, range(240)))
        for number, answer in enumerate(answers):
            wanted = [expected[(number + i) % 120] for i in range(1 + number % 4)]
            assert [name for name, _ in answer] == [name for name, _ in wanted]
            assert np.allclose([p for _, p in answer], [p for _, p in wanted], atol=1e-6)
        with urllib.request.urlopen(f"{url}/health", timeout=60) as response:
            health = json.load(response)
        assert health["predict_requests"] == 240 and health["rows"] == sum(map(len, answers))
        assert health["model_calls"] < 240 and health["most_requests_in_a_call"] > 1
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "answered  241 requests" in rest
    assert rest.rstrip().endswith("stopped") and "Traceback" not in rest
