"""Types of what engines compute with; Keras and TensorFlow give a checker none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Model: TypeAlias = Any  # keras.Model, compiled; in a pack a MemberModel
Callback: TypeAlias = Any  # keras.callbacks.Callback
Tensor: TypeAlias = Any  # tf.Tensor
Variable: TypeAlias = Any  # keras.Variable; in a pack a MemberVariable
Rows: TypeAlias = Any  # nested arrays or tensors, each (rows, ...): features, targets, weights
Index: TypeAlias = Any  # int64 (rows,): which rows, in which order
MemberIndex: TypeAlias = Any  # int64 (members, rows) or (steps, members, batch)
MemberNumbers: TypeAlias = Any  # float32 (members, numbers): learning rates, penalties
MemberValues: TypeAlias = Any  # (members, ...): a value of each member
Logs: TypeAlias = Mapping[str, Any]  # metric -> its value, as Keras gives it to callbacks
