"""The fingerprint of a config: equal fingerprints, the same run again."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.components.signature import plain
from runner.components.sources import source_of
from runner.components.types import RunWeights
from runner.config.config import Config
from runner.config.settings import OF_OUTCOME

FINGERPRINT_VERSION = 1


def files_of(config: Config) -> list[Path]:
    """The files that params name, but for the dataset's, whose identity says what they are."""
    return [
        value
        for kind, choice in config.all()
        if kind.name not in ("dataset", "callback", "evaluator")
        for value in choice.params.values()
        if isinstance(value, Path) and value.is_file()
    ]


def fingerprint(
    config: Config, data_identity: str, contents: Mapping[Path, str] | None = None
) -> str:
    """sha256 over what determines the outcome, as hex.

    That is: the settings but engine, device and place; every component's name, params, version
    and source; and what the data are. Key order, 1 against 1.0, and paths make no difference.

    contents: what the files are that params name, by sha256; it stands for their path. An earlier
        run's weights are known by theirs.
    """
    body = config.plain()
    components = []
    for kind, choice in config.all():
        if kind.name == "evaluator":
            continue  # it looks at what came out, and changes nothing
        params = {k: _content(v, contents or {}) for k, v in choice.params.items()}
        if kind.name in ("dataset", "callback"):
            # Where data lie is no part of what they are, nor where a callback writes.
            places = choice.component.places
            params = {
                k: v
                for k, v in params.items()
                if not isinstance(choice.params[k], Path) and k not in places
            }
        component = choice.component
        components.append(
            [
                kind.name,
                component.name,
                params,
                # Where a loose file lies is no part of what it is.
                "" if component.is_loose else component.distribution,
                "" if component.is_loose else component.version,
                source_hash(component.function),
            ]
        )
    parts = {
        "version": FINGERPRINT_VERSION,
        # One that says nothing is left out: it was no setting when earlier runs were trained.
        "settings": {k: body[k] for k in OF_OUTCOME if (k, body[k]) != ("heads", None)},
        "notes": config.notes,
        "components": components,
        "data": data_identity,
    }
    text = json.dumps(_integral(parts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(value: Any, contents: Mapping[Path, str]) -> Any:
    """A param's value as JSON can say it, a file's content in place of its path."""
    if isinstance(value, RunWeights):
        return f"sha256:{value.sha256}"
    if isinstance(value, Path) and value in contents:
        return f"sha256:{contents[value]}"
    return plain(value)


def _integral(value: Any) -> Any:
    """The value with 1.0 written as 1, so that equal numbers are equal text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # only the user's own keys may hold one
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _integral(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integral(item) for item in value]
    return value


@functools.cache
def source_hash(function: Any) -> str:
    """sha256 over the source of the component's module and what it imports of its package."""
    return hashlib.sha256(source_of(function)).hexdigest()
