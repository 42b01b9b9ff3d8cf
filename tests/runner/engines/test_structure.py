"""Networks that compute something else never share a program, whatever they differ in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runner.components.types import Recipe
from runner.engines.fast.engine import SHARED
from runner.engines.structure.symbols import Shape, shape_of
from tests.conftest import Site
from tests.runner.pairs import apart, events_of, job_of

Build = Callable[[Any, Any], Any]
"""From Keras and an input to an output."""


def shape(build: Build, loss: Any = "mse", optimizer: Any = None) -> Shape:
    """What a network of one input is taken apart into."""
    import keras

    keras.utils.clear_session()
    inputs = keras.Input((4, 3))
    made = build(keras, inputs)
    model = made if isinstance(made, keras.Model) else keras.Model(inputs, made)
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    model.compile(optimizer, loss)
    return shape_of(Recipe(model=model, loss=loss, optimizer=optimizer))


def dense(**flags: Any) -> Build:
    return lambda keras, x: keras.layers.Dense(2, **flags)(x)


def with_attribute(name: str, value: Any) -> Build:
    def build(keras: Any, x: Any) -> Any:
        layer = keras.layers.Dense(2)
        setattr(layer, name, value)
        return layer(x)

    return build


def with_weight(**flags: Any) -> Build:
    def build(keras: Any, x: Any) -> Any:
        class Scaled(keras.layers.Layer):  # type: ignore[misc]
            def build(self, shape: Any) -> None:
                self.scale = self.add_weight(shape=(shape[-1],), **flags)

            def call(self, x: Any) -> Any:
                return x * self.scale

        return Scaled()(x)

    return build


def of_a_class(factor: int) -> Build:
    def build(keras: Any, x: Any) -> Any:
        class Scaled(keras.layers.Layer):  # type: ignore[misc]
            times = factor

            def call(self, x: Any) -> Any:
                return x * self.times

        return Scaled()(x)

    return build


def hidden(axis: int) -> Build:
    """A layer that says in its config alone what it does."""

    def build(keras: Any, x: Any) -> Any:
        class Hidden(keras.layers.Layer):  # type: ignore[misc]
            __slots__ = ("axis",)

            def get_config(self) -> dict[str, Any]:
                return {"axis": self.axis}

            def call(self, x: Any) -> Any:
                return keras.ops.cumsum(x, axis=self.axis)

        layer = Hidden()
        object.__setattr__(layer, "axis", axis)
        return layer(x)

    return build


def of_a_subclass(activation: str) -> Build:
    def build(keras: Any, x: Any) -> Any:
        class Net(keras.Model):  # type: ignore[misc]
            pass

        return Net(x, keras.layers.Dense(2, activation=activation)(x))

    return build


def in_code(activation: str) -> Build:
    """A model whose layers are in no attribute of its own."""

    def build(keras: Any, x: Any) -> Any:
        class Net(keras.Model):  # type: ignore[misc]
            def call(self, x: Any) -> Any:
                return self.layers[0](x)

        net = Net()
        net._tracker.add_to_store("layers", keras.layers.Dense(2, activation=activation))
        return net(x)

    return build


PAIRS: dict[str, tuple[Build, Build]] = {
    "autocast": (dense(), dense(autocast=False)),
    "dtype policy": (dense(), dense(dtype="mixed_bfloat16")),
    "trained or not": (dense(), dense(trainable=False)),
    "masking": (
        with_attribute("supports_masking", True),
        with_attribute("supports_masking", False),
    ),
    "a weight's autocast": (with_weight(), with_weight(autocast=False)),
    "a class's attribute": (of_a_class(2), of_a_class(3)),
    "the config alone": (hidden(1), hidden(2)),
    "a subclassed graph": (of_a_subclass("tanh"), of_a_subclass("relu")),
    "layers out of sight": (in_code("tanh"), in_code("relu")),
    "an operation's axis": (
        lambda keras, x: keras.ops.cumsum(x, axis=1),
        lambda keras, x: keras.ops.cumsum(x, axis=2),
    ),
    "an operation's constant": (lambda keras, x: x * 2.0, lambda keras, x: x * 3.0),
}


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_networks_that_differ_in_one_attribute_have_structures_of_their_own(
    one: Build, other: Build
) -> None:
    first, again, second = (shape(build).structure for build in (one, one, other))
    assert first == again != second


@pytest.mark.slow
def test_a_number_of_an_operation_between_layers_is_a_number_of_the_program() -> None:
    one, other = (
        shape(lambda keras, x, slope=slope: keras.ops.leaky_relu(x, slope)) for slope in (0.1, 0.3)
    )
    assert one.structure == other.structure
    differ = {
        a: other.numbers[path] for path, a in one.numbers.items() if a != other.numbers[path]
    }
    assert differ == {0.1: 0.3}


@pytest.mark.slow
def test_a_rate_that_is_a_function_is_no_number_of_another_optimizer() -> None:
    import keras

    inputs = keras.Input((3,))
    structures = set()
    for rate in (0.1, lambda: 0.1, lambda: 0.2):
        model = keras.Model(inputs, keras.layers.Dense(2, name="head")(inputs), name="net")
        optimizer = keras.optimizers.SGD(rate)
        model.compile(optimizer, "mse")
        optimizer.build(model.trainable_variables)
        structures.add(shape_of(Recipe(model, "mse", optimizer)).structure)
    assert len(structures) == 3


@pytest.mark.slow
def test_losses_that_wrap_others_differ_as_those_do() -> None:
    import keras

    class Wrapping(keras.losses.Loss):  # type: ignore[misc]
        def __init__(self, loss: Any) -> None:
            super().__init__()
            self.loss = loss

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return self.loss(y_true, y_pred)

    one, other, same = (
        shape(dense(), Wrapping(kind()))
        for kind in (
            keras.losses.MeanSquaredError,
            keras.losses.MeanAbsoluteError,
            keras.losses.MeanSquaredError,
        )
    )
    assert one.structure == same.structure != other.structure


@pytest.mark.slow
def test_seeds_of_initializers_are_no_structure() -> None:
    one, other = (
        shape(
            lambda keras, x, s=s: dense(kernel_initializer=keras.initializers.HeNormal(s))(
                keras, x
            )
        )
        for s in (1, 2)
    )
    assert one.structure == other.structure


ARCHITECTURES = """
from runner import architecture

