"""Ways to break the contract of an architecture."""

from __future__ import annotations

from tests.contract.breach import Breach

NET = "keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs)])"


def _made(name: str, given: str, sentence: str) -> Breach:
    source = f"""
@architecture
def BROKEN(input_shape, outputs):
    import keras
    return {given}
"""
    return Breach(f"net_{name}", source, sentence)


BREACHES = (
    _made("layer", "keras.layers.Dense(outputs)", "returned Dense, not a Keras model"),
    _made("no_callbacks", f"({NET}, None)", "returned None as its callbacks"),
    _made("odd_callbacks", f"({NET}, [5])", "int among its callbacks"),
    _made("three", f"({NET}, [], [])", "returned tuple"),
    _made(
        "width",
        "keras.Sequential([keras.Input(input_shape), keras.layers.Dense(7)])",
        "gives outputs of shape (7,)",
    ),
    _made(
        "inputs",
        "keras.Sequential([keras.Input((9,)), keras.layers.Dense(outputs)])",
        "does not take an input of shape (3,)",
    ),
    _made(
        "two",
        "(lambda x: keras.Model(x, [keras.layers.Dense(outputs)(x)] * 2))(keras.Input((3,)))",
        "gives 2 outputs",
    ),
    _made(
        "by_name",
        "(lambda x: keras.Model(x, {'y': keras.layers.Dense(outputs)(x)}))(keras.Input((3,)))",
        "gives outputs by name",
    ),
    Breach(
        "net_call",
        """
        @architecture
        def BROKEN():
            import keras
            class Empty(keras.Model):
                def call(self, x):
                    return None
            return Empty()
        """,
        "gives nothing for an input",
    ),
    Breach(
        "net_again",
        """
        import functools

        @functools.cache
        def _made_once(outputs):
            import keras
            return keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs)])

        @architecture
        def BROKEN(outputs):
            return _made_once(outputs)
        """,
        "returned a model or callback that it returned before",
        ("again",),
    ),
)
