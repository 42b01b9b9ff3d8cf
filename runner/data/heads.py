"""Several heads side by side: one array of targets, one of outputs, and whose columns are whose.

A dataset may ask several things of a row: `targets={"age": ..., "kind": ...}` with a dict of tasks
by the same names. From here to where the model is saved they are one task of kind "heads": the
targets stand side by side in one array, (rows, columns), a class number in one column; so do the
model's outputs, a class in one column each. Splits, streams, engines, packs and checkpoints so
know nothing of heads. Where one matters (checks, class weights, loss, metrics, evaluation,
predictions), the code that a single task has is asked once for each, on its own columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Data, Splits, Stream, Task
from runner.data.checks import check_array, check_targets, check_task, parts
from runner.data.stream import remade
from runner.errors import DataError, PluginError, choices

if TYPE_CHECKING:
    from runner.components.types import Array, Part, Targets

DOT = "."
"""Between a head and what is said of it: `kind.accuracy`."""
HAVE_NUMBERS = ("multilabel", "regression")
"""Kinds of task whose targets have a column for each output."""
KINDS = ("classification", "binary", *HAVE_NUMBERS)
"""Those that can stand side by side."""


def is_single(head: Task) -> bool:
    """Whether the head's targets, as its task alone has them, have no axis of their own."""
    return head.kind not in HAVE_NUMBERS or (head.kind, head.outputs) == ("regression", 1)


def target_columns(task: Task) -> dict[str, slice]:
    """Head -> its columns among the targets."""
    return _columns(
        (name, head.outputs if head.kind in HAVE_NUMBERS else 1)
        for name, head in task.heads.items()
    )


def output_columns(task: Task) -> dict[str, slice]:
    """Head -> its columns among the outputs."""
    return _columns((name, head.outputs) for name, head in task.heads.items())


def _columns(widths: Iterable[tuple[str, int]]) -> dict[str, slice]:
    columns, begin = {}, 0
    for name, width in widths:
        columns[name] = slice(begin, begin + width)
        begin += width
    return columns


def targets_by_head(task: Task, targets: Array) -> dict[str, Array]:
    """Each head's targets as its task alone would have them: (rows,) or (rows, values)."""
    by_head = {}
    for name, columns in target_columns(task).items():
        own, head = targets[:, columns], task.heads[name]
        own = own if head.kind == "regression" else own.astype(np.int64)
        by_head[name] = own[:, 0] if is_single(head) else own
    return by_head


def outputs_by_head(task: Task, outputs: Array) -> dict[str, Array]:
    """Each head's outputs, (rows, outputs of the head)."""
    return {name: outputs[:, columns] for name, columns in output_columns(task).items()}


def splits_by_head(splits: Splits) -> dict[str, Splits]:
    """The data as each head alone has them, for what asks shapes, types and samples of them.

    Nothing but a stream's sample is the head's there.
    """
    return {
        name: replace(
            splits,
            task=head,
            **{part: _of_head(one, splits.task, name) for part, one in parts(splits)},
        )
        for name, head in splits.task.heads.items()
    }


def _of_head(part: Part, task: Task, name: str) -> Any:
    if isinstance(part, Stream):
        return replace(part, sample=_of_head(part.sample, task, name))
    return part[0], targets_by_head(task, part[1])[name]


# --- What a dataset gives ------------------------------------------------------------------------


def side_by_side(data: Data | Splits, where: str) -> Data | Splits:
    """The data with the targets of several heads as one array; those of one task as they are.

    where: the dataset, for the sentences. Raises PluginError where tasks and targets do not have
    the same names, DataError for targets that their head cannot have.
    """
    task = data.task
    whole = [("", (data.features, data.targets))] if isinstance(data, Data) else parts(data)
    if not isinstance(task, Mapping) and not (isinstance(task, Task) and task.heads):
        for _, part in whole:
            targets = (part.sample if isinstance(part, Stream) else part)[1]
            if isinstance(targets, Mapping):
                raise PluginError(
                    f"{where} has targets by name ({', '.join(map(str, targets))}) and one task: "
                    "give a task for each, as a dict with the same names"
                )
        return data
    heads = dict(task if isinstance(task, Mapping) else task.heads)
    for name, head in heads.items():
        _check_name(name, where)
        check_task(head, f"{where} head '{name}'")
        if head.per != "row":
            raise PluginError(
                f"{where} head '{name}' is {head.said}, and one of several heads gives one row of "
                "numbers: give it as the only task"
            )
        if head.kind not in KINDS:
            raise PluginError(
                f"{where} head '{name}' is of kind {head.kind}: one of several heads is a "
                f"{', '.join(KINDS)}"
            )
    if not heads:
        raise PluginError(f"{where} has a dict of tasks without any: give one for each head")
    one = Task.of_heads(heads)

    def joined(place: str, part: Part) -> Any:
        return remade(part, lambda features, targets: (features, _beside(place, targets, one)))

    if isinstance(data, Data):
        return replace(data, targets=_beside(where, data.targets, one), task=one)
    changed: dict[str, Any] = {name: joined(f"{where} {name}", part) for name, part in whole}
    return replace(data, task=one, **changed)


def _check_name(name: object, where: str) -> None:
    """Raise PluginError for a name of which no metric's name could be made."""
    if not isinstance(name, str) or not name.strip() or DOT in name or "/" in name:
        raise PluginError(
            f"{where} has the head {name!r}: a head's name is text without '.' and '/', such as "
            "age; metrics are called age.loss"
        )
    if name.startswith("val_"):
        raise PluginError(
            f"{where} has the head '{name}': val_ begins what is measured on the val part, give "
            "it another name"
        )


def _beside(where: str, targets: Targets, task: Task) -> Array:
    """The targets of all heads in one array, float: (rows, columns)."""
    if not isinstance(targets, Mapping):
        raise PluginError(
            f"{where} has a dict of tasks ({', '.join(task.heads)}) and no dict of targets: give "
            "targets by the same names"
        )
    for name in [*task.heads, *targets]:
        if name not in targets:
            raise PluginError(
                f"{where} has no targets for the head '{name}': {choices(name, targets)}"
            )
        if name not in task.heads:
            raise PluginError(f"{where} has no task for the head '{name}': give one in `task`")
    rows = {name: len(targets[name]) for name in task.heads if np.ndim(targets[name])}
    found = []
    for name, head in task.heads.items():
        place = f"{where} head '{name}'"
        check_array(place, "targets", targets[name])
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{count} of '{head}'" for head, count in rows.items())
            raise DataError(f"{where} has heads that differ in their number of targets: {counts}")
        check_targets(place, targets[name], head)
        found.append(targets[name].reshape(len(targets[name]), -1))
    kind = np.result_type(np.float32, *found)
    return np.concatenate([one.astype(kind) for one in found], axis=1)
