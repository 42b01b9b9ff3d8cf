"""Ways to break the contract of a regularizer."""

from __future__ import annotations

from tests.contract.breach import Breach


def _does(name: str, line: str, sentence: str, given: str = "recipe") -> Breach:
    source = f"""
@regularizer
def BROKEN(recipe):
    import keras
    {line}
    return {given}
"""
    return Breach(f"recipe_{name}", source, sentence)


BREACHES = (
    _does("model", "pass", "returned Functional, not Recipe", "recipe.model"),
    _does("no_model", "recipe.model = None", "leaves the recipe a model that is None"),
    _does("no_loss", "recipe.loss = None", "leaves the recipe a loss that is None"),
    _does("no_optimizer", "recipe.optimizer = None", "leaves the recipe an optimizer that is"),
    _does("loss_word", "recipe.loss = 'mse'", "leaves the recipe a loss that is str"),
    _does("no_metrics", "recipe.metrics = None", "leaves the recipe metrics that are None"),
    _does("callbacks", "recipe.callbacks.append(5)", "int among the callbacks"),
    _does("typo", "recipe.optimiser = None", "a recipe has no 'optimiser'"),
    _does(
        "head",
        "recipe.model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(9)])",
        "gives outputs of shape (9,)",
    ),
    _does(
        "inputs",
        "recipe.model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])",
        "does not take an input of shape (3,)",
    ),
)
