"""oneDNN's kernels, taken by name: the numbers of TensorFlow's own, and only where they pay."""

import platform

import numpy as np
import pytest

from runner.backend.onednn_private import NAMES, PREFIX, available, quick_kernels, why_not
from runner.backend.tensorflow_private import op_types
from runner.journal.records import EpochEnd, Evaluation
from tests.runner.pairs import events_of, job_of

ROUNDING = 2e-5
"""Of a gradient's largest number."""


@pytest.fixture(autouse=True)
def needs_kernels():
    import tensorflow as tf
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled

    if platform.machine() != "x86_64":
        pytest.skip("oneDNN's kernels by these names are in TensorFlow for x86")
    if IsMklEnabled():
        pytest.skip("TensorFlow takes oneDNN's kernels by itself on this processor")
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("there is a GPU")


def test_tensorflow_has_the_kernels_by_the_names_of_2_21():
    assert available(), "TensorFlow has oneDNN's kernels under other names than in 2.21"


def traced(function, *inputs, rows=None):
    """The function as a program, without the kernels and with them; rows: how many, if known."""
    import tensorflow as tf

    specs = [tf.TensorSpec([rows, *x.shape[1:]], x.dtype) for x in inputs]
    usual = tf.function(function).get_concrete_function(*specs)
    with quick_kernels():
        quick = tf.function(function).get_concrete_function(*specs)
    return usual, quick


def taken(program):
    """The kinds of op that the program takes from oneDNN."""
    return {kind.removeprefix(PREFIX) for kind in op_types(program.graph) if PREFIX in kind}


def agree(usual, quick, *inputs):
    import tensorflow as tf

    for mine, theirs in zip(
        tf.nest.flatten(quick(*inputs)), tf.nest.flatten(usual(*inputs)), strict=True
    ):
        largest = float(tf.reduce_max(tf.abs(theirs)))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=ROUNDING * largest)


def drawn(size, filters):
    """Three images of a size, and filters."""
    import tensorflow as tf

    draw = np.random.default_rng(0)
    return [tf.constant(draw.normal(size=shape), tf.float32) for shape in ((3, *size), filters)]


ALL = {"Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"}
CONVOLVED = {
    "square": ((14, 14, 16), (3, 3, 16, 32), 1, "SAME", ALL),
    "strides": ((32, 32, 8), (3, 3, 8, 32), 2, "VALID", ALL),
    "a row": ((1, 200, 16), (1, 5, 16, 32), 1, "SAME", ALL),
    "one channel": ((28, 28, 1), (5, 5, 1, 16), 1, "SAME", ALL - {"Conv2DBackpropInput"}),
    "little work": ((8, 8, 4), (3, 3, 4, 8), 1, "SAME", set()),
    "an edge": ((14, 14, 16), (3, 3, 16, 32), 1, [[0, 0], [2, 0], [1, 1], [0, 0]], set()),
}


@pytest.mark.parametrize("rows", [3, None], ids=["rows known", "rows unknown"])
@pytest.mark.parametrize(
    ("size", "filters", "stride", "edge", "expected"), CONVOLVED.values(), ids=CONVOLVED
)
def test_a_convolution_and_its_gradients_differ_by_rounding(
    size, filters, stride, edge, expected, rows
):
    import tensorflow as tf

    images, filters = drawn(size, filters)

    def convolve(images):
        with tf.GradientTape() as tape:
            tape.watch([images, filters])
            found = tf.nn.conv2d(images, filters, stride, edge)
            total = tf.reduce_sum(found * tf.sin(found))
        return found, tape.gradient(total, [images, filters])

    usual, quick = traced(convolve, images, rows=rows)
    assert taken(quick) == expected
    assert taken(usual) == set()
    agree(usual, quick, images)


@pytest.mark.parametrize(("channels", "holes"), [(16, 2), (4, 1)], ids=["holes", "groups"])
def test_what_the_kernels_do_not_do_stays_tensorflows(channels, holes):
    import tensorflow as tf

    images, filters = tf.zeros((3, 14, 14, 16)), tf.zeros((3, 3, channels, 32))
    _, quick = traced(lambda x: tf.nn.conv2d(x, filters, 1, "SAME", dilations=holes), images)
    assert taken(quick) == set()


POOLED = {
    "even": ((16, 12), (2, 2), (2, 2), "VALID"),
    "rows left over": ((17, 12), (2, 3), (2, 3), "VALID"),
    "an edge": ((17, 12), (2, 3), (2, 3), "SAME"),
    "windows that overlap": ((17, 17), (3, 3), (2, 2), "SAME"),
}


