"""Keras' Adafactor."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Le

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["Adafactor"])
def adafactor(
    *,
    learning_rate: Positive = 0.001,
    beta_2_decay: Annotated[float, Le(0)] = -0.8,
    epsilon_1: NotNegative = 1e-30,
    epsilon_2: NotNegative = 0.001,
    clip_threshold: Positive = 1.0,
    relative_step: bool = True,
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
    """Adafactor: factored second moments, for little memory (Shazeer and Stern 2018).

    With relative_step the learning rate is an upper bound of the step that it finds itself.
    """
    return make("Adafactor", locals())
