"""The corners of Keras that it does not promise are still where we found them."""

from runner.keras_private import global_seed_state


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
