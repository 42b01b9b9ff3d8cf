"""What the runner uses of TensorFlow that TensorFlow does not promise; seen in 2.21.

`tf.vectorized_map` turns a function of one member into one of many, op by op. For a few ops it
has no rule where every member brings its own filters, seeds or bits; here are rules for them.
`tests/runner/test_private.py` fails with a sentence when an upgrade takes something away.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

FILTERED = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
)
"""Ops that TensorFlow maps over members with equal filters, or by a loop; these are input 1."""


class NotMapped(Exception):  # noqa: N818 - it says why, and is caught by who maps
    """The function has an op that cannot be mapped; the text names it."""


@dataclass
class Noise:
    """Random numbers of a mapped function, drawn apart from it.

    The same function is mapped twice: once to remember its draws, once to be given them.
    """

    graph: Any = None
    """The graph in which draws are remembered; None to hand out what is there."""
    draws: list[Any] = field(default_factory=list)
    """Stacked draws in the order in which the function's ops are mapped."""
    given: int = 0


_noise: contextvars.ContextVar[Noise | None] = contextvars.ContextVar("noise", default=None)


def vectorize(function: Callable[..., Any], stacked: Any, noise: Noise | None = None) -> Any:
    """`function` of one member's tensors, for all members at once: leading axis (members, ...).

    noise: where the random draws are remembered, or taken from; None draws them in place.

    Raises NotMapped naming the op that has no rule.
    """
    import tensorflow as tf

    if noise is None and all(tensor.shape[0] == 1 for tensor in tf.nest.flatten(stacked)):
        alone = tf.nest.map_structure(lambda tensor: tensor[0], tuple(stacked))
        return tf.nest.map_structure(lambda tensor: tf.expand_dims(tensor, 0), function(*alone))
    _register()
    token = _noise.set(noise)
    try:
        return tf.vectorized_map(
            lambda member: function(*member), tuple(stacked), fallback_to_while_loop=False
        )
    except ValueError as error:
        if "pfor" in str(error) or "No pfor vectorization" in str(error):
            raise NotMapped(_named(str(error))) from error
        raise
    finally:
        _noise.reset(token)


def _named(text: str) -> str:
    """The op that TensorFlow complains about, out of its long message."""
    for mark in ("vectorization defined for ", "converter defined for "):
        if mark in text:
            return f"there is no rule for {text.split(mark)[1].split()[0].strip('.,:')}"
    return text.partition("\n")[0]


@functools.cache
def _register() -> None:
    """Give TensorFlow the rules, once a process."""
    from tensorflow.python.ops.parallel_for import pfor

    rules = pfor._pfor_converter_registry
    for name in FILTERED:
        rules[name] = functools.partial(_with_filters, rules.get(name))
    rules.setdefault("Bitcast", _bitcast)


def teach(graph: Any) -> None:
    """Let every stateless op of the graph that has no rule be done member by member.

    Raises NotMapped for an op with side effects.
    """
    from tensorflow.python.framework import op_def_registry
    from tensorflow.python.ops.parallel_for import pfor

    _register()
    rules = pfor._pfor_converter_registry
    for name in sorted(op_types(graph)):
        if name in rules or name in ("Placeholder", "Const", "NoOp"):
            continue
        known = op_def_registry.get(name)
        if known is None or known.is_stateful:
            raise NotMapped(f"the op {name} has side effects or runs outside of TensorFlow")
        rules[name] = _random if name.startswith("Stateless") else _unrolled


def op_types(graph: Any) -> set[str]:
    """The kinds of op in a graph and in the functions that it calls."""
    body = graph.as_graph_def()
    found = {node.op for node in body.node}
    for function in body.library.function:
        found |= {node.op for node in function.node_def}
    return found


def _bitcast(op: Any) -> Any:
    import tensorflow as tf
    from tensorflow.python.ops.parallel_for import pfor

    return pfor.wrap(tf.bitcast(op.stacked_input(0), op.get_attr("type")), True)


def _with_filters(rule: Any, op: Any, *rest: Any) -> Any:
    """A convolution: TensorFlow's rule where members share the filters, else one each."""
    return _unrolled(op) if rule is None or op.input(1).is_stacked else rule(op)


