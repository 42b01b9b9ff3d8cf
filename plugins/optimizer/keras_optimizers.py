"""Keras' optimizers, each with its own params.

A param that Keras can leave out is null here; whatever a run sets goes to the class as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le

from runner import optimizer

from ._keras import (
    Batches,
    Decay,
    Every,
    FirstBeta,
    LearningRate,
    Limit,
    Momentum,
    NotNegative,
    OwnWeightDecay,
    Positive,
    WeightDecay,
    make,
)


@optimizer(aliases=["SGD"])
def sgd(
    *,
    learning_rate: LearningRate = 0.01,
    momentum: Momentum = 0.0,
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
    """Stochastic gradient descent, with momentum if asked (Robbins and Monro 1951).

    doi:10.1214/aoms/1177729586.
    """
    return make("SGD", locals())


@optimizer(aliases=["RMSprop"])
def rmsprop(
    *,
    learning_rate: LearningRate = 0.001,
    rho: Decay = 0.9,
    momentum: Momentum = 0.0,
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
    """RMSprop: steps scaled by a running mean square of the gradient (Hinton 2012).

    Lecture 6e of his course Neural Networks for Machine Learning.
    """
    return make("RMSprop", locals())


@optimizer(aliases=["Adam"])
def adam(
    *,
    learning_rate: LearningRate = 0.001,
    beta_1: FirstBeta = 0.9,
    beta_2: Decay = 0.999,
    epsilon: NotNegative = 1e-7,
    amsgrad: bool = False,
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
    """Adam: steps scaled by running moments of the gradient (Kingma and Ba 2014).

    arXiv:1412.6980.
    """
    return make("Adam", locals())


@optimizer(aliases=["AdamW"])
def adamw(
    *,
    learning_rate: LearningRate = 0.001,
    weight_decay: OwnWeightDecay = 0.004,
    beta_1: FirstBeta = 0.9,
    beta_2: Decay = 0.999,
    epsilon: NotNegative = 1e-7,
    amsgrad: bool = False,
    clipnorm: Limit = None,
    clipvalue: Limit = None,
    global_clipnorm: Limit = None,
    use_ema: bool = False,
    ema_momentum: Decay = 0.99,
    ema_overwrite_frequency: Every = None,
    loss_scale_factor: Limit = None,
    gradient_accumulation_steps: Batches = None,
) -> object:
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2017).

    arXiv:1711.05101.
    """
    return make("AdamW", locals())


@optimizer(aliases=["Adamax"])
def adamax(
    *,
    learning_rate: LearningRate = 0.001,
    beta_1: FirstBeta = 0.9,
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
    """Adam with the maximum norm (Kingma and Ba 2014).

    arXiv:1412.6980, section 7.1.
    """
    return make("Adamax", locals())


@optimizer(aliases=["Nadam"])
def nadam(
    *,
    learning_rate: LearningRate = 0.001,
    beta_1: FirstBeta = 0.9,
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
    """Adam with Nesterov momentum (Dozat 2015).

    Incorporating Nesterov Momentum into Adam, 2015.
    """
    return make("Nadam", locals())


@optimizer(aliases=["Adagrad"])
def adagrad(
    *,
    learning_rate: LearningRate = 0.001,
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
    """Adagrad: steps scaled by the sum of all squared gradients (Duchi et al. 2011).

    Journal of Machine Learning Research 12, pages 2121 to 2159.
    """
    return make("Adagrad", locals())


@optimizer(aliases=["Adadelta"])
def adadelta(
    *,
    learning_rate: LearningRate = 0.001,
    rho: Decay = 0.95,
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
    """Adadelta: steps scaled by running means of past steps (Zeiler 2012).

    arXiv:1212.5701.
    """
    return make("Adadelta", locals())


@optimizer(aliases=["Adafactor"])
def adafactor(
    *,
    learning_rate: LearningRate = 0.001,
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
    arXiv:1804.04235.
    """
    return make("Adafactor", locals())


@optimizer(aliases=["Lamb"])
def lamb(
    *,
    learning_rate: LearningRate = 0.001,
    beta_1: FirstBeta = 0.9,
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
    """LAMB: Adam with a step size for every layer, for large batches (You et al. 2019).

    arXiv:1904.00962.
    """
    return make("Lamb", locals())


@optimizer(aliases=["Lion"])
def lion(
    *,
    learning_rate: LearningRate = 0.001,
    beta_1: FirstBeta = 0.9,
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
    """Lion: steps by the sign of the momentum alone (Chen et al. 2023).

    arXiv:2302.06675.
    """
    return make("Lion", locals())


@optimizer(aliases=["Ftrl"])
def ftrl(
    *,
    learning_rate: LearningRate = 0.001,
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
    """Follow the regularized leader, for sparse linear models (McMahan et al. 2013).

    doi:10.1145/2487575.2488200.
    """
    return make("Ftrl", locals())


@optimizer(aliases=["Muon"])
def muon(
    *,
    learning_rate: LearningRate = 0.001,
    adam_beta_1: Decay = 0.9,
    adam_beta_2: Decay = 0.999,
    adam_weight_decay: NotNegative = 0.004,
    epsilon: NotNegative = 1e-7,
    weight_decay: OwnWeightDecay = 0.004,
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
    momentum: Momentum = 0.95,
    ns_steps: Annotated[int, Ge(1)] = 5,
    nesterov: bool = True,
    rms_rate: Limit = 0.2,
) -> object:
    """Muon: orthogonal momentum for matrices, AdamW for the rest (Jordan et al. 2024).

    exclude_layers: patterns of layer names that AdamW trains too, such as `[head]`, which
    Muon's authors advise for the output layer. https://kellerjordan.github.io/posts/muon/
    """
    return make("Muon", locals())


@optimizer(aliases=["ScheduleFreeAdamW"])
def schedule_free_adamw(
    *,
    learning_rate: LearningRate = 0.0025,
    beta_1: FirstBeta = 0.9,
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
    """AdamW that averages its iterates and needs no schedule (Defazio et al. 2024).

    arXiv:2405.15682.
    """
    return make("ScheduleFreeAdamW", locals())
