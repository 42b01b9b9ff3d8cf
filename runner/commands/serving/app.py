"""The HTTP of `serve`: /predict, /schema, /health, /metrics, behind what says who may ask."""

from __future__ import annotations

import asyncio
import io
import json
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runner.commands.serving.rows import RowError
from runner.errors import DataError
from runner.system.listening import App, Names, Receive, Scope, Send, headers_of, is_token
from runner.system.terminal import complain

if TYPE_CHECKING:
    from runner.commands.serving.served import Served, Serving

    Array = np.ndarray[Any, Any]

JSON = "application/json"
STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
PATHS = ("/predict", "/schema", "/health", "/metrics")
HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


@dataclass
class Counts:
    """What was asked so far."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(path, status) -> how many."""
    rows: int = 0
    lost: int = 0
    """Rows whose outputs were no numbers."""
    seconds: float = 0.0
    """Spent on the answered requests of /predict, their waiting included."""


class BadRequestError(Exception):
    """A request that is none of ours: its status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Front:
    """The first to see a request: counts it, and lets nobody in who may not."""

    def __init__(self, app: App, counts: Counts, host: str, token: str | None) -> None:
        self._app, self._counts, self._token = app, counts, token
        self._names = Names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = scope["path"] if scope["path"] in PATHS else "other"

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._counts.requests[path, message["status"]] += 1
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        refusal = self._refusal(headers_of(scope))
        await (refusal or self._app)(scope, receive, counted)

    def _refusal(self, headers: dict[bytes, str]) -> Response | None:
        if not self._names.admit(headers):
            return _error(
                403, "this server answers requests to this machine by its own name alone"
            )
        given = headers.get(b"authorization", "")
        if self._token is None or is_token(given.removeprefix("Bearer "), self._token):
            return None
        return _error(401, "give the token as the header 'Authorization: Bearer TOKEN'")


def build(serving: Serving, host: str, token: str | None, most_bytes: int) -> tuple[App, Counts]:
    """The app over a model that is loaded, and what it counts.

    most_bytes: of the body of a request.
    """
    counts = Counts()

    async def predict(request: Request) -> Response:
        began = time.monotonic()
        served = serving.now
        kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        body = await _body(request, most_bytes)
        features, number = await run_in_threadpool(_features, served, kind, body)
        try:
            outputs = await asyncio.wrap_future(served.ask(features))
        except DataError as error:
            raise await run_in_threadpool(served.explained, error, features, number) from None
        wanted = request.headers.get("accept", "")
        as_table = STREAM in wanted or (kind in (STREAM, FILE) and JSON not in wanted)
        response, lost = await run_in_threadpool(_told, served, outputs, as_table)
        counts.rows += number
        counts.lost += lost
        counts.seconds += time.monotonic() - began
        return response

    async def schema(_: Request) -> Response:
        return JSONResponse(serving.now.schema())

    async def health(_: Request) -> Response:
        run = serving.now.kept.run_id
        return JSONResponse({"status": "ok", "run": run, **_plain(counts, serving)})

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(_exposed(counts, serving))

    routes = [
        Route("/predict", predict, methods=["POST"]),
        Route("/schema", schema),
        Route("/health", health),
        Route("/metrics", metrics),
    ]
    handlers: Any = {
        BadRequestError: lambda _, error: _error(error.status, str(error)),
        RowError: lambda _, error: _error(422, str(error), row=error.row, column=error.column),
        ClientDisconnect: lambda _, __: _error(400, "the request ended before its body"),
        HTTPException: _no_such,
        Exception: _fault,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Front(app, counts, host, token), counts


async def _body(request: Request, most: int) -> bytes:
    """The body of a request; BadRequestError where it is too large."""
    said = request.headers.get("content-length", "0")
    body, size = [], int(said) if said.isdigit() else 0
    if size <= most:
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                break
            body.append(piece)
    if size > most:
        sentence = f"the body has more than {most:,} bytes: send fewer rows at once, or --max-body"
        raise BadRequestError(413, sentence)
    return b"".join(body)


def _features(served: Served, kind: str, body: bytes) -> tuple[Any, int]:
    """The rows of a body as the model takes them, and how many there are.

    kind: its type; whatever is not said to be Arrow is read as JSON, for curl says anything.
    """
    if kind in (STREAM, FILE):
        table = _table(kind, body)
        return served.reader.of_table(table), table.num_rows
    try:
        given = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else error
        sentence = f"the body is no JSON, nor said to be {STREAM} or {FILE}: {reason}"
        raise BadRequestError(400, sentence) from None
    rows = given.get("rows") if isinstance(given, dict) else given
    if not isinstance(rows, list):
        raise BadRequestError(
            400, 'the body holds no rows: send {"rows": [...]}, with an object or a list for each'
        )
    return served.reader.of_json(rows), len(rows)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not of JSON, null stands for what is missing")


def _table(kind: str, body: bytes) -> Any:
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise BadRequestError(415, "Arrow needs pyarrow here: pip install pyarrow") from None
    try:
        source = pa.BufferReader(body)
        opened = pa.ipc.open_stream(source) if kind == STREAM else pa.ipc.open_file(source)
        table = opened.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise BadRequestError(
            400, f"the body is no Arrow {kind[-6:].strip('.')}: {first}"
        ) from None
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RowError(f"the table has the column {twice!r} twice", None, twice)
    return table


def _told(served: Served, outputs: Array, as_table: bool) -> tuple[Response, int]:
    """The answer about some rows, and how many have no prediction."""
    columns, lost = served.answer(outputs)
    run = served.kept.run_id
    if as_table:
        return Response(_arrow(columns, lost, run), media_type=STREAM), len(lost)
    names, values = list(columns), [column.tolist() for column in columns.values()]
    for row in lost:
        for column in values:
            column[row] = None
    predictions = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    body: dict[str, Any] = {"run": run, "predictions": predictions}
    return JSONResponse(body | ({"without_prediction": lost} if lost else {})), len(lost)


def _arrow(columns: dict[str, Array], lost: list[int], run: str) -> bytes:
    import pyarrow as pa

    is_lost = np.zeros(len(next(iter(columns.values()))), bool)
    is_lost[lost] = True
    arrays = [pa.array(column, mask=is_lost) for column in columns.values()]
    table = pa.table(dict(zip(columns, arrays, strict=True))).replace_schema_metadata({"run": run})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _plain(counts: Counts, serving: Serving) -> dict[str, Any]:
    """The counts as JSON takes them."""
    calls = serving.calls
    return {
        "requests": sum(counts.requests.values()),
        "rows": counts.rows,
        "rows_without_prediction": counts.lost,
        "model_calls": calls.calls,
        "predict_requests": calls.requests,
        "most_requests_in_a_call": calls.largest,
    }


def _exposed(counts: Counts, serving: Serving) -> str:
    """The counts in Prometheus' text format."""
    calls = serving.calls
    lines = ["# TYPE sweephouse_requests_total counter"]
    lines += [
        f'sweephouse_requests_total{{path="{path}",status="{status}"}} {number}'
        for (path, status), number in sorted(counts.requests.items())
    ]
    for name, kind, value in (
        ("rows_total", "counter", counts.rows),
        ("rows_without_prediction_total", "counter", counts.lost),
        ("predict_seconds_total", "counter", round(counts.seconds, 6)),
        ("model_calls_total", "counter", calls.calls),
        ("predict_requests_total", "counter", calls.requests),
        ("most_requests_in_a_call", "gauge", calls.largest),
    ):
        lines += [f"# TYPE sweephouse_{name} {kind}", f"sweephouse_{name} {value}"]
    return "\n".join(lines) + "\n"


def _error(status: int, sentence: str, **more: Any) -> JSONResponse:
    """An error as JSON: one sentence, and where it is about one, the row and the column."""
    given = {key: value for key, value in more.items() if value is not None}
    # Half a character can stand in a sentence about one.
    text = sentence.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"error": text, **given}, status)


def _no_such(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        method = "POST" if request.url.path == "/predict" else "GET"
        sentence = f"{request.url.path} takes {method}, not {request.method:.20}"
        response = _error(405, sentence)
        response.headers["allow"] = method
        return response
    return _error(error.status_code, f"there is no {request.url.path:.80}: {', '.join(PATHS)}")


def _fault(_: Request, error: Exception) -> Response:
    complain("".join(traceback.format_exception(error)))
    return _error(500, f"a fault of the server's: {type(error).__name__}; its output has the rest")
