"""A study in a storage of Optuna's, and its trials as the records of runs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from runner.components.passwords import without_password
from runner.components.types import Mode
from runner.errors import ConfigError, RunnerError, choices, in_one_line
from runner.journal.ids import run_id_from
from runner.journal.records import EpochEnd, RunEnd, RunStart, by_split
from runner.system.optuna import quiet_optuna
from runner.system.paths import from_home
from runner.tracking.source import start_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

ENGINE = "optuna"
"""What stands in `runs.engine` of an imported trial."""
ENDED: Mapping[str, Literal["finished", "stopped", "failed"]] = {
    "COMPLETE": "finished",
    "PRUNED": "stopped",
    "FAIL": "failed",
}
"""The states of trials that have ended, and what the runs then are."""
SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class TrialRun:
    """A trial as the records of a run."""

    start: RunStart
    epochs: list[EpochEnd]
    end: RunEnd


@dataclass(frozen=True)
class ReadStudy:
    """What a study holds."""

    name: str
    runs: list[TrialRun]
    """The trials that have ended."""
    unended: int
    """How many trials have not."""


def read_study(url: str, name: str | None) -> ReadStudy:
    """Read the study of that name in a storage, or the only one.

    url: as Optuna has it, or the path of a file of SQLite or of a journal of Optuna's.

    Raises ConfigError where there is no such storage or study.
    """
    with quiet_optuna():
        study = _study(url, name)
        trials = study.get_trials(deepcopy=False)
        ended = [trial for trial in trials if trial.state.name in ENDED]
        runs = [_run(study, trial) for trial in ended]
    return ReadStudy(study.study_name, runs, len(trials) - len(ended))


def _study(url: str, name: str | None) -> Study:
    import optuna

    shown = without_password(url)
    try:
        storage = _storage(url, shown)
        names = optuna.get_all_study_names(storage)
    except RunnerError:
        raise
    # Each database has errors of its own, and so has a file that is something else.
    except Exception as error:
        raise ConfigError(
            f"{shown} cannot be read as a storage of Optuna's ({in_one_line(error)})"
        ) from None
    if not names:
        raise ConfigError(f"{shown} holds no study")
    if name is None and len(names) > 1:
        raise ConfigError(f"{shown} holds several studies: give --study, {choices('', names)}")
    if name is not None and name not in names:
        raise ConfigError(f"{shown} holds no study '{name}': {choices(name, names)}")
    return optuna.load_study(study_name=name or names[0], storage=storage)


def _storage(url: str, shown: str) -> BaseStorage:
    """The storage; a file is only read, since Optuna makes tables where it finds none."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy import make_url

    place: str | None = url
    if "://" in url:
        place = make_url(url).database
        if not url.startswith("sqlite"):
            return RDBStorage(url)
    file = from_home(place or "")
    if not place or not file.is_file():
        raise ConfigError(
            f"there is no storage {shown}: give sqlite:///<file>, another URL that Optuna reads, "
            "or the path of such a file"
        )
    with file.open("rb") as opened:
        is_sqlite = opened.read(len(SQLITE)) == SQLITE
    if not is_sqlite and "://" in url:
        raise ConfigError(f"{shown} is no file of SQLite")
    if not is_sqlite:
        return JournalStorage(JournalFileBackend(str(file)))
    # Quoted for SQLite, which reads a URI, and once more for who reads the URL around it.
    path = quote(quote(str(file.absolute())))
    return RDBStorage(f"sqlite:///file:{path}?mode=ro&uri=true")


