"""Ways to break the contract of an augmentation."""

from __future__ import annotations

from tests.contract.breach import Breach


def _gives(
    name: str, given: str, sentence: str, takes: str = "features", is_bug: bool = False
) -> Breach:
    source = f"""
@augmentation
def BROKEN():
    from keras import ops
    def change({takes}):
        return {given}
    return change
"""
    return Breach(f"more_{name}", source, sentence, is_bug=is_bug)


BREACHES = (
    _gives("none", "None", "into others (None)"),
    _gives("rows", "ops.concatenate([features, features])", "4 rows of 2"),
    _gives("first", "features[:1]", "1 rows of 2"),
    _gives("shape", "features[:, :1]", "of shape (1,)"),
    _gives("type", "ops.cast(features, 'int32')", "int32"),
    _gives("word", "'x'", "into others (str)"),
    _gives("names", "x", "a function of (x)", "x"),
    _gives("only", "features", "gives features alone", "features, targets"),
    _gives("pair", "(features, features)", "into others (2 things)", "features"),
    _gives("three", "(features, targets, 1)", "gives 3 things", "features, targets"),
    _gives("no_targets", "(features, None)", "targets", "features, targets"),
    _gives("targets", "(features, targets[:, :1])", "targets", "features, targets"),
    _gives("fits", "ops.matmul(features, features)", "does not fit examples of shape (3,)"),
    _gives("raises", "1 / 0", "ZeroDivisionError", is_bug=True),
    Breach(
        "more_weights",
        """
        @augmentation
        def BROKEN():
            import keras
            return keras.layers.Dense(3)
        """,
        "has weights",
    ),
    Breach(
        "more_model",
        """
        @augmentation
        def BROKEN():
            import keras
            return keras.layers.Dense
        """,
        "returned the class Dense",
    ),
)
