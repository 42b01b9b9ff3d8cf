"""Ways to break the contract of an optimizer."""

from __future__ import annotations

from tests.contract.breach import Breach


def _made(name: str, given: str, sentence: str) -> Breach:
    source = f"@optimizer\ndef BROKEN():\n    import keras\n    return {given}"
    return Breach(f"step_{name}", source, sentence)


BREACHES = (
    _made("class", "keras.optimizers.Adam", "returned the class Adam, not a Keras optimizer"),
    _made("word", "'adam'", "returned str, not a Keras optimizer"),
    _made("config", "{'class_name': 'Adam'}", "returned dict, not a Keras optimizer"),
    _made("schedule", "keras.optimizers.schedules.CosineDecay(1, 1)", "returned CosineDecay"),
    _made("rate", "keras.optimizers.SGD(-0.1)", "learning rate of -0.1"),
    Breach(
        "step_given_rate",
        """
        @optimizer
        def BROKEN(*, learning_rate: float = 0.1):
            import keras
            return keras.optimizers.SGD(learning_rate)
        """,
        "learning rate of -1",
        ("optimizer.learning_rate=-1",),
    ),
    Breach(
        "step_again",
        """
        MADE = []

        @optimizer
        def BROKEN():
            import keras
            MADE.append(keras.optimizers.SGD(0.1))
            return MADE[0]
        """,
        "returned an optimizer that it returned before",
        ("again",),
    ),
)
