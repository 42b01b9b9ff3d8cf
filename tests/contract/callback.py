"""Ways to break the contract of a callback."""

from __future__ import annotations

from tests.contract.breach import Breach


def _made(name: str, given: str, sentence: str) -> Breach:
    source = f"@callback\ndef BROKEN():\n    import keras\n    return {given}"
    return Breach(f"call_{name}", source, sentence)


BREACHES = (
    _made("class", "keras.callbacks.EarlyStopping", "returned the class EarlyStopping, not a"),
    _made("function", "lambda epoch, logs: None", "returned a function, not a Keras callback"),
    _made("list", "[keras.callbacks.TerminateOnNaN()]", "returned list, not a Keras callback"),
    Breach(
        "call_again",
        """
        MADE_CALLBACKS = []

        @callback
        def BROKEN():
            import keras
            MADE_CALLBACKS.append(keras.callbacks.EarlyStopping())
            return MADE_CALLBACKS[0]
        """,
        "returned a callback that it returned before",
        ("again",),
    ),
)
