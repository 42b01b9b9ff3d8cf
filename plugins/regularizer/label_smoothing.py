"""Label smoothing."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Lt

from runner import ModelError, Recipe, Search, Task, regularizer

from .._targets import like_outputs, loss_on

UNFIT = ("hinge", "circle", "ctc")
"""Losses that read targets as signs or as numbers, not as probabilities."""


Amount = Annotated[float, Ge(0), Lt(1), Search(0.0, 0.2)]


@regularizer
def label_smoothing(recipe: Recipe, task: Task, *, amount: Amount = 0.1) -> Recipe:
    """Move this share of every target to all classes alike (Szegedy et al. 2016).

    Works for class numbers, yes or no, and labels; val_loss is smoothed as well, as in Keras. Of
    several heads, those with classes are smoothed. Raises ModelError for a regression and for
    losses that do not take probabilities. arXiv:1512.00567, section 7.
    """
    heads = task.heads or {"": task}
    losses = recipe.loss if isinstance(recipe.loss, dict) else {"": recipe.loss}
    with_classes = {name: one for name, one in heads.items() if one.kind != "regression"}
    if not with_classes:
        raise ModelError(
            "regularizer=label_smoothing needs classes, and the dataset's task is regression: "
            "leave it out"
        )
    if amount > 0:
        losses |= {
            name: _smoothed(losses[name], one, amount) for name, one in with_classes.items()
        }
        recipe.loss = losses if task.heads else losses[""]
    return recipe


def _smoothed(loss: Any, task: Task, amount: float) -> Any:
    """The loss on smoothed targets."""
    import keras

    dense = like_outputs(task)
    options = task.outputs if task.kind == "classification" else 2

    def smooth(y_true: Any, y_pred: Any) -> Any:
        return dense(y_true, y_pred) * (1 - amount) + amount / options

    name = getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))
    inner = getattr(loss, "inner", loss)
    if any(word in getattr(inner, "name", name) for word in UNFIT):
        raise ModelError(f"regularizer=label_smoothing does not fit loss={name}: take loss=auto")
    if task.kind == "classification" and inner is loss:
        if name != "sparse_categorical_crossentropy":
            raise ModelError(
                f"regularizer=label_smoothing cannot tell whether the loss {name} takes class "
                "numbers or probabilities: take loss=categorical_crossentropy or auto"
            )
        ignored = loss.get_config().get("ignore_class") if hasattr(loss, "get_config") else None
        if ignored is not None:
            raise ModelError(
                "regularizer=label_smoothing does not know loss.ignore_class: leave one out"
            )
        return loss_on(keras.losses.CategoricalCrossentropy(), smooth, task)
    if isinstance(inner, keras.losses.Loss):
        return loss_on(inner, smooth, task)

    def smoothed(y_true: Any, y_pred: Any) -> Any:
        return loss(smooth(y_true, y_pred), y_pred)

    smoothed.__name__ = name
    return smoothed
