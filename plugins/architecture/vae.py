"""Examples through a few random numbers and back."""

from __future__ import annotations

import math
from typing import Annotated, Any

from annotated_types import Ge

from runner import Search, Task, architecture

from ._activations import Activation
from ._latent import End, Filters, Latent, Layers, Units, halves


@architecture
def vae(
    input_shape: tuple[int, ...],
    task: Task,
    seed: int,
    *,
    latent: Latent = 16,
    beta: Annotated[float, Ge(0), Search(0.01, 10.0, log=True)] = 1.0,
    layers: Layers = "auto",
    units: Units = (128,),
    filters: Filters = (16, 32),
    activation: Activation = "relu",
    output: End = "linear",
) -> Any:
    """A variational autoencoder (Kingma, Welling 2014): `latent` normal variables an example.

    For task=reconstruction. While it trains each is drawn from the mean and variance that the
    example gives; else it is the mean. To the run's loss, a mean over values, it adds `beta` times
    the divergence from a standard normal (metric kl, a sum over the variables), divided by the
    number of values as well. Its layers are those of the architecture autoencoder; the means are
    the layer "latent". arXiv:1312.6114; beta: Higgins et al. 2017, openreview.net Sy2fzU9gl.
    Raises ModelError for other tasks.
    """
    import keras

    both = halves(
        "vae",
        input_shape,
        task,
        layers=layers,
        units=units,
        filters=filters,
        activation=activation,
        output=output,
    )
    inputs = keras.Input(input_shape)
    down = both.down(inputs)
    mean = keras.layers.Dense(latent, name="latent")(down)
    log_variance = keras.layers.Dense(latent, name="log_variance")(down)
    # Standard normal in training, zero otherwise.
    drawn = keras.layers.GaussianNoise(1.0, seed=seed, name="drawn")(keras.ops.zeros_like(mean))
    outputs = both.up(mean + keras.ops.exp(log_variance / 2) * drawn)
    return _class_of(beta / math.prod(input_shape))(inputs, outputs)


def _class_of(factor: Any) -> Any:
    """The class of a run's model, which may be made anew of its layers, by dropout say.

    factor: what the divergence of an example counts in the loss.
    """
    import keras
    from keras import ops

    class VAE(keras.Model):  # type: ignore[misc]
        """An autoencoder whose loss has a divergence in it."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.moments = _moments(keras.Model(self.inputs[0], self.outputs[0]))
            self.kl = keras.metrics.Mean(name="kl")

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            mean, log_variance = self.moments(x, training=training)
            each = ops.square(mean) + ops.exp(log_variance) - 1 - log_variance
            divergence = ops.sum(each, axis=-1) / 2
            self.kl.update_state(divergence)
            return loss + factor * ops.mean(divergence)

    return VAE


def _moments(graph: Any) -> Any:
    """The model of the same layers that gives means and logarithms of variances."""
    import keras

    found: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        found[layer.name] = output = layer(*args, **kwargs)
        return output

    copy = keras.models.clone_model(graph, clone_function=lambda one: one, call_function=call)
    both = [found[name] for name in ("latent", "log_variance")]
    return keras.Model(copy.inputs[0], both, name="moments")
