"""W&B's offline runs: the file `run-<id>.wandb` of each, read without W&B.

It is a log as LevelDB has them, a `Record` each, after seven bytes that say whose it is; the
fields are those of wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import WarehouseError
from runner.system.paths import from_home, open_plain
from warehouse.trackers.elsewhere import files_below
from warehouse.trackers.foreign import Mode, Point, Run, Status, digest_of, histories_of, in_order
from warehouse.trackers.messages import messages

HEADER = b":W&B\xe1\xbe\x00"
"""Whose log it is: their word, a number of theirs, and version 0."""
BLOCK = 32_768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
"""The kinds of chunks that a record comes in."""
GOALS: dict[int, Mode] = {1: "min", 2: "max"}
OWN = "_"
"""How the names of what W&B itself logs begin."""


@contextmanager
def runs_of(text: str) -> Iterator[Iterable[Run]]:
    """The offline runs below a folder, or the one in a file.

    Raises WarehouseError where there is none, or a file is not W&B's.
    """
    place = from_home(text)
    files = [place] if place.is_file() else sorted(place.rglob("*.wandb"))
    if not files:
        raise WarehouseError(
            f"there is no offline run of W&B in {text}: give the folder `wandb` in which its "
            "offline-run-... lie"
        )
    yield (run for file in files if (run := _run(file)) is not None)


@functools.cache
def _format() -> Any:
    """The message of a record, by the fields that are asked for."""
    items = {
        "key": (1, "string"),
        "nested_key": (2, "string[]"),
        "value_json": (16, "string"),
    }
    typed = {"integer": (5, "sint64"), "number": (6, "double")}
    moment = {"seconds": (1, "int64"), "nanos": (2, "int32")}
    return messages(
        "offline_runs",
        {
            "Record": {
                "history": (2, "History"),
                "summary": (3, "Updates"),
                "config": (5, "Updates"),
                "metric": (12, "Metric"),
                "run": (17, "Run"),
                "exit": (18, "Exit"),
                "environment": (26, "Environment"),
            },
            "Item": items | typed,
            "History": {"item": (1, "Item[]"), "step": (2, "Step")},
            "Step": {"num": (1, "int64")},
            "Updates": {"update": (1, "Item[]"), "remove": (2, "Item[]")},
            "Metric": {
                "name": (1, "string"),
                "summary": (7, "Kept"),
                "goal": (8, "int32"),
            },
            "Kept": {"min": (1, "bool"), "max": (2, "bool")},
            "Run": {
                "run_id": (1, "string"),
                "project": (3, "string"),
                "config": (4, "Updates"),
                "summary": (5, "Updates"),
                "run_group": (6, "string"),
                "job_type": (7, "string"),
                "display_name": (8, "string"),
                "notes": (9, "string"),
                "tags": (10, "string[]"),
                "sweep_id": (12, "string"),
                "host": (13, "string"),
                "start_time": (17, "Moment"),
                "git": (21, "Git"),
            },
            "Moment": moment,
            "Git": {"remote_url": (1, "string"), "commit": (2, "string")},
            "Exit": {"exit_code": (1, "int32"), "runtime": (2, "int32")},
            "Environment": {
                "args": (5, "string[]"),
                "program": (6, "string"),
                "git": (9, "Git"),
                "python": (2, "string"),
            },
        },
    )["Record"]


@dataclass
class _Content:
    """What the records of a file say."""

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    modes: dict[str, Mode] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    exit: int | None = None
    steps: int = 0
    last: float | None = None
    """When something was logged last."""


def _run(file: Path) -> Run | None:
    """The run of a file; None where it says of none yet."""
    content, warnings = _Content(), []
    try:
        for record in _records(file):
            _take(content, record)
    except _TornError as error:
        warnings.append(f"{file}: {error}; what comes before that is taken in")
    if (run := content.run) is None:
        return None
    points = in_order([*content.points, *_at_the_end(content)])
    started = run.start_time.seconds + run.start_time.nanos / 1e9
    status: Status = "lost"
    error_said: str | None = "not ended at W&B when it was imported"
    if content.exit is not None:
        status, error_said = "finished", None
        if content.exit:
            status, error_said = "failed", f"failed with exit code {content.exit}, as W&B says"
    group = run.sweep_id or run.run_group
    return Run(
        tracker="wandb",
        identity=[run.project, run.run_id, str(run.start_time.seconds)],
        address=str(file.absolute()),
        experiment=run.project or "uncategorized",
        name=run.display_name or None,
        status=status,
        started=started,
        ended=content.last,
        histories=histories_of(points),
        points=lambda: iter(points),
        digest=digest_of(points),
        params=content.config,
        tags=list(run.tags),
        note=run.notes or None,
        modes=content.modes,
        config={
            "wandb_run_id": run.run_id,
            "summary": content.summary,
            **{name: getattr(run, name) for name in ("run_group", "job_type", "sweep_id")},
            **content.environment,
        },
        files=[each for each in files_below(str(file.parent / "files")) if each.path],
        error=error_said,
        host=run.host or "not known",
        git_commit=content.commit or run.git.commit or None,
        group=[run.project, group] if group else [],
        warnings=warnings,
    )


def _take(content: _Content, record: Any) -> None:
    """Take what one record says."""
    if record.HasField("run"):
        content.run = record.run
        _update(content.config, record.run.config)
        _update(content.summary, record.run.summary)
    if record.HasField("config"):
        _update(content.config, record.config)
    if record.HasField("summary"):
        _update(content.summary, record.summary)
    if record.HasField("history"):
        _log(content, record.history)
    if record.HasField("metric") and (mode := _mode(record.metric)) is not None:
        content.modes[record.metric.name.replace("\\.", ".")] = mode
    if record.HasField("environment"):
        said = record.environment
        if said.program:
            content.environment = {"script": said.program, "arguments": list(said.args)}
        content.commit = said.git.commit or content.commit
    if record.HasField("exit"):
        content.exit = record.exit.exit_code


def _mode(metric: Any) -> Mode | None:
    """The better end of a metric: its goal, or the one that its summary keeps."""
    if metric.summary.min != metric.summary.max:
        return "max" if metric.summary.max else "min"
    return GOALS.get(metric.goal)


def _log(content: _Content, history: Any) -> None:
    """Take a row of the history: its numbers are points at one step."""
    values: dict[str, Any] = {}
    for item in history.item:
        values[".".join(item.nested_key) or item.key] = _value(item)
    said = history.step.num if history.HasField("step") else values.get("_step")
    step = int(said) if isinstance(said, int | float) else content.steps
    content.steps = step + 1
    moment = values.get("_timestamp")
    time = float(moment) if isinstance(moment, int | float) else None
    content.last = max(filter(None, (content.last, time)), default=None)
    for name, value in _numbers("", values):
        if not name.startswith(OWN):
            content.points.append(Point(step, name, value, time))


def _at_the_end(content: _Content) -> Iterator[Point]:
    """The numbers of the summary that have no history, such as a test's: at the last step."""
    logged = {point.name for point in content.points}
    for name, value in _numbers("", content.summary):
        # `score.max` is what its own summary keeps of `score`.
        if name not in logged and name.rpartition(".")[0] not in logged:
            yield Point(max(content.steps - 1, 0), name, value, content.last)