@pytest.mark.parametrize("rows", [5, None], ids=["rows known", "rows unknown"])
@pytest.mark.parametrize(("size", "window", "stride", "edge"), POOLED.values(), ids=POOLED)
def test_max_pooling_and_its_gradient_are_the_same_to_the_bit(size, window, stride, edge, rows):
    import tensorflow as tf

    # Many equal numbers: of several maxima the first one is meant.
    drawn = np.random.default_rng(0).integers(-2, 3, (5, *size, 8))
    images = tf.constant(np.maximum(drawn, 0), tf.float32)

    def pool(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            pooled = tf.nn.max_pool(images, window, stride, edge)
            places = tf.reshape(tf.range(tf.size(pooled)), tf.shape(pooled))
            total = tf.reduce_sum(pooled * tf.cast(places - 7, tf.float32))
        return pooled, tape.gradient(total, images)

    usual, quick = traced(pool, images, rows=rows)
    assert taken(quick) == {"MaxPool", "MaxPoolGrad"}
    for mine, theirs in zip(quick(images), usual(images), strict=True):
        assert np.array_equal(mine, theirs)


def network(images, filters):
    import tensorflow as tf

    found = tf.nn.max_pool(tf.nn.conv2d(images, filters, 1, "SAME"), 2, 2, "VALID")
    return tf.reduce_sum(found * found)


def test_gradients_have_gradients():
    import tensorflow as tf

    images, filters = drawn((14, 14, 16), (3, 3, 16, 32))

    def penalty(images):
        with tf.GradientTape() as outer:
            outer.watch(filters)
            with tf.GradientTape() as inner:
                inner.watch(images)
                loss = network(images, filters)
            steep = tf.reduce_sum(inner.gradient(loss, images) ** 2)
        return outer.gradient(steep, filters)

    usual, quick = traced(penalty, images)
    assert {"MaxPoolGrad", *ALL} <= taken(quick)
    agree(usual, quick, images)


def test_a_loop_has_a_gradient():
    import tensorflow as tf

    images, filters = drawn((14, 14, 16), (3, 3, 16, 32))

    def looped(images):
        def body(at, total):
            return at + 1, total + network(images * tf.cast(at + 1, tf.float32), filters)

        with tf.GradientTape() as tape:
            tape.watch([images, filters])
            _, total = tf.while_loop(lambda at, _: at < 3, body, [0, 0.0])
        return tape.gradient(total, [images, filters])

    usual, quick = traced(looped, images)
    assert {"MaxPoolGrad", *ALL} <= taken(quick)
    agree(usual, quick, images)


@pytest.mark.parametrize("rows", [0, None], ids=["rows known", "rows unknown"])
def test_no_rows_are_no_trouble(rows):
    import tensorflow as tf

    filters = tf.ones((3, 3, 16, 32))

    def step(images):
        with tf.GradientTape() as tape:
            tape.watch([images, filters])
            some = tf.boolean_mask(images, tf.reduce_max(images, axis=[1, 2, 3]) > 0)
            some.set_shape([rows, *some.shape[1:]])
            found = tf.nn.max_pool(tf.nn.conv2d(some, filters, 1, "VALID"), 2, 2, "SAME")
            total = tf.reduce_sum(found * found)
        return found, tape.gradient(total, [images, filters])

    usual, quick = traced(step, tf.zeros((0, 14, 14, 16)), rows=rows)
    assert taken(quick) == (set() if rows == 0 else {"MaxPool", "MaxPoolGrad", *ALL})
    empty = tf.zeros((0, 14, 14, 16))
    for mine, theirs in zip(
        tf.nest.flatten(quick(empty)), tf.nest.flatten(usual(empty)), strict=True
    ):
        assert np.array_equal(mine, theirs)
        assert mine.shape == theirs.shape


OTHERS = {
    "a function": lambda tf, function: tf.function(function),
    "for XLA": lambda tf, function: tf.function(function, jit_compile=True),
    "mapped": lambda tf, function: (
        lambda x: tf.vectorized_map(
            lambda row: function(row[None]), x, fallback_to_while_loop=False
        )
    ),
}


@pytest.mark.parametrize("of_others", OTHERS.values(), ids=OTHERS)
def test_functions_of_others_have_none_of_them(of_others):
    import tensorflow as tf

    images, filters = drawn((14, 14, 16), (3, 3, 16, 32))
    inner = of_others(tf, lambda images: network(images, filters))

    def penalty(images):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as tape:
                tape.watch(images)
                loss = tf.reduce_sum(inner(images))
            steep = tf.reduce_sum(tape.gradient(loss, images) ** 2)
        return steep, outer.gradient(steep, images)

    usual, quick = traced(penalty, images, rows=3)
    assert taken(quick) == set()
    agree(usual, quick, images)


def test_a_gradient_that_xla_compiles_has_none_of_them():
    import tensorflow as tf

    images, filters = drawn((14, 14, 16), (3, 3, 16, 32))

    def step(images):
        with tf.GradientTape() as tape:
            tape.watch(filters)
            loss = network(images, filters)
        return tf.function(lambda: tape.gradient(loss, filters), jit_compile=True)()

    usual, quick = traced(step, images, rows=3)
    assert taken(quick) == {"Conv2D", "MaxPool"}
    agree(usual, quick, images)


def test_programs_may_be_traced_on_several_threads():
    import threading

    from runner.backend import onednn_private

    failed = []

    def trace():
        with quick_kernels():
            failed.append(onednn_private._home.get() is None)

    threads = [threading.Thread(target=trace) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [False] * 4
    assert onednn_private._home.get() is None


def test_what_a_user_switches_off_stays_off(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    # Before it looks for anything that an upgrade may have taken away.
    monkeypatch.setitem(NAMES.places, "is_usual", "tensorflow.moved_away:IsMklEnabled")
    assert not available.__wrapped__()
    assert why_not() == "TF_ENABLE_ONEDNN_OPTS=0 switches them off"


@pytest.mark.slow
def test_a_run_of_plain_kernels_has_none_of_them(monkeypatch):
    from runner.engines.fast.engine import SHARED

    SHARED.forget()
    words = (*CNN, "kernels=plain")
    assert told("fast", monkeypatch, words=words)[2] == set()
    assert told("fast", monkeypatch)[2] != set()  # no program is shared between the two


def test_under_op_determinism_convolutions_are_tensorflows_own(monkeypatch):
    import tensorflow as tf
    from tensorflow.python.framework import config

    monkeypatch.setattr(config, "is_op_determinism_enabled", lambda: True)
    images, filters = tf.zeros((3, 14, 14, 16)), tf.zeros((3, 3, 16, 32))
    _, quick = traced(lambda images: network(images, filters), images)
    assert taken(quick) == {"MaxPool"}


CNN = ("dataset=mnist5k", "architecture=cnn", "limit_batches=4", "epochs=2", "regularizer=[]")


def told(engine, monkeypatch, kernels=True, words=CNN):
    """Losses and evaluations of a small CNN on digits of 28 x 28, and what it took from oneDNN."""
    from runner.backend import onednn_private

    seen = set()
    usual = onednn_private._by_onednn

    def noted(op, *more):
        seen.add(op.type)
        return usual(op, *more)

    with monkeypatch.context() as patch:
        patch.setattr(onednn_private, "_by_onednn", noted)
        if not kernels:
            patch.setattr(onednn_private, "available", lambda: False)
        events = events_of(job_of(words, engine))
    losses = [event.loss for event in events if isinstance(event, EpochEnd)]
    found = [event.metrics for event in events if isinstance(event, Evaluation)]
    return losses, found, seen


@pytest.mark.slow
def test_fast_takes_them_and_the_losses_are_those_of_keras_to_rounding(monkeypatch):
    from tensorflow.python.ops import gen_nn_ops

    from runner.engines.fast.engine import SHARED

    usual = gen_nn_ops.conv2d, gen_nn_ops.max_pool
    SHARED.forget()
    losses, evaluated, seen = told("fast", monkeypatch)
    assert {"MaxPool", "MaxPoolGrad", "Conv2D", "Conv2DBackpropFilter"} <= seen
    assert (gen_nn_ops.conv2d, gen_nn_ops.max_pool) == usual  # as the reference wants them
    reference, by_reference, none = told("keras", monkeypatch)
    assert none == set()
    assert losses == pytest.approx(reference, rel=1e-4)
    for mine, theirs in zip(evaluated, by_reference, strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    SHARED.forget()
    plain = told("fast", monkeypatch, kernels=False)
    assert plain == (reference, by_reference, set())


def test_deterministic_runs_want_none_of_them():
    from dataclasses import replace

    from runner.config.compose import compose

    settings = compose(["dataset=iris"])[0].settings
    assert settings.quick_kernels
    assert not replace(settings, deterministic=True).quick_kernels
