"""A file that a command writes for the user: whole or not at all, and never onto what is kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from runner.errors import WarehouseError
from warehouse.place import Place


def target(text: Path, endings: Sequence[str], place: Place) -> Path:
    """The file to write, checked; WarehouseError where it has another ending or cannot be one."""
    file = text.expanduser()
    if file.suffix.lower().lstrip(".") not in endings:
        known = ", ".join(f".{ending}" for ending in endings)
        raise WarehouseError(f"-o {text} has none of the endings {known}")
    if not file.absolute().parent.is_dir():
        raise WarehouseError(f"-o {text}: there is no folder {file.absolute().parent}")
    if file.is_dir():
        raise WarehouseError(f"-o {text} is a folder; give a file")
    refuse_kept(file, place)
    return file


def refuse_kept(file: Path, place: Place) -> None:
    """Raise WarehouseError where something of the results lies there."""
    real, folder = Path(os.path.realpath(file)), Path(os.path.realpath(place.folder))
    kept = (place.journals, place.weights, place.artifacts, place.folder / "snapshots")
    names = {path.name for path in kept}
    if real.is_relative_to(folder) and real.relative_to(folder).parts[:1]:
        first = real.relative_to(folder).parts[0]
        if first in names or first.startswith(place.database.name):
            raise WarehouseError(f"-o {file}: the results in {place.folder} are kept there")


def write(file: Path, content: bytes) -> None:
    """Write it beside the target, and then to its name; WarehouseError where that cannot be."""
    try:
        if file.exists() and not file.is_file():  # a device or a pipe
            file.write_bytes(content)
            return
        real = Path(os.path.realpath(file))
        with tempfile.TemporaryDirectory(prefix=".sweephouse-", dir=real.parent) as folder:
            draft = Path(folder) / real.name
            draft.write_bytes(content)
            draft.replace(real)
    except OSError as error:
        raise WarehouseError(f"-o {file} cannot be written ({error.strerror})") from error
