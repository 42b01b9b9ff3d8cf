"""oneDNN's convolutions and max pooling, where TensorFlow has them and leaves them off.

TensorFlow for x86 holds two kernels for each of these ops and takes oneDNN's where the processor
has AVX512. On others (AVX2) oneDNN's are quicker as well, but TensorFlow's own switch
(`TF_ENABLE_ONEDNN_OPTS=1`) is for a whole process and slows small dense networks down. Here a
program that is traced takes them op by op, as TensorFlow's own rewriting of graphs does, by names
that TensorFlow does not promise; seen in 2.21. `tests/runner/test_onednn.py` fails with a sentence
when an upgrade takes something away.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

PREFIX = "_MklNative"
"""A kernel of oneDNN is an op with the name of TensorFlow's own behind this."""
INPUTS = {
    "Conv2D": ("input", "filter"),
    "Conv2DBackpropInput": ("input_sizes", "filter", "out_backprop"),
    "Conv2DBackpropFilter": ("input", "filter_sizes", "out_backprop"),
    "MaxPool": ("input",),
    "MaxPoolGrad": ("orig_input", "orig_output", "grad"),
}
"""The ops that have a twin, and the names of their inputs; a pooling's twins have one more."""
ATTRIBUTES = ("strides", "padding", "dilations", "ksize", "data_format")
WORK = 200_000
"""Multiplications a row from which on a convolution gains by it."""
POOLED = 1000
"""Numbers a row from which on a pooling does."""
FEW = 4
"""With so few channels, the gradient by the input does not."""

_is_on: contextvars.ContextVar[bool] = contextvars.ContextVar("onednn", default=False)


@contextlib.contextmanager
def quick_kernels() -> Iterator[None]:
    """What is traced meanwhile takes oneDNN's kernels where they are quicker.

    Convolutions differ by rounding (a millionth of the largest number); under op determinism they
    stay TensorFlow's own. Max pooling is the same to the bit. XLA knows none of these kernels.
    """
    if not available():
        yield
        return
    _install()
    token = _is_on.set(True)
    try:
        yield
    finally:
        _is_on.reset(token)


@functools.cache
def available() -> bool:
    """Whether there are such kernels that TensorFlow does not take by itself."""
    import tensorflow as tf
    from tensorflow.python.framework.kernels import get_registered_kernels_for_op
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled

    return (
        os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"
        and not IsMklEnabled()
        and not tf.config.list_logical_devices("GPU")
        and all(get_registered_kernels_for_op(PREFIX + kind).kernel for kind in INPUTS)
    )


@functools.cache
def _install() -> None:
    """Stand between TensorFlow and two of its functions, once a process."""
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import gen_nn_ops

    for name in ("conv2d", "max_pool"):
        setattr(gen_nn_ops, name, functools.partial(_quicker, getattr(gen_nn_ops, name)))
    for kind in INPUTS:
        ops.RegisterGradient(PREFIX + kind)(_gradient_of(kind))


def _quicker(usual: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the usual function gives, or its twin."""
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    found = usual(*args, **kwargs)
    if not _is_on.get() or not tf.is_symbolic_tensor(found):
        return found
    if GraphOrParentsInXlaContext(found.graph) or not _pays(found.op):
        return found
    return _twin(found.op).outputs[0]


def _pays(op: Any) -> bool:
    """Whether oneDNN's kernel does the same as this op, and sooner."""
    from tensorflow.python.framework.config import is_op_determinism_enabled

    rows, found = op.inputs[0].shape, op.outputs[0].shape
    alike = (
        op.outputs[0].dtype == "float32"
        and op.get_attr("data_format") == b"NHWC"
        and op.get_attr("padding") in (b"SAME", b"VALID")
        and rows.rank == 4
        and None not in [*rows[1:], *found[1:]]
    )
    if not alike:
        return False
    if op.type == "MaxPool":
        return bool(op.get_attr("ksize")[3] == 1 and math.prod(rows[1:]) >= POOLED)
    filters = op.inputs[1].shape
    return bool(
        None not in filters
        and filters[2] == rows[3]  # else it is in groups
        and set(op.get_attr("dilations")) == {1}
        and math.prod(found[1:]) * math.prod(filters[:3]) >= WORK
        and not is_op_determinism_enabled()
    )


def _twin(op: Any, *more: Any) -> Any:
    """The op again by oneDNN's kernel; more: inputs that only this one has.

    The op itself, of which nobody asks anything any more, is pruned before the program runs.
    """
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.python.eager.record import record_operation
    from tensorflow.python.framework import op_def_registry

    kind = PREFIX + op.type
    known = {attribute.name for attribute in op_def_registry.get(kind).attr}
    attributes = {name: value for name, value in op.node_def.attr.items() if name in known}
    attributes["_kernel"] = AttrValue(s=b"MklNameChangeOp")
    if "workspace_enabled" in known:
        attributes["workspace_enabled"] = AttrValue(b=True)
    twin = op.graph._create_op_internal(kind, [*op.inputs, *more], name="onednn", attrs=attributes)
    twin.outputs[0].set_shape(op.outputs[0].shape)
    # A tape learns of an op from the function that makes it, a loop's gradient by its name.
    backward = functools.partial(_gradient_of(op.type), twin)
    record_operation(kind, twin.outputs, twin.inputs, backward)
    return twin


def _gradient_of(kind: str) -> Callable[..., list[Any]]:
    return _pool_gradient if kind == "MaxPool" else _gradient


def _usual(op: Any) -> Any:
    """The op that this one is the twin of, again."""
    import tensorflow as tf

    kind = op.type.removeprefix(PREFIX)
    said = {name: op.get_attr(name) for name in ATTRIBUTES if name in op.node_def.attr}
    text = {name: value.decode() for name, value in said.items() if isinstance(value, bytes)}
    inputs = dict(zip(INPUTS[kind], op.inputs, strict=False))
    return getattr(tf.raw_ops, kind)(**inputs, **(said | text)).op


def _gradient(op: Any, *upstream: Any) -> list[Any]:
    """As of the usual op; of a convolution by oneDNN's kernels again."""
    from tensorflow.python.framework import ops

    usual = _usual(op)
    found = ops.gradient_registry.lookup(usual.type)(usual, *upstream)
    found = list(found) if isinstance(found, list | tuple) else [found]
    twins = [_twin(one.op).outputs[0] if _has_twin(one) else one for one in found]
    return twins + [None] * (len(op.inputs) - len(twins))


def _has_twin(found: Any) -> bool:
    if found is None or not found.op.type.startswith("Conv2D"):
        return False
    return bool(found.op.type != "Conv2DBackpropInput" or found.op.inputs[1].shape[2] > FEW)


def _pool_gradient(op: Any, upstream: Any, _: Any) -> list[Any]:
    """Max pooling's twin keeps where it found each maximum, and gives it to its gradient's."""
    import tensorflow as tf

    usual = tf.raw_ops.MaxPoolGrad(
        orig_input=op.inputs[0],
        orig_output=op.outputs[0],
        grad=upstream,
        **{name: op.get_attr(name) for name in ("ksize", "strides")},
        **{name: op.get_attr(name).decode() for name in ("padding", "data_format")},
    )
    return [_twin(usual.op, op.outputs[1]).outputs[0]]