class Kept:
    '''What no config can say.'''
    factor = 2.0

@architecture
def casting(input_shape, outputs, *, autocast: bool = True):
    '''Casts its input to its own precision, or not.'''
    import keras
    class Wide(keras.layers.Layer):
        def call(self, x):
            return keras.ops.cast(x * 1.001 - 1.0, "float32")
    inputs = keras.Input(input_shape)
    x = Wide(autocast=autocast)(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs, dtype="float32")(x))

@architecture
def leaky(input_shape, outputs, *, axis: int = 1, slope: float = 0.1):
    '''Operations between its layers.'''
    import keras
    inputs = keras.Input(input_shape)
    x = keras.layers.Reshape((2, -1))(keras.layers.Dense(6)(inputs))
    x = keras.ops.leaky_relu(keras.ops.cumsum(x, axis=axis), slope)
    return keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Flatten()(x)))

@architecture
def unsaid(input_shape, outputs):
    '''A layer of which Keras cannot say what it was made of.'''
    import keras
    class Unsaid(keras.layers.Layer):
        def __init__(self, kept):
            super().__init__()
            self.kept = kept
        def call(self, x):
            return x * self.kept.factor
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(Unsaid(Kept())(inputs)))
"""
WORDS = ("dataset=iris", "epochs=2", "limit_batches=3", "regularizer=[]")
LINES = {
    "autocast": (
        *("architecture=casting", "precision=mixed_bfloat16"),
        ("architecture.autocast=true", "architecture.autocast=false"),
    ),
    "axis": ("architecture=leaky", ("architecture.axis=1", "architecture.axis=2")),
    "slope": ("architecture=leaky", ("architecture.slope=0.1", "architecture.slope=0.9")),
    "unsaid": ("architecture=unsaid", ("seed=0", "seed=1")),
}


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_runs_one_after_the_other_have_the_losses_that_each_has_alone(
    line: tuple[Any, ...], site: Site
) -> None:
    site.install(ARCHITECTURES)
    *words, members = line
    SHARED.forget()
    for member in members:
        job = job_of((*WORDS, *words, member))
        mine, reference = events_of(job, "fast"), events_of(job, "keras")
        found = apart([member], reference, mine)
        assert found.engine == "fast"
        assert found.numbers < 1e-5, found.where
