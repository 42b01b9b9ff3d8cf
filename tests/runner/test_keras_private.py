"""The corners of Keras that it does not promise are still where we found them."""

from runner.keras_private import ever_trainable, global_seed_state


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
