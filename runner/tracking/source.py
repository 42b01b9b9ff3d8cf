"""What is known of a tracked run before it trains: its script, arguments and params."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.components.passwords import refuse_passwords, without_password
from runner.components.types import Mode
from runner.errors import ConfigError
from runner.journal.ids import now
from runner.journal.params import param_rows, param_value
from runner.journal.records import ParamValue, RunStart, UsedComponent
from runner.sweep.provenance import git_state, versions

DEEPEST = 50
"""How deep params may be nested."""
ENGINE = "script"
"""What stands in `runs.engine` where the training was somebody's own."""


def script() -> Path | None:
    """The file of the program that runs; None in a notebook or at a prompt."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(file) if file else None
    return path if path is not None and path.is_file() else None


def start_of(
    run_id: str, experiment: str, params: Mapping[str, Any], dataset: str | None
) -> RunStart:
    """The start of a tracked run; its monitor is still to be given.

    Raises ConfigError for params that are no mapping of names, or that hold a password.
    """
    if not isinstance(params, Mapping):
        raise ConfigError(
            f"params={params!r:.80} is not valid: give a mapping of names to values, such as "
            "{'learning_rate': 1e-3}"
        )
    if dataset is not None and not (isinstance(dataset, str) and dataset):
        raise ConfigError(f"dataset={dataset!r:.80} is not valid: give its name")
    params = {str(name): _plain(value) for name, value in params.items()}
    refuse_passwords(params, "")
    file = script()
    config = {
        "experiment": experiment,
        "script": str(file.resolve()) if file else None,
        "arguments": [without_password(word) for word in sys.argv[1:]],
        "params": params,
    }
    source = file.read_bytes() if file else b""
    commit, dirty = git_state()
    seed = params.get("seed")
    return RunStart(
        run_id=run_id,
        started_at=now(),
        experiment=experiment,
        fingerprint=hashlib.sha256(
            source + json.dumps([experiment, params], sort_keys=True).encode()
        ).hexdigest(),
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else 0,
        engine=ENGINE,
        device="not known",
        host=socket.gethostname(),
        pid=os.getpid(),
        monitor="val_loss",
        mode="min",
        overrides=[],
        config=config,
        params=[*_of_dataset(dataset), *param_rows("", params)],
        components=_component(dataset),
        versions=versions(),
        git_commit=commit,
        git_dirty=dirty,
    )


def direction_of(monitor: str, mode: Mode | None) -> Mode:
    """Which end of a metric is better, as said or by its name; ConfigError for another word."""
    from runner.model.directions import direction

    if mode not in (None, "min", "max"):
        raise ConfigError(f"mode={mode!r} is not valid: give 'min' or 'max'")
    return mode or direction(monitor, {})


def _component(dataset: str | None) -> list[UsedComponent]:
    if dataset is None:
        return []
    return [
        UsedComponent(kind="dataset", name=dataset, distribution=None, version=None, source=None)
    ]


def _of_dataset(dataset: str | None) -> Iterator[ParamValue]:
    if dataset is not None:
        yield param_value("dataset", dataset)


def _plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can say it: of an array or a NumPy number its values, else its text."""
    if depth > DEEPEST:
        raise ConfigError(
            f"params are nested more than {DEEPEST} deep, or hold themselves: give fewer"
        )
    if hasattr(value, "tolist") and not isinstance(value, str | bytes):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, int) and value.bit_length() > 64:
        raise ConfigError("a whole number in params has more than 64 bits: give it as text")
    return value if isinstance(value, str | int | float | bool | None) else str(value)
