"""oneDNN's convolutions and max pooling, where TensorFlow has them and leaves them off.

TensorFlow for x86 holds two kernels for each of these ops and takes oneDNN's where the processor
has AVX512. On others (AVX2) oneDNN's are quicker as well, but TensorFlow's own switch
(`TF_ENABLE_ONEDNN_OPTS=1`) is for a whole process and slows small dense networks down. Here a
program that is traced takes them op by op, as TensorFlow's own rewriting of graphs does, by names
that TensorFlow does not promise; seen in 2.21. Where one of them is gone, TensorFlow's own kernels
are taken; `tests/runner/backend/test_onednn.py` then fails with a sentence.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from runner.backend.names import Names

PREFIX = "_MklNative"
"""An op of oneDNN's has the name of TensorFlow's own behind this."""
INPUTS = {
    "Conv2D": ("input", "filter"),
    "Conv2DBackpropInput": ("input_sizes", "filter", "out_backprop"),
    "Conv2DBackpropFilter": ("input", "filter_sizes", "out_backprop"),
    "MaxPool": ("input",),
    "MaxPoolGrad": ("orig_input", "orig_output", "grad"),
}
"""TensorFlow's ops that oneDNN has, too, and the names of their inputs."""
ATTRIBUTES = ("strides", "padding", "dilations", "ksize", "data_format")
LEAST_MULTIPLICATIONS = 200_000
"""A convolution gains from so many multiplications a row on."""
LEAST_NUMBERS = 1000
"""Max pooling gains from so many numbers a row on."""
FEW_CHANNELS = 4
"""With no more than these, the gradient by a convolution's input gains nothing."""

_INNER = "tensorflow.python.ops.control_flow_v2_func_graphs"
NAMES = Names(
    "tensorflow",
    "2.21",
    {
        "kernels_of": "tensorflow.python.framework.kernels:get_registered_kernels_for_op",
        "is_usual": "tensorflow.python.util._pywrap_util_port:IsMklEnabled",
        "conv2d": "tensorflow.python.ops.gen_nn_ops:conv2d",
        "max_pool": "tensorflow.python.ops.gen_nn_ops:max_pool",
        "gradients": "tensorflow.python.framework.ops:gradient_registry",
        "FuncGraph": "tensorflow.python.framework.func_graph:FuncGraph",
        "branch": f"{_INNER}:CondBranchFuncGraph",
        "body": f"{_INNER}:WhileBodyFuncGraph",
        "condition": f"{_INNER}:WhileCondFuncGraph",
        "is_for_xla": "tensorflow.python.ops.control_flow_util:GraphOrParentsInXlaContext",
        "is_deterministic": "tensorflow.python.framework.config:is_op_determinism_enabled",
        "op_def": "tensorflow.python.framework.op_def_registry:get",
        "create_op": "tensorflow.python.framework.ops:Graph._create_op_internal",
        "record": "tensorflow.python.eager.record:record_operation",
        "stop_recording": "tensorflow.python.eager.record:stop_recording",
    },
)

CHOOSING = {"Where", "DynamicPartition"}
"""Ops of which a mask or a router is made."""

_home: contextvars.ContextVar[Any] = contextvars.ContextVar("onednn", default=None)
"""The graph in which `quick_kernels` was entered; the outermost where nothing was traced."""
_lock = threading.Lock()
_usual_functions: dict[str, Any] = {}
"""TensorFlow's own functions, while ours stand in their places."""
_inside = 0
"""How many are tracing with them, on all threads."""


@contextlib.contextmanager
def quick_kernels(wanted: bool = True) -> Iterator[None]:
    """Have what is traced meanwhile take oneDNN's kernels where they are quicker, if wanted.

    Convolutions differ by rounding (a millionth of the largest number); under op determinism they
    stay TensorFlow's own. Max pooling is the same to the bit. Functions that are traced on the way
    keep TensorFlow's kernels: they may be called from elsewhere, mapped, exported or given to XLA.
    """
    import tensorflow as tf

    if not (wanted and available()):
        yield
        return
    with _in_place():
        token = _home.set(tf.compat.v1.get_default_graph())
        try:
            yield
        finally:
            _home.reset(token)