def _random(op: Any) -> Any:
    """A random op: each member draws from its own seed, or has drawn already."""
    import tensorflow as tf
    from tensorflow.python.ops.parallel_for import pfor

    noise = _noise.get()
    draws = "Random" in op.op_type and "Key" not in op.op_type and "Alg" not in op.op_type
    draws |= op.op_type.startswith("StatelessTruncated")
    if noise is None or not draws:
        return _unrolled(op)
    if noise.graph is None:
        noise.given += 1
        return pfor.wrap(noise.draws[noise.given - 1], True)
    if tf.compat.v1.get_default_graph() is not noise.graph:
        raise NotMapped("random numbers are drawn inside of a loop")
    drawn = _unrolled(op)
    noise.draws.append(drawn[0].t)
    return drawn


def _unrolled(op: Any) -> Any:
    """The op once for each member."""
    import tensorflow as tf
    from tensorflow.python.ops.parallel_for import pfor

    members = tf.get_static_value(op.pfor.loop_len_vector)
    if members is None:
        raise NotMapped(f"{op.op_type} would need a fixed number of members")
    inputs = [op.input(i) for i in range(op.num_inputs)]
    split = [tf.unstack(i.t, num=int(members[0])) if i.is_stacked else None for i in inputs]
    each = [
        pfor._create_op(
            op.op_type,
            [part[k] if part else i.t for part, i in zip(split, inputs, strict=True)],
            [output.dtype for output in op.outputs],
            attrs=op.op.node_def.attr,
        ).outputs
        for k in range(int(members[0]))
    ]
    return [pfor.wrap(tf.stack(outputs), True) for outputs in zip(*each, strict=True)]


_tracing = threading.RLock()
"""Packs on several threads may be traced at the same time."""


@contextlib.contextmanager
def quick_gradients() -> Iterator[None]:
    """While a program is traced, gradients of ops that TensorFlow takes long for on a processor.

    They are the same numbers. Max pooling is the one there is: TensorFlow looks for each
    window's maximum a second time, one by one, which takes a third of a small network's step;
    with oneDNN it does not.
    """
    from tensorflow.python.framework import ops

    gradients = ops.gradient_registry._registry
    with _tracing:
        before = gradients["MaxPool"]
        gradients["MaxPool"] = before | {"type": functools.partial(_max_pool, before["type"])}
        try:
            yield
        finally:
            gradients["MaxPool"] = before


MANY = 9
"""Max pooling with more places in a window than that is left to TensorFlow."""


def _max_pool(usual: Callable[..., Any], op: Any, gradient: Any) -> Any:
    """The gradient of max pooling: to the first of the places that hold a window's maximum."""
    import tensorflow as tf
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled

    rows, pooled = op.inputs[0], op.outputs[0]
    _, height, width, _ = size = list(op.get_attr("ksize"))
    apart = (
        rows.shape.rank == 4
        and op.get_attr("padding") in (b"VALID", b"SAME")
        and size == list(op.get_attr("strides"))
        and size[0] == size[3] == 1
        and math.prod(size) <= MANY
        and op.get_attr("data_format") == b"NHWC"
        and None not in rows.shape[1:]
        and rows.shape[1] % height == rows.shape[2] % width == 0
    )
    if not apart or IsMklEnabled() or tf.config.list_logical_devices("GPU"):
        return usual(op, gradient)
    down, across, channels = rows.shape[1] // height, rows.shape[2] // width, rows.shape[3]
    windows = tf.reshape(rows, [-1, down, height, across, width * channels])
    left, lines = None, []
    for i in range(height):
        line = []
        for place in tf.split(windows[:, :, i], width, axis=-1):
            hit = tf.equal(place, pooled)
            mine = hit if left is None else tf.logical_and(left, hit)
            left = ~hit if left is None else tf.logical_and(left, ~hit)
            line.append(tf.where(mine, gradient, tf.zeros([], gradient.dtype)))
        lines.append(tf.concat(line, axis=-1))
    return tf.reshape(tf.stack(lines, axis=2), tf.shape(rows))