def _numbers(prefix: str, node: Any) -> Iterator[tuple[str, float]]:
    """The numbers of nested values, by dotted names; tables, pictures and texts are none."""
    if isinstance(node, dict) and "_type" not in node:
        for name, inner in node.items():
            yield from _numbers(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(node, bool | int | float) or node in ("NaN", "Infinity", "-Infinity"):
        yield prefix, float(node)


def _update(known: dict[str, Any], updates: Any) -> None:
    for item in updates.update:
        path = list(item.nested_key) or [item.key]
        if path[0].startswith(OWN):  # of W&B's own
            continue
        inner = known
        for name in path[:-1]:
            deeper = inner.setdefault(name, {})
            inner = deeper if isinstance(deeper, dict) else inner
        inner[path[-1]] = _value(item)
    for item in updates.remove:
        known.pop(item.key or ".".join(item.nested_key), None)


def _value(item: Any) -> Any:
    for kind in ("integer", "number"):
        if item.HasField(kind):
            return getattr(item, kind)
    try:
        return json.loads(item.value_json) if item.value_json else None
    except ValueError:
        return item.value_json


class _TornError(Exception):
    """The file breaks off or goes wrong here; what came before is sound."""


def _records(file: Path) -> Iterator[Any]:
    try:
        with open_plain(file, follow_links=True) as opened:
            content = opened.read()
    except OSError as error:
        raise WarehouseError(f"{file} cannot be read ({error.strerror})") from error
    if content[:4] != HEADER[:4]:
        raise WarehouseError(f"{file} is no offline run of W&B: it does not begin with :W&B")
    if content[: len(HEADER)] != HEADER:
        raise WarehouseError(
            f"{file} is of a version of W&B's files that is not known here: {content[4:7].hex()} "
            f"and not {HEADER[4:].hex()}"
        )
    message = _format()
    for body in _bodies(content):
        try:
            yield message.FromString(body)
        except Exception as error:  # protobuf's DecodeError
            raise _TornError("a record of it is broken") from error


def _bodies(content: bytes) -> Iterator[bytes]:
    """The records of a log, put together from its chunks; none crosses the end of a block."""
    place, parts = len(HEADER), b""
    while place + 7 <= len(content):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if kind not in (FULL, FIRST, MIDDLE, LAST) or length > left - 7:
            raise _TornError(f"it goes wrong at byte {place}")
        if place + 7 + length > len(content):
            raise _TornError("it breaks off")
        chunk = content[place + 7 : place + 7 + length]
        place += 7 + length
        parts = chunk if kind in (FULL, FIRST) else parts + chunk
        if kind in (FULL, LAST):
            yield parts
            parts = b""
