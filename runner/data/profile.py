"""A first look at the data: what every column holds, and what seems wrong with it.

It is taken once for what a config reads, remembered in the results folder, and told to the
warehouse by the first run that trains on those data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from runner.components.signature import plain
from runner.components.types import ColumnProfile, Data, Profile, Splits, Stream, Task
from runner.config.config import Choice
from runner.data.cache import recall, remember
from runner.data.sources.columns import is_row_number
from runner.journal.records import Dataset

if TYPE_CHECKING:
    from runner.components.types import Array, Features

CACHE = "data-profiles.json"
MOST_FEATURES = 100
MOST_VALUES = 5_000_000
"""Beyond that, values of arrays are neither counted nor sorted."""
RARE = 0.1
"""A class is rare with less than this part of an even share."""
NAMED = 6
"""Columns that one line names."""


@dataclass(frozen=True)
class Look:
    """What was seen of a run's data."""

    identity: str
    name: str
    """The dataset's component."""
    profile: Profile
    is_new: bool
    """Whether no run has told the warehouse of it."""
    _key: str
    _cache: Path

    def record(self, run_id: str) -> Dataset:
        """What the journal of a run says of it."""
        columns = self.profile.columns
        fields = {
            name: [getattr(column, name) for column in columns]
            for name in ("missing", "min", "max", "mean", "std", "q25", "q50", "q75")
        }
        return Dataset(
            run_id=run_id,
            identity=self.identity,
            name=self.name,
            source=self.profile.source,
            query=self.profile.query,
            rows=self.profile.rows,
            columns=[column.name for column in columns],
            types=[column.type for column in columns],
            distinct_values=[column.distinct for column in columns],
            **fields,
        )

    def remember(self) -> None:
        """Keep it, so that the next run need not look again; failing that, the next one does."""
        known = {key: dataclasses.asdict(one) for key, one in recall(self._cache, _held).items()}
        remember(self._cache, known | {self._key: dataclasses.asdict(self.profile)})