@functools.cache
def available() -> bool:
    """Whether there are such kernels that TensorFlow does not take by itself."""
    return why_not() is None


def why_not() -> str | None:
    """Why no kernels are taken by name, in a sentence; None where they are."""
    import tensorflow as tf

    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return "TF_ENABLE_ONEDNN_OPTS=0 switches them off"
    if tf.config.list_logical_devices("GPU"):
        return "there is a GPU, which has kernels of its own"
    if missing := NAMES.missing():
        return missing[0]
    if NAMES["is_usual"]():
        return "TensorFlow takes them by itself on this processor"
    if not all(NAMES["kernels_of"](PREFIX + kind).kernel for kind in INPUTS):
        return f"this TensorFlow has no ops {PREFIX}..., as its builds for x86 have"
    return None


@functools.cache
def _register_gradients() -> None:
    import tensorflow as tf

    for kind in INPUTS:
        tf.RegisterGradient(PREFIX + kind)(_gradient_of(kind))


@contextlib.contextmanager
def _in_place() -> Iterator[None]:
    """Stand between TensorFlow and two of its functions as long as anybody traces with it."""
    global _inside
    with _lock:
        _register_gradients()
        _inside += 1
        for key in () if _usual_functions else ("conv2d", "max_pool"):
            _usual_functions[key] = usual = NAMES[key]
            setattr(*NAMES.owner(key), functools.partial(_quicker, usual))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            while not _inside and _usual_functions:
                key, usual = _usual_functions.popitem()
                setattr(*NAMES.owner(key), usual)


