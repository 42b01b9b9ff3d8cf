"""Runs of ours as TensorBoard's folders: a file of events each, scalars and hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from warehouse.lookup import SHORT
from warehouse.trackers.event_files import DT_FLOAT, formats, write_events
from warehouse.trackers.ours import Ours
from warehouse.trackers.tensorboard import SCALAR

VERSION = "brain.Event:2"
SUCCESS, FAILURE, RUNNING = 1, 2, 3
STATUSES = {"finished": SUCCESS, "stopped": SUCCESS, "running": RUNNING}
"""How a session of the plugin hparams ended; what is not here is a failure."""
_REFUSED = re.compile(r"[^\w\-. =+,\[\]()]")
LONGEST_NAME = 100


def write(run: Ours, folder: Path) -> None:
    """Write a run into a folder of its own, named by its experiment, its name and its short id."""
    names = (run.experiment, f"{run.name[:LONGEST_NAME]}-{run.run_id[-SHORT:]}")
    place = folder.joinpath(*(_part(name) for name in names))
    place.mkdir(parents=True)
    started = f"{max(int(run.started), 0):010d}"
    file = f"events.out.tfevents.{started}.sweephouse.{run.run_id[-SHORT:]}"
    write_events(place / file, _events(run))


def _part(name: str) -> str:
    """The name as one of a folder."""
    return _REFUSED.sub("_", name)[: LONGEST_NAME + SHORT + 1].strip(". ") or "_"


def _events(run: Ours) -> Iterator[Any]:
    event = formats()["Event"]
    yield event(wall_time=run.started, file_version=VERSION)
    start = formats()["HParams"](version=0)
    start.session_start_info.start_time_secs = run.started
    for param, text, number in run.params:
        said = start.session_start_info.hparams[param]
        if number is not None:
            said.number_value = number
        else:
            said.string_value = text or ""
    yield _of_hparams(run.started, "_hparams_/session_start_info", start)
    seen: set[str] = set()
    for step, name, value, moment in run.points:
        point = event(wall_time=run.started if moment is None else moment, step=step)
        scalar = point.summary.value.add(tag=name)
        scalar.simple_value = value
        if name not in seen:  # which only its first value says
            seen.add(name)
            scalar.metadata.plugin_data.plugin_name = "scalars"
            scalar.metadata.data_class = SCALAR
        yield point
    if run.status != "running":
        ended = run.started if run.ended is None else run.ended
        end = formats()["HParams"](version=0)
        end.session_end_info.status = STATUSES.get(run.status, FAILURE)
        end.session_end_info.end_time_secs = ended
        yield _of_hparams(ended, "_hparams_/session_end_info", end)


def _of_hparams(moment: float, tag: str, content: Any) -> Any:
    """An event of the plugin hparams, whose content stands in the metadata of an empty tensor."""
    made = formats()["Event"](wall_time=moment, step=0)
    value = made.summary.value.add(tag=tag)
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = content.SerializeToString()
    value.tensor.dtype = DT_FLOAT
    value.tensor.tensor_shape.SetInParent()
    value.tensor.float_val.append(0.0)
    return made
