"""Keras' Adagrad."""

from __future__ import annotations

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["Adagrad"])
def adagrad(
    *,
    learning_rate: Positive = 0.001,
    initial_accumulator_value: NotNegative = 0.1,
    epsilon: NotNegative = 1e-7,
    weight_decay: WeightDecay = None,
    clipnorm: Limit = None,
    clipvalue: Limit = None,
    global_clipnorm: Limit = None,
    use_ema: bool = False,
    ema_momentum: Decay = 0.99,
    ema_overwrite_frequency: Every = None,
    loss_scale_factor: Limit = None,
    gradient_accumulation_steps: Batches = None,
) -> object:
    """Adagrad: steps scaled by the sum of all squared gradients (Duchi et al. 2011)."""
    return make("Adagrad", locals())
