"""Models with training steps, losses and optimizers of their own: honoured, or declined aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import runner
from runner.commands.evaluation import evaluate
from runner.config.compose import compose
from runner.data.prepare import load, prepare
from runner.engines import find_engine
from runner.errors import ModelError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.model.build import build
from runner.record.events import Event, Kept
from tests.conftest import Site
from tests.runner.pairs import apart, compared, events_of, job_of, resumed

OWN = '''
import numpy as np
from runner import Data, Task, architecture, dataset, regularizer

@regularizer
def plainly(recipe):
    """The same layers in a model of Keras' own class."""
    import keras
    recipe.model = keras.Model(recipe.model.inputs[0], recipe.model.outputs[0])
    return recipe

@architecture
def gan(input_shape, outputs):
    """A generator and its critic, an optimizer for each; it tells rows from noise."""
    import keras
    from keras import ops
    import tensorflow as tf

    class Gan(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
            self.critic = keras.Sequential(
                [keras.Input(input_shape), keras.layers.Dense(4, "tanh"),
                 keras.layers.Dropout(0.2), keras.layers.Dense(outputs)]
            )
            self.optimizers = {
                "generator": keras.optimizers.Adam(0.02), "critic": keras.optimizers.Adam(0.01)
            }
            self.seeds = keras.random.SeedGenerator(1)
            self.total = keras.metrics.Mean(name="loss")
            self.critics = keras.metrics.Mean(name="critic_loss")

        @property
        def metrics(self):
            return [self.total, self.critics]

        def call(self, x, training=False):
            return self.critic(x, training=training)

        def _both(self, x, training):
            noise = keras.random.normal((ops.shape(x)[0], 2), seed=self.seeds)
            real, fake = self.critic(x, training=training), self.critic(self.generator(noise))
            cost = ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
            return ops.mean(ops.softplus(-fake)), cost

        def train_step(self, data):
            x = data[0]
            with tf.GradientTape(persistent=True) as tape:
                cheat, cost = self._both(x, True)
            for name, loss, part in (
                ("generator", cheat, self.generator), ("critic", cost, self.critic)
            ):
                weights = part.trainable_weights
                self.optimizers[name].apply(tape.gradient(loss, weights), weights)
            self.total.update_state(cheat)
            self.critics.update_state(cost)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, data):
            cheat, cost = self._both(data[0], False)
            self.total.update_state(cheat)
            self.critics.update_state(cost)
            return {m.name: m.result() for m in self.metrics}
    return Gan()

@architecture
def elbo(input_shape, outputs):
    """An autoencoder with an optimizer for each half."""
    import keras
    from keras import ops
    import tensorflow as tf

    class Vae(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(4)])
            self.decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(outputs)])
            self.halves = [keras.optimizers.Adam(0.02), keras.optimizers.RMSprop(0.01)]

        def call(self, x, training=False):
            mean, spread = ops.split(self.encoder(x), 2, axis=-1)
            if training:
                mean = mean + ops.exp(spread / 2) * keras.random.normal(ops.shape(mean))
            return self.decoder(mean)

        def train_step(self, data):
            x, y = data
            with tf.GradientTape(persistent=True) as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            for half, part in zip(self.halves, (self.encoder, self.decoder)):
                half.apply(tape.gradient(loss, part.trainable_weights), part.trainable_weights)
            self._loss_tracker.update_state(loss, sample_weight=ops.shape(x)[0])
            return self.compute_metrics(x, y, self(x, training=False))
    return Vae()

def rows(kind):
    features = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    label = (features.sum(axis=1) > 0).astype("int64")
    return {
        "classification": lambda: Data(features, label, Task.classification(2)),
        "binary": lambda: Data(features, label, Task.binary()),
        "multilabel": lambda: Data(
            features, np.stack([label, 1 - label], axis=1), Task.multilabel(2)
        ),
        "regression": lambda: Data(
            features, features.sum(axis=1) + 0.1 * features[:, 0] ** 2, Task.regression()
        ),
        "same": lambda: Data(features, features, Task.regression(3)),
    }[kind]()

@dataset(identity=lambda kind: kind)
def of_kind(*, kind: str = "classification"):
    return rows(kind)

