"""Keras' ScheduleFreeAdamW."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["ScheduleFreeAdamW"])
def schedule_free_adamw(
    *,
    learning_rate: Positive = 0.0025,
    beta_1: Decay = 0.9,
    beta_2: Decay = 0.999,
    epsilon: NotNegative = 1e-8,
    warmup_steps: Annotated[int, Ge(0)] = 0,
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
    """AdamW that averages its iterates and needs no schedule (Defazio et al. 2024)."""
    return make("ScheduleFreeAdamW", locals())
