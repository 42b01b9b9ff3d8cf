"""Ways to break the contract of a metric."""

from __future__ import annotations

from tests.contract.breach import Breach


def _gives(name: str, given: str, sentence: str, is_bug: bool = False) -> Breach:
    source = f"""
@metric
def BROKEN():
    from keras import ops
    def measure(y_true, y_pred):
        return {given}
    return measure
"""
    return Breach(f"gauge_{name}", source, sentence, is_bug=is_bug)


def _result(name: str, given: str, sentence: str) -> Breach:
    source = f"""
@metric(mode="max")
def BROKEN():
    import keras
    from keras import ops
    class Gauge(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            pass
        def result(self):
            return {given}
    return Gauge(name="gauge_{name}")
"""
    return Breach(f"gauge_{name}", source, sentence)


BREACHES = (
    _gives("none", "None", "gives None"),
    _gives("word", "'good'", "gives str"),
    _gives("dict", "{'a': 1.0}", "gives dict"),
    _gives("raises", "1 / 0", "ZeroDivisionError", is_bug=True),
    _result("result_none", "None", "gives None"),
    _result("vector", "ops.ones((3,))", "gives an array of shape (3,)"),
    _result("by_name", "{'a': 1.0}", "gives dict"),
    Breach(
        "gauge_loss",
        """
        @metric(mode="min")
        def BROKEN():
            import keras
            return keras.metrics.SparseCategoricalAccuracy(name="loss")
        """,
        "is called 'loss'",
    ),
    Breach(
        "gauge_val",
        """
        @metric(mode="min")
        def BROKEN():
            import keras
            return keras.metrics.SparseCategoricalAccuracy(name="val_loss")
        """,
        "is called 'val_loss'",
    ),
    Breach(
        "gauge_list",
        "@metric\ndef BROKEN():\n    return [None]",
        "None among its metrics",
    ),
    Breach(
        "gauge_class",
        "@metric\ndef BROKEN():\n    import keras\n    return keras.metrics.MeanSquaredError",
        "returned the class MeanSquaredError",
    ),
    Breach(
        "gauge_args",
        "@metric\ndef BROKEN():\n    return lambda y: 0.0",
        "a function of (y), and it takes (y_true, y_pred)",
    ),
    Breach(
        "gauge_again",
        """
        MADE_METRICS = []

        @metric(mode="min")
        def BROKEN():
            import keras
            MADE_METRICS.append(keras.metrics.SparseCategoricalAccuracy())
            return MADE_METRICS[0]
        """,
        "returned a metric that it returned before",
        ("again",),
    ),
)
