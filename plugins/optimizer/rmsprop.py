"""Keras' RMSprop."""

from __future__ import annotations

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["RMSprop"])
def rmsprop(
    *,
    learning_rate: Positive = 0.001,
    rho: Decay = 0.9,
    momentum: Decay = 0.0,
    epsilon: NotNegative = 1e-7,
    centered: bool = False,
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
    """RMSprop: steps scaled by a running mean square of the gradient (Hinton 2012)."""
    return make("RMSprop", locals())
