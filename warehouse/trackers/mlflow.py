"""MLflow's runs: from its SQLite file, from a folder of its file store, or from what it serves.

The first two are read as they lie, without MLflow; whatever else is a URI, by MLflow's own client.
"""

from __future__ import annotations

import importlib.util
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from runner.errors import WarehouseError, in_one_line
from runner.system.paths import from_home
from warehouse.trackers.elsewhere import files_below
from warehouse.trackers.foreign import (
    Dataset,
    History,
    Point,
    Run,
    Status,
    digest_of,
    histories_of,
    in_order,
)

STATUSES: Mapping[str, Status] = {
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "stopped",
    "RUNNING": "lost",
    "SCHEDULED": "lost",
}
"""What its runs are, and what they are here. One that goes on is taken in again when it ends."""
WHY: Mapping[str, str] = {
    "FAILED": "failed, as MLflow says",
    "KILLED": "killed, as MLflow says",
    "RUNNING": "still running at MLflow when it was imported",
    "SCHEDULED": "not begun at MLflow when it was imported",
}
OWN = "mlflow."
"""How the names of MLflow's own tags begin."""
SYSTEM = "system/"
"""How the names of samples of the machine begin, whose steps are no steps of the training."""
EXPORTED = "sweephouse.run_id"
"""The tag of runs that were exported from here."""
LARGEST = 1.7976931348623157e308
"""What MLflow's databases hold in the place of infinity."""
SQLITE = b"SQLite format 3\0"
BUSY_SECONDS = 10.0
_COLUMNS = {
    "experiments": ("experiment_id", "name", "lifecycle_stage"),
    "runs": (
        *("run_uuid", "name", "status", "start_time", "end_time", "lifecycle_stage"),
        *("artifact_uri", "experiment_id"),
    ),
    "metrics": ("run_uuid", "key", "value", "timestamp", "step", "is_nan"),
    "params": ("run_uuid", "key", "value"),
    "tags": ("run_uuid", "key", "value"),
}
"""What must be there of an SQLite store."""


@contextmanager
def runs_of(text: str) -> Iterator[Iterable[Run]]:
    """The runs of a store, while it is open, those left out that were deleted there.

    text: an SQLite file or its URI, a folder of the file store or the one that holds `mlruns`,
        or another tracking URI.

    Raises WarehouseError where there is no such store, or it cannot be read.
    """
    path = _path_of(text)
    if path is None:
        yield _served(text)
    elif path.is_dir():
        from warehouse.trackers.mlflow_files import read_folder

        yield read_folder(path)
    else:
        with _opened(path) as con:
            yield _in_database(con, path)


def run_of(
    uuid: str,
    address: str,
    experiment: str,
    name: str | None,
    state: str,
    times: tuple[int | None, int | None],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    artifacts: str | None,
    histories: Mapping[str, History],
    points: Callable[[], Iterator[Point]],
    digest: str,
    dataset: Dataset | None = None,
) -> Run:
    """A run of MLflow's, however it was read.

    times: when it started and ended, in milliseconds since 1970.
    """
    started, ended = times
    files = files_below(artifacts) if artifacts else []
    parent = tags.get(f"{OWN}parentRunId")
    return Run(
        tracker="mlflow",
        identity=[uuid],
        address=address,
        experiment=experiment,
        name=tags.get(f"{OWN}runName") or name or None,
        status=STATUSES.get(state, "lost"),
        started=(started or 0) / 1000,
        ended=None if ended is None else ended / 1000,
        histories=histories,
        points=points,
        digest=digest,
        exported_from=tags.get(EXPORTED),
        params=dict(sorted(params.items())),
        tags=[
            f"{tag}={value}" if value else tag
            for tag, value in sorted(tags.items())
            if not tag.startswith(OWN)
        ],
        note=tags.get(f"{OWN}note.content"),
        config={
            "mlflow_run_id": uuid,
            "mlflow_tags": {tag: tags[tag] for tag in sorted(tags) if tag.startswith(OWN)},
        },
        files=files,
        error=WHY.get(state),
        git_commit=tags.get(f"{OWN}source.git.commit"),
        dataset=dataset,
        group=[parent] if parent else [],
    )


