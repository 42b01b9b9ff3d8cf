"""Ways to break the contract of a schedule."""

from __future__ import annotations

from tests.contract.breach import Breach


def _made(name: str, given: str, sentence: str) -> Breach:
    source = f"@schedule\ndef BROKEN(learning_rate):\n    import keras\n    return {given}"
    return Breach(f"rate_{name}", source, sentence)


BREACHES = (
    _made("function", "lambda step: 0.1", "returned a function, not a number"),
    _made("word", "'fast'", "returned str, not a number"),
    _made("flag", "True", "returned bool, not a number"),
    _made("negative", "-learning_rate", "learning rate of -0.001"),
    _made("nan", "float('nan')", "learning rate of nan"),
    _made("class", "keras.optimizers.schedules.CosineDecay", "returned the class CosineDecay"),
)
