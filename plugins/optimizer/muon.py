"""Keras' Muon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from runner import optimizer

from ._keras import Batches, Decay, Every, Limit, NotNegative, Positive, WeightDecay, make


@optimizer(aliases=["Muon"])
def muon(
    *,
    learning_rate: Positive = 0.001,
    adam_beta_1: Decay = 0.9,
    adam_beta_2: Decay = 0.999,
    adam_weight_decay: NotNegative = 0.004,
    epsilon: NotNegative = 1e-7,
    weight_decay: WeightDecay = 0.004,
    clipnorm: Limit = None,
    clipvalue: Limit = None,
    global_clipnorm: Limit = None,
    use_ema: bool = False,
    ema_momentum: Decay = 0.99,
    ema_overwrite_frequency: Every = None,
    loss_scale_factor: Limit = None,
    gradient_accumulation_steps: Batches = None,
    exclude_layers: Sequence[str] | None = None,
    exclude_embeddings: bool = True,
    muon_a: float = 3.4445,
    muon_b: float = -4.775,
    muon_c: float = 2.0315,
    adam_lr_ratio: Positive = 1.0,
    momentum: Decay = 0.95,
    ns_steps: Annotated[int, Ge(1)] = 5,
    nesterov: bool = True,
    rms_rate: Limit = 0.2,
) -> object:
    """Muon: orthogonal momentum for matrices, AdamW for the rest (Jordan et al. 2024).

    exclude_layers: patterns of layer names that AdamW trains too, such as `[head]`, which
    Muon's authors advise for the output layer.
    """
    return make("Muon", locals())