def _path_of(text: str) -> Path | None:
    """The file or folder that a text names; None where it is a URI of another kind."""
    scheme = urlsplit(text).scheme
    if scheme == "sqlite":
        return from_home(unquote(text.partition(":")[2].removeprefix("///").partition("?")[0]))
    if scheme == "file":
        return Path(unquote(urlsplit(text).path))
    if "://" in text or text.startswith("databricks"):
        return None
    path = from_home(text)
    if not path.exists():
        raise WarehouseError(
            f"there is no MLflow store {text}: give its file mlflow.db, the folder mlruns, or a "
            "tracking URI such as http://127.0.0.1:5000"
        )
    return path


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database to read; nobody who writes into it waits longer than for one question."""
    try:
        with path.open("rb") as file:
            if file.read(len(SQLITE)) != SQLITE:
                raise WarehouseError(f"{path} is no file of SQLite, so no store of MLflow's")
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as con:
            _check(con, path)
            yield con
    except OSError as error:
        raise WarehouseError(f"{path} cannot be read ({error.strerror})") from error
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise WarehouseError(
                f"{path} is locked by another program, which writes into it: try again when that "
                "has ended"
            ) from error
        raise WarehouseError(f"{path} cannot be read as a store of MLflow's ({error})") from error
    except sqlite3.DatabaseError as error:
        raise WarehouseError(f"{path} is broken ({error})") from error


def _check(con: sqlite3.Connection, path: Path) -> None:
    """Raise WarehouseError where tables or columns are not those of an MLflow that is known."""
    for table, columns in _COLUMNS.items():
        there = {row[1] for row in con.execute(f"PRAGMA table_info({table})")}
        if missing := [column for column in columns if column not in there]:
            what = (
                f"its table {table} has no {missing[0]}" if there else f"it has no table {table}"
            )
            raise WarehouseError(
                f"{path} is no store of MLflow's, or of a version that is not known here: {what}; "
                "`mlflow db upgrade` makes a newer one of an old one"
            )


def _in_database(con: sqlite3.Connection, path: Path) -> Iterator[Run]:
    address = f"sqlite:///{path.absolute()}"
    datasets = _datasets(con)
    rows = con.execute(
        "SELECT r.run_uuid, e.name, r.name, r.status, r.start_time, r.end_time, r.artifact_uri "
        "FROM runs AS r JOIN experiments AS e USING (experiment_id) "
        "WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active' "
        "ORDER BY r.start_time, r.run_uuid"
    ).fetchall()
    for uuid, experiment, name, state, started, ended, artifacts in rows:
        yield run_of(
            uuid,
            address,
            str(experiment),
            name,
            str(state),
            (started, ended),
            _named(con, "params", uuid),
            _named(con, "tags", uuid),
            artifacts,
            *_histories(con, uuid),
            datasets.get(uuid),
        )


def _named(con: sqlite3.Connection, table: str, uuid: str) -> dict[str, str]:
    rows = con.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", [uuid])
    return {str(key): str(value) for key, value in rows}


def _histories(
    con: sqlite3.Connection, uuid: str
) -> tuple[dict[str, History], Callable[[], Iterator[Point]], str]:
    """The histories of a run, what reads their points when it is asked to, and their digest."""
    rows = con.execute(
        "SELECT key, count(*), min(step), max(step), max(timestamp), total(value) FROM metrics "
        "WHERE run_uuid = ? AND key NOT GLOB ? GROUP BY key ORDER BY key",
        [uuid, f"{SYSTEM}*"],
    ).fetchall()
    histories = {str(key): History(*numbers) for key, *numbers, _, _ in rows}
    return histories, lambda: _points(con, uuid), repr(rows)


def _points(con: sqlite3.Connection, uuid: str) -> Iterator[Point]:
    rows = con.execute(
        "SELECT step, key, value, is_nan, timestamp FROM metrics "
        "WHERE run_uuid = ? AND key NOT GLOB ? ORDER BY step, timestamp, rowid",
        [uuid, f"{SYSTEM}*"],
    )
    for step, name, value, is_nan, moment in rows:
        yield Point(step, str(name), math.nan if is_nan else number(value), moment / 1000)


def number(value: float) -> float:
    """The value that was logged: MLflow's databases have no infinity."""
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else float(value)


def _datasets(con: sqlite3.Connection) -> dict[str, Dataset]:
    """Run -> the first dataset that it says it learnt from; older stores know none."""
    try:
        rows = con.execute(
            "SELECT i.destination_id, d.name, d.digest FROM inputs AS i "
            "JOIN datasets AS d ON d.dataset_uuid = i.source_id "
            "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' "
            "ORDER BY i.input_uuid DESC"
        ).fetchall()
    except sqlite3.OperationalError:
        return {}
    return {run: Dataset(str(name), str(digest)) for run, name, digest in rows}


# --- What is served ------------------------------------------------------------------------------


def client(uri: str, purpose: str) -> Any:
    """MLflow's own client; WarehouseError where MLflow is not installed."""
    if importlib.util.find_spec("mlflow") is None:
        raise WarehouseError(f"{purpose} needs the package mlflow: pip install mlflow")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def without_user(uri: str) -> str:
    """The URI without what somebody logs in with."""
    before, at, behind = uri.rpartition("@")
    return f"{before.partition('://')[0]}://{behind}" if at and "://" in before else uri


def _served(uri: str) -> Iterator[Run]:
    """The runs of a tracking server, asked page by page."""
    shown = without_user(uri)
    source = client(uri, f"reading {shown}")
    try:
        for experiment in pages(source.search_experiments):
            ids = [experiment.experiment_id]
            for run in pages(source.search_runs, experiment_ids=ids):
                yield _served_run(source, shown, experiment.name, run)
    except WarehouseError:
        raise
    except Exception as error:  # whatever lies between here and there
        raise WarehouseError(f"{shown} cannot be read by MLflow ({in_one_line(error)})") from error


def pages(ask: Any, **words: Any) -> Iterator[Any]:
    """All that a question of the client's has, page by page."""
    token = None
    while True:
        page = ask(page_token=token, **words)
        yield from page
        if not (token := page.token):
            return


def _served_run(source: Any, address: str, experiment: str, run: Any) -> Run:
    uuid, info = run.info.run_id, run.info
    points = in_order(
        Point(each.step, name, float(each.value), each.timestamp / 1000)
        for name in run.data.metrics
        if not name.startswith(SYSTEM)
        for each in source.get_metric_history(uuid, name)
    )
    inputs = getattr(run.inputs, "dataset_inputs", None) or []
    datasets = [Dataset(each.dataset.name, each.dataset.digest) for each in inputs]
    return run_of(
        uuid,
        address,
        experiment,
        info.run_name,
        info.status,
        (info.start_time, info.end_time),
        run.data.params,
        run.data.tags,
        info.artifact_uri,
        histories_of(points),
        lambda: iter(points),
        digest_of(points),
        next(iter(datasets), None),
    )
