"""Keras' SGD."""

from __future__ import annotations

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, Positive, WeightDecay, make


@optimizer(aliases=["SGD"])
def sgd(
    *,
    learning_rate: Positive = 0.01,
    momentum: Decay = 0.0,
    nesterov: bool = False,
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
    """Stochastic gradient descent, with momentum if asked (Robbins and Monro 1951)."""
    return make("SGD", locals())
