"""TensorBoard's runs: folders of event files, with scalars, texts and hyperparameters.

Folders called train, validation and so on are the splits of the run that their parent is, as Keras
writes them. Neither TensorBoard nor TensorFlow is needed.
"""

from __future__ import annotations

import math
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import WarehouseError
from runner.journal.metric_names import SPLITS
from runner.system.paths import from_home
from warehouse.trackers.event_files import DT_DOUBLE, DT_FLOAT, TornError, formats, read_events
from warehouse.trackers.foreign import (
    ElsewhereFile,
    Point,
    Run,
    Status,
    digest_of,
    histories_of,
    in_order,
)

MARK = ".tfevents."
"""What is in the names of event files."""
SCALAR = 1
"""The class of data of scalars, in a tag's metadata."""
SESSIONS: dict[int, tuple[Status, str | None]] = {
    2: ("failed", "failed, as its hyperparameters' session says"),
    3: ("lost", "still running when it was imported"),
}
"""What the plugin hparams says of how a session ended; anything else is finished."""
LONGEST_TEXT = 10_000


@contextmanager
def runs_of(text: str, experiment: str | None = None) -> Iterator[Iterable[Run]]:
    """The runs below a folder.

    Raises WarehouseError where there is none, or a file of it is no event file.
    """
    folder = from_home(text)
    if not folder.is_dir():
        raise WarehouseError(f"{text} is no folder: give the one that holds event files")
    folder = folder.absolute()
    found = _folders(folder)
    if not found:
        raise WarehouseError(
            f"there is no event file below {text}: their names hold {MARK.strip('.')}"
        )
    name = experiment or folder.resolve().name or "tensorboard"
    yield (_run(folder, place, parts, name) for place, parts in sorted(found.items()))


def _folders(folder: Path) -> dict[Path, list[tuple[str, Path]]]:
    """The folder of each run -> its event files, each with its split, empty where it has none."""
    found: dict[Path, list[tuple[str, Path]]] = defaultdict(list)
    for below, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(below, name)
            if MARK in name and file.is_file():
                is_split = file.parent.name.lower() in SPLITS
                place = file.parent.parent if is_split else file.parent
                found[place].append((file.parent.name.lower() if is_split else "", file))
    return found


@dataclass
class _Content:
    """What the event files of a run say."""

    points: list[Point] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    plugins: dict[tuple[str, str], str] = field(default_factory=dict)
    """Split and tag -> the plugin that it is of, which only its first value says."""
    first: float = math.inf
    last: float = -math.inf
    session: int = 0
    warnings: list[str] = field(default_factory=list)


def _run(root: Path, place: Path, parts: list[tuple[str, Path]], experiment: str) -> Run:
    content = _Content()
    for split, file in parts:
        _read(content, split, file)
    points = in_order(_without_batches(content))
    status, error = SESSIONS.get(content.session, ("finished", None))
    # A folder of splits may be what was given.
    name = os.path.relpath(place, root) if place.is_relative_to(root) else place.name
    return Run(
        tracker="tensorboard",
        # Their names hold a moment, a host and a process.
        identity=[min(file.name for _, file in parts)],
        address=str(place),
        experiment=experiment,
        name=place.name if name == "." else name,
        status=status,
        started=content.first if math.isfinite(content.first) else 0.0,
        ended=content.last if math.isfinite(content.last) else None,
        histories=histories_of(points),
        points=lambda: iter(points),
        digest=digest_of(points),
        params=dict(sorted(content.params.items())),
        config={"texts": content.texts} if content.texts else {},
        files=[
            ElsewhereFile(os.path.relpath(file, place), str(file), file.stat().st_size)
            for _, file in parts
        ],
        error=error,
        warnings=content.warnings,
    )


def _read(content: _Content, split: str, file: Path) -> None:
    events = 0
    try:
        for event in read_events(file):
            events += 1
            if event.HasField("file_version"):
                continue
            content.first = min(content.first, event.wall_time)
            content.last = max(content.last, event.wall_time)
            for value in event.summary.value:
                _take(content, split, event, value)
    except TornError as error:
        if not events:
            raise WarehouseError(f"{file} cannot be read: {error}") from error
        content.warnings.append(f"{file}: {error}; the {events} events before that are taken in")
    except OSError as error:
        raise WarehouseError(f"{file} cannot be read ({error.strerror})") from error


def _take(content: _Content, split: str, event: Any, value: Any) -> None:
    """Take what a summary says: a scalar, a text, or hyperparameters."""
    key = (split, value.tag)
    said = value.metadata.plugin_data.plugin_name
    if said or value.metadata.data_class:
        content.plugins[key] = said if value.metadata.data_class != SCALAR else "scalars"
    plugin = content.plugins.get(key, "")
    if value.HasField("simple_value"):
        number: float | None = value.simple_value
    elif plugin == "scalars":
        number = _number(value.tensor)
    else:
        number = None
        if plugin == "hparams":
            _take_params(content, value.metadata.plugin_data.content)
        elif plugin == "text" and value.tensor.string_val:
            text = b"\n".join(value.tensor.string_val).decode("utf-8", "replace")
            content.texts[value.tag] = text[:LONGEST_TEXT]
    if number is not None:
        name = f"{split}/{value.tag}" if split else value.tag
        content.points.append(Point(event.step, name, number, event.wall_time))


def _number(tensor: Any) -> float | None:
    """The only number of a tensor; None where it holds another kind, or more."""
    for values in (tensor.float_val, tensor.double_val):
        if len(values) == 1:
            return float(values[0])
    form = {(DT_FLOAT, 4): "<f", (DT_DOUBLE, 8): "<d"}
    if (found := form.get((tensor.dtype, len(tensor.tensor_content)))) is not None:
        return float(struct.unpack(found, tensor.tensor_content)[0])
    return None


def _take_params(content: _Content, said: bytes) -> None:
    """Take the hyperparameters that a session starts with, and how it ended."""
    hparams = formats()["HParams"].FromString(said)
    for name, value in hparams.session_start_info.hparams.items():
        kinds = ("number_value", "string_value", "bool_value")
        kind = next((kind for kind in kinds if value.HasField(kind)), None)
        content.params[name] = None if kind is None else getattr(value, kind)
    if hparams.HasField("session_end_info"):
        content.session = hparams.session_end_info.status


def _without_batches(content: _Content) -> Iterator[Point]:
    """The points by Keras' plain names, without those whose steps are batches beside epochs."""
    counted = any(name.rpartition("/")[2].startswith("epoch_") for _, name, *_ in content.points)
    left_out: dict[str, int] = defaultdict(int)
    for point in content.points:
        before, slash, tag = point.name.rpartition("/")
        if counted and (tag.startswith("batch_") or tag.endswith("_vs_iterations")):
            left_out[point.name] += 1
            continue
        yield point._replace(name=f"{before}{slash}{tag.removeprefix('epoch_')}")
    # What `fit` evaluates is there by epochs, too.
    if lost := sorted(name for name in left_out if not name.endswith("_vs_iterations")):
        content.warnings.append(
            f"left out, since their steps are batches and not epochs: {', '.join(lost)}"
        )