def _quicker(usual: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The usual function's result, or the same by oneDNN."""
    import tensorflow as tf

    output = usual(*args, **kwargs)
    if not tf.is_symbolic_tensor(output) or not _is_ours(output.graph):
        return output
    return _by_onednn(output.op) if _can(output.op) and _pays(output.op) else output


def _is_ours(graph: Any) -> bool:
    """Whether it is the graph that is to have them, or a loop or a branch in it."""
    home, function = _home.get(), NAMES["FuncGraph"]
    if home is None or NAMES["is_for_xla"](graph):
        return False
    parts = (NAMES["branch"], NAMES["body"], NAMES["condition"])
    while not (mapped := _is_mapped(graph)) and isinstance(graph, parts):
        graph = graph.outer_graph
    if mapped:
        return False
    if isinstance(home, function):
        return graph is home
    return isinstance(graph, function) and graph.outer_graph is home


def _is_mapped(graph: Any) -> bool:
    """Whether `tf.vectorized_map` is looking at what its function does."""
    return any(name.startswith("loop_body") for name in graph.get_name_scope().split("/"))


def _can(op: Any) -> bool:
    """Whether oneDNN's op does the same as this one."""
    rows, output = op.inputs[0].shape, op.outputs[0].shape
    plain = (
        op.outputs[0].dtype == "float32"
        and op.get_attr("data_format") == b"NHWC"
        and op.get_attr("padding") in (b"SAME", b"VALID")
        and rows.rank == 4
        and rows[0] != 0
        and None not in [*rows[1:], *output[1:]]
    )
    if not plain or op.type == "MaxPool":
        return bool(plain and op.get_attr("ksize")[3] == 1)
    filters = op.inputs[1].shape
    without_holes = set(op.get_attr("dilations")) == {1}
    without_groups = None not in filters and filters[2] == rows[3]
    return bool(without_holes and without_groups)


def _pays(op: Any) -> bool:
    """Whether oneDNN's op is quicker, and wanted."""
    if op.type == "MaxPool":
        return bool(math.prod(op.inputs[0].shape[1:]) >= LEAST_NUMBERS)
    each, times = op.inputs[1].shape[:3], op.outputs[0].shape[1:]
    work = math.prod(each) * math.prod(times)
    return bool(work >= LEAST_MULTIPLICATIONS and not NAMES["is_deterministic"]())


def _by_onednn(op: Any, *more: Any) -> Any:
    """The op's result by oneDNN's; more: inputs that only that one has.

    The op itself, of which nobody asks anything any more, is pruned before the program runs.
    """
    import tensorflow as tf

    value_of = tf.compat.v1.AttrValue
    kind, shape = PREFIX + op.type, op.outputs[0].shape
    known = {attribute.name for attribute in NAMES["op_def"](kind).attr}
    attributes = {name: value for name, value in op.node_def.attr.items() if name in known}
    attributes["_kernel"] = value_of(s=b"MklNameChangeOp")
    if "workspace_enabled" in known:
        attributes["workspace_enabled"] = value_of(b=True)
    quick = NAMES.of(op.graph, "create_op")(
        kind, [*op.inputs, *more], name="onednn", attrs=attributes
    )
    output, *others = quick.outputs
    output.set_shape(shape)
    if op.type == "Conv2D" and shape[0] is None and _chooses_rows(op.graph):
        # Of no rows, oneDNN's convolution gives its input's shape.
        right, some = [0, *shape[1:]], tf.shape(op.inputs[0])[0] > 0
        with NAMES["stop_recording"]():
            output = tf.cond(some, lambda: quick.outputs[0], lambda: tf.zeros(right))
    # A tape learns of an op from the function that makes it, a loop's gradient by its name.
    backward = functools.partial(_gradient_of(op.type), quick)
    NAMES["record"](kind, [output, *others], quick.inputs, backward)
    return output


def _chooses_rows(graph: Any) -> bool:
    """Whether there are rows that were chosen by their values: there may be none of them."""
    if any(op.type in CHOOSING for op in graph.get_operations()):
        return True
    return isinstance(graph, NAMES["FuncGraph"]) and _chooses_rows(graph.outer_graph)


def _usual(op: Any) -> Any:
    """TensorFlow's own op in the place of this one of oneDNN's; what only that has is left out."""
    import tensorflow as tf

    kind = op.type.removeprefix(PREFIX)
    inputs = dict(zip(INPUTS[kind], op.inputs, strict=False))
    return getattr(tf.raw_ops, kind)(**inputs, **_attributes(op)).op


def _attributes(op: Any) -> dict[str, Any]:
    """The attributes of a convolution or a pooling, as TensorFlow's raw ops take them."""
    attributes = {name: op.get_attr(name) for name in ATTRIBUTES if name in op.node_def.attr}
    text = {name: value.decode() for name, value in attributes.items() if isinstance(value, bytes)}
    return attributes | text


def _gradient_of(kind: str) -> Callable[..., list[Any]]:
    return _pool_gradient if kind == "MaxPool" else _gradient


def _gradient(op: Any, *upstream: Any) -> list[Any]:
    """As TensorFlow has it for its own op; of a convolution by oneDNN again."""
    import tensorflow as tf

    usual = _usual(op)
    gradients = NAMES["gradients"].lookup(usual.type)(usual, *upstream)
    gradients = list(gradients) if isinstance(gradients, list | tuple) else [gradients]
    if _is_ours(tf.compat.v1.get_default_graph()):
        gradients = [_by_onednn(one.op) if _is_worth_it(one) else one for one in gradients]
    return gradients + [None] * (len(op.inputs) - len(gradients))


def _is_worth_it(gradient: Any) -> bool:
    if gradient is None or not gradient.op.type.startswith("Conv2D"):
        return False
    return gradient.op.type != "Conv2DBackpropInput" or bool(
        gradient.op.inputs[1].shape[2] > FEW_CHANNELS
    )


def _pool_gradient(op: Any, upstream: Any, _: Any) -> list[Any]:
    """oneDNN's max pooling keeps where it found each maximum, and gives it to its gradient."""
    import tensorflow as tf

    rows, (pooled, places) = op.inputs[0], op.outputs

    def usual() -> Any:
        return tf.raw_ops.MaxPoolGrad(
            orig_input=rows, orig_output=pooled, grad=upstream, **_attributes(op)
        )

    if not _is_ours(tf.compat.v1.get_default_graph()):
        return [usual()]
    # Of no rows, oneDNN's would end the process.
    some = tf.shape(rows)[0] > 0
    return [tf.cond(some, lambda: _by_onednn(usual().op, places), lambda: tf.zeros_like(rows))]
