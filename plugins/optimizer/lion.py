"""Keras' Lion."""

from __future__ import annotations

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, Positive, WeightDecay, make


@optimizer(aliases=["Lion"])
def lion(
    *,
    learning_rate: Positive = 0.001,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.99,
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
    """Lion: steps by the sign of the momentum alone (Chen et al. 2023)."""
    return make("Lion", locals())