@architecture
def own(input_shape, outputs, *, step: str = "none", graph: bool = False, ends: bool = False):
    """A model that brings one step of its own."""
    import keras
    from keras import ops

    class Steps:
        pass

    class Train(Steps):
        def train_step(self, data):
            x, y, w = keras.utils.unpack_x_y_sample_weight(data)
            import tensorflow as tf
            with tf.GradientTape() as tape:
                loss = 3.0 * self.compute_loss(y=y, y_pred=self(x, training=True))
            grads = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply(grads, self.trainable_weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss, sample_weight=ops.shape(x)[0])
                else:
                    metric.update_state(y, self(x))
            return {m.name: m.result() for m in self.metrics if m.name == "loss"} | {
                k: v for k, v in self.get_metrics_result().items() if k != "loss"
            }

    class Test(Steps):
        def test_step(self, data):
            return {**super().test_step(data), "seven": ops.convert_to_tensor(7.0)}

    class Loss(Steps):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            usual = super().compute_loss(x, y, y_pred, sample_weight, training)
            return usual + 10.0

    class Shown(Steps):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {k: v + 100.0 for k, v in
                    super().compute_metrics(x, y, y_pred, sample_weight).items()}

        def get_metrics_result(self):
            return {k: v + 100.0 for k, v in super().get_metrics_result().items()}

    class Nameless(Steps):
        def train_step(self, data):
            return {"cost": super().train_step(data)["loss"]}

    class Compiled(Steps):
        def compile(self, critic_optimizer, loss):
            super().compile(critic_optimizer, loss)

    class Fit(Steps):
        def fit(self, *args, **kwargs):
            return super().fit(*args, **kwargs)

    mixin = {"none": Steps, "train_step": Train, "test_step": Test, "compute_loss": Loss,
             "compute_metrics": Shown, "fit": Fit, "nameless": Nameless, "compile": Compiled}[step]
    heads = {1: "sigmoid"}
    head = heads.get(outputs, "softmax") if ends else None
    if graph:
        class Graph(mixin, keras.Model):
            pass
        inputs = keras.Input(input_shape)
        return Graph(inputs, keras.layers.Dense(outputs, activation=head)(inputs))

    class Coded(mixin, keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(outputs)
            self.last = keras.layers.Activation(head or "linear")
        def call(self, x):
            return self.last(self.dense(x))
    return Coded()
'''
BASE = ("dataset=of_kind", "epochs=2", "regularizer=[]", "architecture=own", "batch_size=8")


@pytest.fixture
def own(site: Site) -> Site:
    """A site with models that bring steps of their own."""
    site.install(OWN)
    return site


def build_of(words: Sequence[str]) -> None:
    """Build what a command line asks for."""
    config, _ = compose(list(words))
    build(config, prepare(load(config), config))


def losses(events: Sequence[Event]) -> list[tuple[float, float | None]]:
    """Training and validation losses, epoch by epoch."""
    return [(e.loss, e.val_loss) for e in events if isinstance(e, EpochEnd)]


def trained(*words: str, engine: str = "fast") -> list[Event]:
    """All that the engine tells of a run of the own model."""
    events = events_of(job_of([*BASE, *words]), engine)
    end = events[-1]
    assert isinstance(end, RunEnd) and end.status == "finished", end
    return events


@pytest.mark.slow
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("kind", ["classification", "binary", "multilabel", "regression"])
def test_a_compute_loss_of_its_own_is_the_loss_in_every_task(
    own: Site, kind: str, graph: bool
) -> None:
    words = (f"dataset.kind={kind}", f"architecture.graph={graph}", "targets=raw")
    plain, more = (
        losses(trained(*words, f"architecture.step={step}")) for step in ("none", "compute_loss")
    )
    for (loss, val_loss), (other, other_val) in zip(plain, more, strict=True):
        assert other == pytest.approx(loss + 10, rel=1e-5)
        assert other_val == pytest.approx((val_loss or 0) + 10, rel=1e-5)


@pytest.mark.many
@pytest.mark.parametrize("step", ["train_step", "test_step", "compute_loss", "compute_metrics"])
@pytest.mark.parametrize("kind", ["classification", "binary", "multilabel", "regression"])
@pytest.mark.slow
def test_a_step_of_its_own_is_honoured_by_both_engines(own: Site, kind: str, step: str) -> None:
    words = [*BASE, f"dataset.kind={kind}", f"architecture.step={step}"]
    found = compared(words)
    kept = "keras (fast declines:" if step == "test_step" else "fast"
    assert found.engine.startswith(kept), found
    assert found.numbers < 1e-6, found.where
    plain, more = (
        [e for e in events_of(job_of([*words, *other]), "keras") if isinstance(e, EpochEnd)]
        for other in (["architecture.step=none", "targets=raw"], [])
    )
    if step == "test_step":
        assert more[-1].metrics["val"]["seven"] == 7
    elif step == "compute_metrics":
        assert all(value >= 100 for value in more[-1].metrics["train"].values())
    elif step == "train_step":
        assert more[0].loss > 1.5 * plain[0].loss
    else:
        assert more[0].loss > 10


NETS = {
    "gan": ("dataset.kind=binary", "architecture=gan"),
    "vae": ("dataset.kind=same", "architecture=elbo", "metrics=[mean_absolute_error]"),
}


@pytest.mark.many
@pytest.mark.parametrize("net", list(NETS))
@pytest.mark.parametrize("engines", [("fast", "fast"), ("keras", "keras"), ("keras", "fast")])
@pytest.mark.slow
def test_a_model_of_two_optimizers_goes_on_from_a_checkpoint_bit_for_bit(
    own: Site, net: str, engines: tuple[str, str]
) -> None:
    words = ("dataset=of_kind", "regularizer=[]", "batch_size=8", "epochs=4", *NETS[net])
    first, then = engines
    whole = events_of(job_of([*words, "checkpoint=2"]), then)
    again = resumed(words, first, then, epoch=2)
    start = again[0]
    assert isinstance(start, RunStart) and start.engine == then, start.engine_reason
    found = apart(words, *(_without_checkpoints(told) for told in (whole, again)))
    close = 0 if first == then else 1e-6
    assert max(found.numbers, found.weights) <= close, found.where


def _without_checkpoints(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if not (isinstance(e, Kept) and e.role == "checkpoint")]


@pytest.mark.slow
def test_packs_leave_such_models_to_engine_fast_and_say_why(own: Site) -> None:
    words = (*BASE, "architecture.step=compute_loss", "epochs=1")
    jobs = [
        replace(job, start=replace(job.start, run_id=f"run-{seed}"))
        for seed in (1, 2)
        for job in [job_of([*words, f"seed={seed}"])]
    ]
    jobs[1] = replace(jobs[1], data=jobs[0].data)
    events: list[Event] = []
    engine = find_engine("packed")
    with engine.ready(jobs[0].config.settings):
        engine.train(jobs, events.append)
    starts = [event for event in events if isinstance(event, RunStart)]
    reason = "packed declines: Coded has a compute_loss of its own"
    assert [(s.engine, s.engine_reason) for s in starts] == [("fast", reason)] * 2
    assert all(e.loss > 10 for e in events if isinstance(e, EpochEnd))


@pytest.mark.many
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("architecture.step=fit",), "the model Coded brings a fit of its own"),
        (("architecture.step=compile",), "the compile of Coded does not take optimizer, loss"),
        (
            ("architecture.step=test_step", "architecture.graph=true", "regularizer=[plainly]"),
            "regularizer 'plainly' puts a model of Keras' own class in the place of Graph, whose "
            "test_step would be lost",
        ),
        (
            ("architecture.step=compute_loss", "augmentation=[noise]"),
            "the model Coded brings a compute_loss of its own: leave augmentation out",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    own: Site, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        build_of([*BASE, *words])


def test_a_training_step_without_a_loss_is_one_sentence(own: Site) -> None:
    events = events_of(job_of([*BASE, "architecture.step=nameless", "architecture.ends=true"]))
    end = events[-1]
    assert isinstance(end, RunEnd)
    assert end.error is not None and end.traceback is None
    assert "the train_step of Coded gives cost, and no loss" in end.error


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_kept_model_is_the_one_that_was_evaluated(own: Site, results: Path) -> None:
    for words in (*NETS.values(), ("architecture=own", "architecture.step=train_step")):
        base = ("dataset=of_kind", "regularizer=[]", "epochs=2", "batch_size=8")
        outcome = runner.run([*base, *words, f"results={results}"])
        assert outcome.status == "finished", outcome.error
        again = evaluate(outcome.run_id, splits=["test"], results=results).metrics["test"]
        for name, value in again.items():
            assert outcome.evaluations["test"][name] == pytest.approx(value, rel=1e-5), name
