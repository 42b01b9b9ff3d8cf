"""Keras' Ftrl."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Le

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["Ftrl"])
def ftrl(
    *,
    learning_rate: Positive = 0.001,
    learning_rate_power: Annotated[float, Le(0)] = -0.5,
    initial_accumulator_value: NotNegative = 0.1,
    l1_regularization_strength: NotNegative = 0.0,
    l2_regularization_strength: NotNegative = 0.0,
    l2_shrinkage_regularization_strength: NotNegative = 0.0,
    beta: NotNegative = 0.0,
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
    """Follow the regularized leader, for sparse linear models (McMahan et al. 2013)."""
    return make("Ftrl", locals())
