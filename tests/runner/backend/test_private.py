"""The corners of Keras and TensorFlow that they do not promise are where we found them."""

import numpy as np
import pytest

from runner.backend.keras_private import (
    NEUTRAL,
    backend_neutral,
    compute_loss,
    ever_trainable,
    global_seed_state,
    loss_tracker,
    variables_made,
)
from runner.backend.tensorflow_private import (
    FILTERED,
    Noise,
    NotMapped,
    kernels_kept,
    op_types,
    teach,
    vectorize,
)


@pytest.mark.slow
def test_layers_without_a_generator_draw_from_the_global_one():
    import keras

    keras.utils.clear_session()
    state = global_seed_state()
    assert tuple(state.shape) == (2,), "Keras' global seed generator is not as in 3.15"
    state.assign([1, 0])
    first = keras.random.normal((3,)).numpy()
    state.assign([1, 0])
    again = keras.random.normal((3,)).numpy()
    assert (first == again).all(), "keras.random no longer draws from the generator of 3.15"


def test_a_seed_that_is_set_throws_kernels_away_unless_they_are_kept():
    import tensorflow as tf

    def drawn():
        tf.random.set_seed(1)
        return float(tf.random.uniform([]))

    first = drawn()
    assert drawn() == first
    with kernels_kept():
        # The kernel of the op is the same, and goes on.
        assert drawn() != first, "TensorFlow throws its kernels away otherwise than in 2.21"
    assert drawn() == first


def test_frozen_variables_are_told_from_those_that_are_never_trained():
    import keras

    inputs = keras.Input((3,))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="kernel")])
    both = keras.layers.Bidirectional(keras.layers.GRU(1))
    x = keras.layers.BatchNormalization()(inner(inputs))
    model = keras.Model(inputs, both(keras.ops.expand_dims(x, -1)))
    free = [v.path for v in model.trainable_weights]
    model.trainable = False
    assert model.trainable_weights == []
    found = [v.path for v in ever_trainable(model)]
    assert sorted(found) == sorted(free), "Keras keeps a layer's trainable variables elsewhere"


def test_keras_optimizers_overrides_for_tensorflow_are_the_known_ones():
    from keras.src.backend.tensorflow.optimizer import TFOptimizer

    missing = [name for name in NEUTRAL if name not in vars(TFOptimizer)]
    assert missing == [], "Keras' TensorFlow optimizer overrides other methods than in 3.15"


def test_an_optimizers_step_is_a_function_of_values():
    import keras

    weight = keras.Variable(np.ones(3, "float32"))
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build([weight])
    slots = [variable.value for variable in optimizer.variables]
    with backend_neutral(optimizer):
        [after], _ = optimizer.stateless_apply(slots, [weight.value], [weight.value])
    assert after.numpy().tolist() == [0.5] * 3, "stateless_apply is not as in Keras 3.15"
    assert weight.numpy().tolist() == [1.0] * 3
    optimizer.apply([weight.value])
    assert weight.numpy().tolist() == [0.5] * 3, "the overriding methods are not put back"


def test_a_compiled_model_has_its_loss_and_the_running_mean_of_it():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    loss = compute_loss(model, x, y, model(x), None, training=True)
    assert float(loss) == pytest.approx(float(np.mean(np.asarray(model(x)) ** 2)))
    loss_tracker(model).update_state(loss)
    found = model.get_metrics_result()["loss"]
    assert float(found) == pytest.approx(float(loss)), "Keras keeps its running loss elsewhere"


def test_variables_and_their_initializers_are_seen_while_they_are_made():
    import keras

    with variables_made() as made:
        layer = keras.layers.Dense(2, use_bias=False)
        layer.build((None, 3))
    keras.layers.Dense(2).build((None, 3))
    assert len(made) == 1, "Keras initializes variables elsewhere than in 3.15"
    [(variable, initializer)] = made
    assert variable is layer.kernel
    assert initializer is layer.kernel_initializer


def test_convolutions_are_mapped_over_members_with_filters_of_their_own():
    import tensorflow as tf

    draw = np.random.Generator(np.random.Philox(key=[4, 1]))
    images = tf.constant(draw.normal(size=(2, 3, 5, 5, 2)).astype("float32"))
    filters = tf.constant(draw.normal(size=(2, 3, 3, 2, 4)).astype("float32"))

    def convolve(image, own):
        return tf.nn.conv2d(image, own, 1, "VALID")

    mapped = vectorize(convolve, (images, filters))
    for member in range(2):
        alone = convolve(images[member], filters[member])
        np.testing.assert_allclose(mapped[member], alone, rtol=1e-5, atol=1e-5)


def test_tensorflow_has_rules_for_ops_where_ours_are_put():
    from tensorflow.python.ops.parallel_for import pfor

    vectorize(lambda x: x, (np.zeros((2, 1), "float32"),))
    rules = pfor._pfor_converter_registry
    for name in (*FILTERED, "Bitcast"):
        assert name in rules, f"TensorFlow's rules are not where 2.21 has them: {name}"


def test_each_member_draws_from_its_own_seed_in_place_or_apart():
    import tensorflow as tf

    seeds = tf.constant([[1, 2], [3, 4]])

    def draw(seed):
        return tf.random.stateless_uniform((3,), seed)

    traced = tf.function(draw).get_concrete_function(seeds[0])
    assert any(name.startswith("StatelessRandom") for name in op_types(traced.graph))
    teach(traced.graph)

    @tf.function(autograph=False)
    def apart():
        noise = Noise(graph=tf.compat.v1.get_default_graph())
        vectorize(draw, (seeds,), noise)
        return vectorize(draw, (seeds,), Noise(draws=noise.draws)), vectorize(draw, (seeds,))

    expected = np.stack([draw(seed).numpy() for seed in seeds])
    for found in apart():
        assert np.array_equal(found, expected), "random ops are not mapped as in TensorFlow 2.21"


def test_an_op_with_side_effects_is_named():
    import tensorflow as tf

    def python(x):
        return tf.py_function(lambda value: value, [x], tf.float32)

    traced = tf.function(python).get_concrete_function(tf.zeros(2))
    with pytest.raises(NotMapped, match="the op EagerPyFunc has side effects"):
        teach(traced.graph)