def _run(study: Study, trial: FrozenTrial) -> TrialRun:
    """A trial that has ended as a run.

    Its intermediate values are what it monitors, an epoch each; the value that it returned is one
    of them, or a last epoch.
    """
    begun = trial.datetime_start or trial.datetime_complete or datetime.fromtimestamp(0)
    ended = trial.datetime_complete or begun
    run_id = _run_id(study.study_name, trial, begun)
    modes = _objectives(study)
    monitor = next(iter(modes))
    epochs, best_epoch = _epochs(trial, modes)
    seconds = max((ended - begun).total_seconds(), 0.0)
    start = dataclasses.replace(
        start_of(run_id, f"optuna:{study.study_name}", trial.params, None),
        started_at=_moment(begun),
        fingerprint=hashlib.sha256(run_id.encode()).hexdigest(),
        engine=ENGINE,
        host="not known",
        pid=0,
        monitor=monitor,
        mode=modes[monitor],
        modes={name.removeprefix("val_"): mode for name, mode in modes.items()},
        config={
            "study": study.study_name,
            "trial": trial.number,
            "params": trial.params,
            "user_attrs": trial.user_attrs,
        },
        data={"identity": f"optuna:{study.study_name}"},
        git_commit=None,
        git_dirty=None,
    )
    status = ENDED[trial.state.name]
    error = {
        "finished": None,
        "stopped": "pruned",
        "failed": str(trial.system_attrs.get("fail_reason", "the trial failed")),
    }[status]
    last = max(epochs, default=0)
    end = RunEnd(run_id, status, _moment(ended), seconds, last, best_epoch, error)
    share = seconds / max(len(epochs), 1)
    return TrialRun(start, [_epoch_end(run_id, *one, share) for one in epochs.items()], end)


def _objectives(study: Study) -> dict[str, Mode]:
    """The names of a study's objectives, and which end of each is better."""
    directions = study.directions
    many = len(directions) > 1
    plain = [f"value_{place}" if many else "value" for place in range(len(directions))]
    names = study.metric_names or plain
    return {
        name: "max" if direction.name == "MAXIMIZE" else "min"
        for name, direction in zip(names, directions, strict=True)
    }


def _epochs(
    trial: FrozenTrial, modes: Mapping[str, Mode]
) -> tuple[dict[int, dict[str, float]], int | None]:
    """Epoch -> metric -> value, in order, and the epoch that the trial's outcome is of."""
    names = list(modes)
    steps = trial.intermediate_values
    # Optuna's steps may begin at 0, and epochs count from 1.
    offset = max(0, 1 - min(steps, default=1))
    epochs = {step + offset: {names[0]: float(steps[step])} for step in sorted(steps)}
    best_epoch = None
    if trial.state.name == "PRUNED":
        sign = 1 if modes[names[0]] == "min" else -1
        known = [epoch for epoch in epochs if not math.isnan(epochs[epoch][names[0]])]
        best_epoch = min(known, key=lambda epoch: sign * epochs[epoch][names[0]], default=None)
    elif trial.values is not None:
        same = (epoch for epoch in epochs if epochs[epoch][names[0]] == trial.values[0])
        best_epoch = next(same, max(epochs, default=0) + 1)
        epochs.setdefault(best_epoch, {}).update(zip(names, trial.values, strict=True))
    if best_epoch is not None:
        epochs[best_epoch] |= {f"constraint_{k}": v for k, v in trial.constraints.items()}
    return epochs, best_epoch


def _epoch_end(run_id: str, epoch: int, values: Mapping[str, float], seconds: float) -> EpochEnd:
    loss, metrics = values.get("loss", math.nan), by_split(values)
    return EpochEnd(run_id, epoch, loss, values.get("val_loss"), math.nan, seconds, metrics)


def _run_id(study: str, trial: FrozenTrial, begun: datetime) -> str:
    """An id that follows from the study and the trial, and sorts by when the trial began."""
    content = json.dumps([study, trial.number, begun.isoformat()])
    return run_id_from(content.encode(), int(begun.timestamp() * 1000))


def _moment(local: datetime) -> str:
    """A time of Optuna's, which is local and does not say so, as UTC."""
    return local.astimezone(UTC).isoformat(timespec="microseconds")