def first_look(choice: Choice, data: Data | Splits, identity: str, results: Path) -> Look | None:
    """What the data hold, remembered or seen now; None where the config wants no look.

    data: as the dataset returned them.
    """
    component = choice.component
    said = {k: v for k, v in plain(choice.params).items() if k not in component.places}
    text = json.dumps([identity, component.name, said], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    cache = results / CACHE
    if (known := recall(cache, _held).get(key)) is not None:
        return Look(identity, component.name, known, False, key, cache)
    profile_of = component.marks.profile
    profile = profile_of_arrays(data) if profile_of is None else profile_of(**choice.params)
    return None if profile is None else Look(identity, component.name, profile, True, key, cache)


def _held(body: Any) -> Profile | None:
    """The profile that the cache holds; None where it is not as it was written."""
    try:
        columns = tuple(ColumnProfile(**column) for column in body["columns"])
        profile = Profile(**body | {"columns": columns, "label": tuple(body["label"])})
    except (TypeError, KeyError):
        return None
    classes = profile.classes if isinstance(profile.classes, dict) else {"": None}
    sound = (
        all(isinstance(text, str) for text in profile.label)
        and all(isinstance(text, str | None) for text in (profile.source, profile.query))
        and all(isinstance(count, int) for count in (profile.rows, *classes.values()))
        and all(map(_is_sound, columns))
    )
    return profile if sound else None


def _is_sound(column: ColumnProfile) -> bool:
    """Whether every field is of its type, and a number that JSON has."""
    for field, kind in get_type_hints(ColumnProfile).items():
        value = getattr(column, field)
        if not isinstance(value, kind | int if kind == float | None else kind):
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
    return True


def complaints(profile: Profile, features: Collection[str] = ()) -> Iterator[str]:
    """A line for each thing that seems wrong.

    features: the columns that the model is given, where they are known: others may be as they are.
    """
    rows = profile.rows
    used = [c for c in profile.columns if not features or c.name in {*features, *profile.label}]
    holes = [c for c in used if c.missing]
    if holes:
        holes.sort(key=lambda column: -column.missing)
        said = [f"{column.name} ({column.missing} of {rows})" for column in holes]
        yield f"data: values are missing in {_listed(said)}"
    constant = [c.name for c in used if c.distinct == 1 and not c.missing]
    if constant and rows > 1:
        yield f"data: the same value in every row of {_listed(constant)}"
    counting = [c.name for c in used if _only_counts(c, profile)]
    if counting:
        yield (
            f"data: {_listed(counting)} only counts the rows, as a row's number does: if it means "
            "nothing, leave it out by dataset.features=[…]"
        )
    counts = profile.classes
    even = sum(counts.values()) / max(1, len(counts))
    rare = {name: count for name, count in counts.items() if count < RARE * even}
    if rare:
        said = [f"{name} ({count} of {rows})" for name, count in rare.items()]
        yield f"data: rare classes of {', '.join(profile.label) or 'the label'}: {_listed(said)}"


def _only_counts(column: ColumnProfile, profile: Profile) -> bool:
    """Whether the column is a feature of whole numbers that are the rows' numbers."""
    if column.name in profile.label or "INT" not in column.type:
        return False
    ends = column.min or "", column.max or ""
    return is_row_number(profile.rows, column.missing, column.distinct, *ends)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


# --- Arrays --------------------------------------------------------------------------------------


def profile_of_arrays(data: Data | Splits) -> Profile:
    """The same of arrays: of at most 100 features, each one number or text a row.

    Of data in streams, only how many rows there are.
    """
    if isinstance(data, Data):
        pairs = [(data.features, data.targets)]
    else:
        parts = [part for part in (data.train, data.val, data.test) if part is not None]
        if any(isinstance(part, Stream) for part in parts):
            return Profile(sum(p.rows if isinstance(p, Stream) else len(p[1]) for p in parts))
        pairs = [part for part in parts if not isinstance(part, Stream)]
    targets = np.concatenate([np.asarray(pair[1]) for pair in pairs])
    columns = _columns([pair[0] for pair in pairs])
    if targets.ndim == 1:
        columns.append(("target", targets))
    return Profile(
        rows=len(targets),
        columns=tuple(_column(name, values) for name, values in columns),
        label=("target",),
        classes=_classes(targets, data.task),
    )


def _columns(features: Sequence[Features]) -> list[tuple[str, Array]]:
    """Name and values of every column, if there are few enough."""
    first = features[0]
    found: list[tuple[str, Array]] = []
    for name in first if isinstance(first, dict) else ("features",):
        arrays = [f[name] if isinstance(f, dict) else f for f in features]
        if arrays[0].ndim > 2 or len(found) + arrays[0][:1].size > MOST_FEATURES:
            return []
        whole = np.concatenate(arrays)
        if whole.ndim == 1:
            found.append((name, whole))
        else:
            found += [(f"{name}[{i}]", whole[:, i]) for i in range(whole.shape[1])]
    return found


def _column(name: str, values: Array) -> ColumnProfile:
    kind = str(values.dtype)
    small = len(values) <= MOST_VALUES
    if values.dtype.kind in "OUS":
        said = values.astype(str)
        present = said[said != ""]
        if not small or not len(present):
            return ColumnProfile(name, kind, len(said) - len(present))
        found = np.unique(present)
        ends = str(found[0]), str(found[-1])
        return ColumnProfile(name, kind, len(said) - len(present), len(found), *ends)
    numbers = values.astype(np.float64)
    present = numbers[~np.isnan(numbers)]
    missing = len(numbers) - len(present)
    finite = present[np.isfinite(present)]
    if not len(finite):
        return ColumnProfile(name, kind, missing)
    low, high = float(present.min()), float(present.max())
    distinct = len(np.unique(present)) if small else 1 if low == high else None
    quartiles = np.quantile(finite, (0.25, 0.5, 0.75)).tolist() if small else (None,) * 3
    moments = float(finite.mean()), float(finite.std())
    return ColumnProfile(
        name, kind, missing, distinct, f"{low:g}", f"{high:g}", *moments, *quartiles
    )


def _classes(targets: Array, task: Task) -> dict[str, int]:
    """Rows of each class, by its name where it has one."""
    if task.kind not in ("classification", "binary") or task.per != "row":
        return {}
    counts = np.bincount(targets.reshape(-1).astype(int), minlength=max(2, task.outputs))
    names = task.names if len(task.names) == len(counts) else range(len(counts))
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}
