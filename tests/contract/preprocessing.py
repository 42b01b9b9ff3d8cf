"""Ways to break the contract of a preprocessing."""

from __future__ import annotations

from tests.contract.breach import Breach


def _gives(name: str, given: str, sentence: str, is_bug: bool = False) -> Breach:
    source = f"""
@preprocessing
def BROKEN(features):
    from keras import ops
    def change(x):
        return {given}
    return change
"""
    return Breach(f"prep_{name}", source, sentence, is_bug=is_bug)


BREACHES = (
    _gives("none", "None", "gives None"),
    _gives("constant", "np.zeros((4, 3))", "gives ndarray"),
    _gives("number", "3.0", "gives float"),
    _gives("summed", "ops.sum(x)", "lost the batch axis"),
    _gives("mean", "ops.mean(x, axis=0)", "lost the batch axis"),
    _gives("flat", "ops.reshape(x, (-1,))", "rows"),
    _gives("list", "[x, x]", "gives list"),
    _gives("nested", "{'a': {'b': x}}", "gives dict as 'a'"),
    _gives("numpy", "np.log(x)", "ValueError: A KerasTensor is symbolic", is_bug=True),
    _gives("raises", "1 / 0", "ZeroDivisionError", is_bug=True),
    _gives("nan", "ops.log(x)", "missing values (NaN)"),
    Breach(
        "prep_in_place",
        """
        @preprocessing
        def BROKEN(features):
            features -= features.mean(axis=0)
            return lambda x: x
        """,
        "read-only",
    ),
    Breach(
        "prep_targets",
        """
        @preprocessing
        def BROKEN(features, targets):
            targets[:] = 0
            return lambda x: x
        """,
        "read-only",
    ),
    Breach(
        "prep_args",
        """
        @preprocessing
        def BROKEN(features):
            return lambda x, y: x
        """,
        "one argument",
    ),
    Breach(
        "prep_codes",
        """
        @preprocessing
        def BROKEN(features):
            return Transform(lambda x: x, {"nobody": 3})
        """,
        "a vocabulary for no input",
    ),
    Breach(
        "prep_array",
        """
        @preprocessing
        def BROKEN(features):
            return features - features.mean(axis=0)
        """,
        "returned ndarray, not a function",
    ),
)
