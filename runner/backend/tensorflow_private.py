"""Names of TensorFlow that TensorFlow does not promise; seen in 2.21.

`tf.vectorized_map` turns a function of one member into one of many, op by op. For a few ops it
has no rule where every member brings its own filters, seeds or bits; here are rules for them.
`vectorize` and `teach` raise Unsupported where a name of theirs is gone.
`tests/runner/backend/test_private.py` fails with a sentence when an upgrade takes one away.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.backend.names import Names, Unsupported

FILTERED = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "Conv2DBackpropInput",
    "Conv3DBackpropInputV2",
)
"""Ops that TensorFlow maps over members with equal filters, or by a loop; these are input 1."""
_TOO_LARGE = re.compile(r"OOM when allocating tensor with shape\S+|Shape \S+ would have [^\[]*\b")
_PFOR = "tensorflow.python.ops.parallel_for.pfor"
NAMES = Names(
    "tensorflow",
    "2.21",
    {
        "rules": f"{_PFOR}:_pfor_converter_registry",
        "wrap": f"{_PFOR}:wrap",
        "create_op": f"{_PFOR}:_create_op",
        **{
            name: f"{_PFOR}:_PforInput.{name}"
            for name in ("stacked_input", "input", "num_inputs", "get_attr", "op_type", "op")
        },
        "loop_len_vector": f"{_PFOR}:PFor.loop_len_vector",
        "clear_kernels": "tensorflow.python.eager.context:pywrap_tfe.TFE_ContextClearCaches",
        "op_def": "tensorflow.python.framework.op_def_registry:get",
    },
)


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


@contextlib.contextmanager
def kernels_kept() -> Iterator[None]:
    """Keep TensorFlow's kernels, optimized programs among them, whatever seeds are set meanwhile.

    Setting one throws them away, so that legacy random ops begin anew; a large program then takes
    seconds to be optimized again. For code that draws by stateless ops. Where TensorFlow's name
    for it is gone, they are thrown away.
    """
    try:
        owner, name = NAMES.owner("clear_kernels")
    except Unsupported:
        yield
        return
    clear = getattr(owner, name)
    setattr(owner, name, _nothing)
    try:
        yield
    finally:
        setattr(owner, name, clear)


def _nothing(*_: Any) -> None:
    """Do nothing."""


def too_large(error: BaseException) -> str:
    """What TensorFlow says of a tensor that no memory holds; empty for other errors."""
    found = _TOO_LARGE.search(str(error))
    return found[0] if found and type(error).__module__.startswith("tensorflow.") else ""


def _named(text: str) -> str:
    """The op that TensorFlow complains about, out of its long message."""
    for mark in ("vectorization defined for ", "converter defined for "):
        if mark in text:
            return f"there is no rule for {text.split(mark)[1].split()[0].strip('.,:')}"
    return text.partition("\n")[0]


@functools.cache
def _register() -> None:
    """Give TensorFlow the rules, once a process."""
    rules = NAMES["rules"]
    for name in FILTERED:
        rules[name] = functools.partial(_with_filters, rules.get(name))
    rules.setdefault("Bitcast", _bitcast)


def teach(graph: Any) -> None:
    """Let every stateless op of the graph that has no rule be done member by member.

    Raises NotMapped for an op with side effects.
    """
    NAMES.require()
    _register()
    rules = NAMES["rules"]
    for name in sorted(op_types(graph)):
        if name in rules or name in ("Placeholder", "Const", "NoOp"):
            continue
        known = NAMES["op_def"](name)
        if known is None or known.is_stateful:
            raise NotMapped(f"the op {name} has side effects or runs outside of TensorFlow")
        rules[name] = _random if name.startswith("Stateless") else _unrolled


def op_types(graph: Any) -> set[str]:
    """The kinds of op in a graph and in the functions that it calls."""
    body = graph.as_graph_def()
    kinds = {node.op for node in body.node}
    for function in body.library.function:
        kinds |= {node.op for node in function.node_def}
    return kinds


def _bitcast(op: Any) -> Any:
    import tensorflow as tf

    return NAMES["wrap"](tf.bitcast(op.stacked_input(0), op.get_attr("type")), True)


def _with_filters(rule: Any, op: Any, *rest: Any) -> Any:
    """A convolution: TensorFlow's rule where members share the filters, else one each."""
    return _unrolled(op) if rule is None or op.input(1).is_stacked else rule(op)


def _random(op: Any) -> Any:
    """A random op: each member draws from its own seed, or has drawn already."""
    import tensorflow as tf

    noise = _noise.get()
    draws = "Random" in op.op_type and "Key" not in op.op_type and "Alg" not in op.op_type
    draws |= op.op_type.startswith("StatelessTruncated")
    if noise is None or not draws:
        return _unrolled(op)
    if noise.graph is None:
        noise.given += 1
        return NAMES["wrap"](noise.draws[noise.given - 1], True)
    if tf.compat.v1.get_default_graph() is not noise.graph:
        raise NotMapped("random numbers are drawn inside of a loop")
    drawn = _unrolled(op)
    noise.draws.append(drawn[0].t)
    return drawn


def _unrolled(op: Any) -> Any:
    """The op once for each member."""
    import tensorflow as tf

    members = tf.get_static_value(op.pfor.loop_len_vector)
    if members is None:
        raise NotMapped(f"{op.op_type} would need a fixed number of members")
    inputs = [op.input(i) for i in range(op.num_inputs)]
    split = [tf.unstack(i.t, num=int(members[0])) if i.is_stacked else None for i in inputs]
    each = [
        NAMES["create_op"](
            op.op_type,
            [part[k] if part else i.t for part, i in zip(split, inputs, strict=True)],
            [output.dtype for output in op.outputs],
            attrs=op.op.node_def.attr,
        ).outputs
        for k in range(int(members[0]))
    ]
    return [NAMES["wrap"](tf.stack(outputs), True) for outputs in zip(*each, strict=True)]
