"""Keras' Lamb."""

from __future__ import annotations

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["Lamb"])
def lamb(
    *,
    learning_rate: Positive = 0.001,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.999,
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
    """LAMB: Adam with a step size for every layer, for large batches (You et al. 2019)."""
    return make("Lamb", locals())
