"""MLflow's file store, the folder `mlruns`: a folder an experiment, in it a folder a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.errors import WarehouseError
from warehouse.trackers.foreign import Point, Run, digest_of, histories_of, in_order
from warehouse.trackers.mlflow import SYSTEM, run_of

META = "meta.yaml"
STATES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The numbers of MLflow's states in its files."""


def read_folder(folder: Path) -> Iterator[Run]:
    """The runs of a file store, those left out that were deleted there.

    Raises WarehouseError where the folder is none, or something in it cannot be read.
    """
    if (folder / "mlflow.db").is_file():
        raise WarehouseError(f"{folder} holds mlflow.db: give that file")
    if (folder / "mlruns").is_dir():
        folder = folder / "mlruns"
    experiments = sorted(folder.glob(f"*/{META}"))
    if not experiments:
        raise WarehouseError(
            f"{folder} is no file store of MLflow's: none of its folders holds a {META}"
        )
    for experiment in experiments:
        said = _meta(experiment)
        if "experiment_id" not in said:
            raise WarehouseError(f"{experiment} names no experiment_id: {folder} is no file store")
        if said.get("lifecycle_stage") == "active":
            for meta in sorted(experiment.parent.glob(f"*/{META}")):
                if (run := _run(folder, str(said.get("name")), meta)) is not None:
                    yield run


def _run(store: Path, experiment: str, meta: Path) -> Run | None:
    said, folder = _meta(meta), meta.parent
    if said.get("lifecycle_stage") != "active" or "run_id" not in said:
        return None
    points = in_order(_points(folder / "metrics"))
    state = said.get("status")
    return run_of(
        str(said["run_id"]),
        f"file://{store.absolute()}",
        experiment,
        said.get("run_name"),
        STATES.get(state, str(state)) if isinstance(state, int) else str(state),
        (said.get("start_time"), said.get("end_time")),
        _texts(folder / "params"),
        _texts(folder / "tags"),
        said.get("artifact_uri"),
        histories_of(points),
        lambda: iter(points),
        digest_of(points),
    )


def _meta(file: Path) -> Mapping[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        said = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WarehouseError(f"{file} cannot be read as YAML ({_brief(error)})") from error
    if not isinstance(said, dict):
        raise WarehouseError(f"{file} is broken: it holds no mapping")
    return said


def _texts(folder: Path) -> dict[str, str]:
    """The file of each name -> what it holds; a name with slashes lies in folders."""
    return {
        file.relative_to(folder).as_posix(): _text(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError as error:
        raise WarehouseError(f"{file} cannot be read ({error.strerror})") from error


def _points(folder: Path) -> Iterator[Point]:
    for name, text in _texts(folder).items():
        if name.startswith(SYSTEM):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            try:
                moment, value, *rest = line.split()
                yield Point(int(rest[0]) if rest else 0, name, float(value), int(moment) / 1000)
            except (ValueError, IndexError):
                # The last line may be in the writing.
                if number < len(text.splitlines()):
                    raise WarehouseError(
                        f"{folder / name} is broken: line {number} is {line!r:.60}, not a moment, "
                        "a value and a step"
                    ) from None


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0]
