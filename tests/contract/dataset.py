"""Ways to break the contract of a dataset."""

from __future__ import annotations

from tests.contract.breach import Breach


def _data(name: str, given: str, sentence: str) -> Breach:
    return Breach(f"data_{name}", f"@dataset\ndef BROKEN():\n    return {given}", sentence)


def _task(name: str, task: str, sentence: str) -> Breach:
    return _data(name, f"Data(ROWS, LABELS, {task})", sentence)


TWO = "{'a': LABELS, 'b': ROWS[:, 0]}"
TASKS = "{'a': Task.binary(), 'b': Task.regression()}"

BREACHES = (
    _data("heads_one_task", f"Data(ROWS, {TWO}, Task.binary())", "targets by name (a, b) and one"),
    _data("heads_one_target", f"Data(ROWS, LABELS, {TASKS})", "no dict of targets"),
    _data("heads_lack", f"Data(ROWS, {{'a': LABELS}}, {TASKS})", "no targets for the head 'b'"),
    _data("heads_more", f"Data(ROWS, {TWO}, {{'a': Task.binary()}})", "no task for the head 'b'"),
    _data("heads_none", "Data(ROWS, {}, {})", "a dict of tasks without any"),
    _data("heads_no_task", f"Data(ROWS, {TWO}, {{'a': 3, 'b': 4}})", "head 'a' says int, which"),
    _data(
        "heads_label",
        f"Data(ROWS, {{'a': LABELS + 1, 'b': LABELS}}, {TASKS})",
        "head 'a' has the label 2",
    ),
    _data(
        "heads_rows",
        f"Data(ROWS, {{'a': LABELS, 'b': ROWS[:5, 0]}}, {TASKS})",
        "heads that differ in their number of targets: 40 of 'a', 5 of 'b'",
    ),
    _data(
        "heads_dot",
        "Data(ROWS, {'a.b': LABELS}, {'a.b': Task.binary()})",
        "a head's name is text without '.'",
    ),
    _data("heads_val", "Data(ROWS, {'val_a': LABELS}, {'val_a': Task.binary()})", "the head 'val"),
    _data("set", "Data({1.0}, LABELS, Task.binary())", "features of type set"),
    _data("ragged", "Data([[1], [2, 3]] * 20, LABELS, Task.binary())", "of different shapes"),
    _data("words", "Data(ROWS, ['a', 'b'] * 20, Task.classification(3))", "has 2 classes (a, b)"),
    _data("word", "Data(ROWS, ['a', 'b'] * 20, Task.binary(('a', 'c')))", "target 'b', which"),
    _data(
        "both",
        "Data(__import__('tensorflow').data.Dataset.range(3), LABELS, Task.binary())",
        "targets beside it",
    ),
    _data(
        "numbers",
        "Data(__import__('tensorflow').data.Dataset.range(3), None, Task.binary())",
        "no pairs",
    ),
    _data("rows", "Data(ROWS[:5], LABELS, Task.binary())", "has 5 rows but 40 targets"),
    _data("no_rows", "Data(ROWS[:0], LABELS[:0], Task.binary())", "has no rows"),
    _data("point", "Data(np.float32(1.0), LABELS, Task.binary())", "features"),
    _data("zero_dim", "Data(np.array(1.0), LABELS, Task.binary())", "features of shape ()"),
    _data("zero_dim_targets", "Data(ROWS, np.array(1), Task.binary())", "targets of shape ()"),
    _data("no_columns", "Data(ROWS[:, :0], LABELS, Task.binary())", "features of shape (0,)"),
    _data("infinite", "Data(ROWS + np.inf, LABELS, Task.binary())", "infinite"),
    _data("missing", "Data(ROWS * np.nan, LABELS, Task.binary())", "missing values (NaN)"),
    _data("text", "Data(ROWS.astype(str), LABELS, Task.binary())", "they must be numbers"),
    _data("complex", "Data(ROWS.astype(complex), LABELS, Task.binary())", "complex"),
    _data("label", "Data(ROWS, LABELS + 1, Task.binary())", "the label 2"),
    _data("half_label", "Data(ROWS, LABELS / 2, Task.binary())", "the label 0.5"),
    _data("one_hot", "Data(ROWS, np.eye(2)[LABELS], Task.classification(2))", "not one-hot"),
    _data("one_label", "Data(ROWS, LABELS * 0, Task.binary())", "only the label 0"),
    _data("nan_target", "Data(ROWS, LABELS * np.nan, Task.regression())", "targets that are NaN"),
    _data("images", "Data(ROWS, ROWS[:, :, None], Task.regression(3))", "targets of shape (3, 1)"),
    _data("values", "Data(ROWS, ROWS, Task.regression(2))", "3 values a target"),
    _data("weights", "Data(ROWS, LABELS, Task.binary(), weights=LABELS[:3])", "shape (3,)"),
    _data("part", "Data(ROWS, LABELS, Task.binary(), part=LABELS + 2)", "a part for each"),
    _data("codes", "Data(LABELS, LABELS, Task.binary(), vocabulary={'x': 2})", "for no input"),
    _data(
        "code",
        "Data(LABELS[:, None] + 1, LABELS, Task.binary(), vocabulary={'features': 2})",
        "has the code 2",
    ),
    _data("pair", "(ROWS, LABELS)", "returned tuple, not Data or Splits"),
    _data("train", "Splits(None, None, None, Task.binary())", "train"),
    _data("half", "Splits(ROWS, None, None, Task.binary())", "train"),
    _task("no_task", "None", "no Task"),
    _task("task_kind", "Task('clasification', 2)", "did you mean 'classification'"),
    _task("task_word", "'binary'", "no Task"),
    _task("no_classes", "Task.classification(0)", "at least 1 output"),
    _task("one_class", "Task.classification(1)", "at least 2 classes"),
    _task("part_class", "Task.classification(2.5)", "whole number"),
    _task("names", "Task.classification(2, names=('a', 'b', 'c'))", "3 names for 2 classes"),
    _task("same_names", "Task.classification(2, names=('a', 'a'))", "the name 'a' twice"),
    _task("a_name", "Task.classification(2, names='ab')", "names"),
)
