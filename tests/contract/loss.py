"""Ways to break the contract of a loss."""

from __future__ import annotations

from tests.contract.breach import Breach


def _gives(name: str, given: str, sentence: str, is_bug: bool = False) -> Breach:
    source = f"""
@loss
def BROKEN():
    from keras import ops
    def cost(y_true, y_pred):
        return {given}
    return cost
"""
    return Breach(f"cost_{name}", source, sentence, ("metrics=[]",), is_bug)


BREACHES = (
    _gives("none", "None", "gives None"),
    _gives("word", "'high'", "gives str"),
    _gives("dict", "{'loss': 1.0}", "gives dict"),
    _gives("raises", "1 / 0", "ZeroDivisionError", is_bug=True),
    _gives("labels", "ops.cast(ops.sum(y_true), 'float32')", "does not depend on the outputs"),
    _gives("constant", "1.0", "does not depend on the outputs"),
    Breach(
        "cost_args",
        "@loss\ndef BROKEN():\n    return lambda y_pred: 0.0",
        "a function of (y_pred), and it takes (y_true, y_pred)",
    ),
    Breach(
        "cost_class",
        "@loss\ndef BROKEN():\n    import keras\n    return keras.losses.MeanSquaredError",
        "returned the class MeanSquaredError",
    ),
)
