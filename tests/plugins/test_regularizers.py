"""Regularizers on models that never heard of them: structure, weights kept, penalties counted."""

from __future__ import annotations

import numpy as np
import pytest

from runner import ModelError, Recipe, Task
from runner.errors import ConfigError

# Keras hands NumPy 2 its variables in a way that NumPy will drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
CLASSES = Task.classification(3)


def sequential():
    from keras import Input, Sequential, layers

    return Sequential(
        [Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(4), layers.Dense(3)]
    )


def branches():
    """Two branches, a residual sum, activations as layer and as operation, a shared layer."""
    from keras import Input, Model, layers, ops

    inputs = Input((6,))
    shared = layers.Dense(6, activation="tanh", name="shared")
    a = layers.ReLU(name="relu_a")(layers.Dense(6, name="a")(shared(inputs)))
    b = ops.relu(layers.Dense(6, name="b")(shared(a)))
    c = layers.Add(name="sum")([a, b, inputs])
    return Model(inputs, layers.Dense(3, name="head")(layers.Concatenate()([c, a])))


def nested():
    """A backbone used twice, and a nested model that holds the output layer."""
    from keras import Input, Model, Sequential, layers

    inner = Input((6,))
    backbone = Model(inner, layers.Dense(6, activation="relu", name="inner")(inner), name="back")
    top = Sequential(
        [Input((6,)), layers.Dense(5, activation="relu"), layers.Dense(3)], name="top"
    )
    inputs = Input((6,))
    return Model(inputs, top(backbone(backbone(inputs))))


def convolutions():
    from keras import Input, Model, layers

    inputs = Input((8, 8, 2))
    x = layers.Conv2D(4, 3, activation="relu", padding="same", name="c1")(inputs)
    y = layers.Conv2D(4, 3, padding="same", use_bias=False, name="c2")(x)
    y = layers.BatchNormalization(name="own_norm")(y)
    y = layers.Activation("relu", name="own_relu")(layers.Add(name="sum")([x, y]))
    y = layers.SeparableConv2D(4, 3, activation="relu", name="sep")(y)
    y = layers.DepthwiseConv2D(3, activation="relu", name="depth")(y)
    return Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(y)))


def recurrent():
    from keras import Input, Model, layers

    inputs = Input((5, 4))
    x = layers.TimeDistributed(layers.Dense(4, activation="relu"), name="steps")(inputs)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    return Model(inputs, layers.Dense(3, name="head")(layers.GRU(4, name="gru")(x)))


def attention():
    from keras import Input, Model, layers

    inputs = Input((5,), dtype="int32")
    x = layers.Embedding(20, 8, name="embed")(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, name="mha")(x, x))
    x = layers.Dense(8, activation="gelu", name="mix")(x)
    return Model(inputs, layers.Dense(3, name="head")(layers.GlobalAveragePooling1D()(x)))


def dictionaries():
    """Two inputs by name."""
    from keras import Input, Model, layers

    inputs = {"one": Input((3,), name="one"), "two": Input((3,), name="two")}
    x = layers.Concatenate()([inputs["one"], inputs["two"]])
    x = layers.Dense(4, activation="relu", name="mix")(x)
    return Model(inputs, layers.Dense(3, name="head")(x))


def skipping():
    """The last hidden layer is added to the output, beside an output layer of its own."""
    from keras import Input, Model, layers

    inputs = Input((6,))
    hidden = layers.Dense(3, activation="relu", name="hidden")(inputs)
    sums = layers.Add()([hidden, layers.Dense(3, name="head")(hidden)])
    return Model(inputs, layers.Add(name="top")([sums, layers.Dense(3, name="wide")(inputs)]))


MODELS = {
    f.__name__: f
    for f in (
        sequential,
        branches,
        nested,
        convolutions,
        recurrent,
        attention,
        dictionaries,
        skipping,
    )
}
ON_MODELS = ["l1", "l2", "elastic_net", "max_norm", "dropout", "batch_norm"]


@pytest.fixture(params=MODELS)
def model(request):
    import keras

    keras.utils.set_random_seed(3)
    return MODELS[request.param]()


def batch(model, rows=4):
    rng = np.random.default_rng(0)

    def one(tensor):
        if "int" in tensor.dtype:
            return rng.integers(0, 20, (rows, *tensor.shape[1:]))
        return rng.normal(size=(rows, *tensor.shape[1:])).astype("float32")

    if len(model.inputs) > 1:
        return {tensor.name: one(tensor) for tensor in model.inputs}
    return one(model.inputs[0])


def recipe_of(model, task=CLASSES, loss=None):
    import keras

    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Recipe(model, loss, keras.optimizers.SGD(0.1))


def apply(make, name, recipe, **given):
    offers = {"task": CLASSES, "monitor": "val_loss", "mode": "min", "seed": 0}
    return make("regularizer", name, recipe=recipe, **offers | given)


def flat(model):
    """All layers, those of nested models too."""
    import keras

    found = []
    for layer in model.layers:
        found += flat(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def names(model):
    return [layer.name for layer in flat(model)]


def values(model, x):
    return np.asarray(model(x, training=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_MODELS)
def test_every_regularizer_works_on_every_model_and_it_trains(make, model, name):
    x = batch(model)
    before = {id(w): np.asarray(w) for w in model.weights}
    expected = values(model, x)
    recipe = apply(make, name, recipe_of(model))
    kept = {id(w): np.asarray(w) for w in recipe.model.weights if id(w) in before}
    assert kept.keys() == before.keys(), "weights are kept, the variables themselves"
    assert all(np.array_equal(kept[i], before[i]) for i in before)
    # A new batch normalization divides by sqrt(1 + epsilon) before it has seen anything.
    close = 1e-6 if name != "batch_norm" else 0.02
    assert values(recipe.model, x) == pytest.approx(expected, abs=close)
    recipe.model.compile(recipe.optimizer, recipe.loss, run_eagerly=True)
    loss = recipe.model.train_on_batch(x, np.array([0, 1, 2, 0]))
    assert np.isfinite(loss)


@pytest.mark.slow
def test_dropout_follows_every_hidden_activation_and_not_the_output(make):
    import keras

    after = {
        sequential: ["dense"],
        # An operation has an activation too; a shared layer is followed at both of its calls.
        branches: ["relu", "relu_a", "shared"],
        nested: ["dense", "inner"],
        convolutions: ["c1", "depth", "own_relu", "sep"],
        recurrent: ["both", "gru", "steps"],
        attention: ["mix"],
        dictionaries: ["mix"],
        skipping: ["hidden"],
    }
    for build, wanted in after.items():
        keras.utils.clear_session()
        changed = apply(make, "dropout", recipe_of(build()), rate=0.5).model
        dropouts = [la for la in flat(changed) if isinstance(la, keras.layers.Dropout)]
        assert all(layer.rate == 0.5 for layer in dropouts)
        assert {la.name for la in dropouts} == {f"{name}_dropout" for name in wanted}


@pytest.mark.slow
def test_dropout_drops_in_training_only(make):
    model = apply(make, "dropout", recipe_of(sequential()), rate=0.9).model
    x = batch(model, rows=50)
    assert np.array_equal(values(model, x), values(model, x))
    assert not np.array_equal(np.asarray(model(x, training=True)), values(model, x))


def test_dropout_of_a_model_without_hidden_layers_changes_nothing(make):
    model = make("architecture", "linear", input_shape=(4,), outputs=3)
    assert names(apply(make, "dropout", recipe_of(model)).model)[1:] == ["head"]


@pytest.mark.slow
def test_batch_norm_stands_between_kernel_and_activation(make):
    import keras

    keras.utils.clear_session()
    changed = apply(make, "batch_norm", recipe_of(sequential())).model
    assert names(changed)[1:] == [
        "dense",
        "dense_norm",
        "dense_activation",
        "dense_1",
        "dense_1_norm",
        "dense_2",
    ]
    changed = apply(make, "batch_norm", recipe_of(convolutions())).model
    norms = [la.name for la in flat(changed) if type(la).__name__ == "BatchNormalization"]
    assert sorted(norms) == ["c1_norm", "depth_norm", "own_norm", "sep_norm"]
    changed = apply(make, "batch_norm", recipe_of(recurrent())).model
    norms = [la.name for la in flat(changed) if type(la).__name__ == "BatchNormalization"]
    assert sorted(norms) == ["both_norm", "gru_norm", "steps_norm"]


def test_batch_norm_leaves_the_math_otherwise_equal(make):
    """With moving mean 0 and variance 1 - epsilon it is the identity."""
    import keras

    for build in MODELS.values():
        model = build()
        x = batch(model)
        expected = values(model, x)
        changed = apply(make, "batch_norm", recipe_of(model), epsilon=0.001).model
        for layer in flat(changed):
            if type(layer).__name__ == "BatchNormalization" and layer.name != "own_norm":
                layer.moving_variance.assign(keras.ops.full_like(layer.moving_variance, 0.999))
        assert values(changed, x) == pytest.approx(expected, abs=1e-5), build.__name__


def kernels(model):
    return [
        w
        for w in model.trainable_weights
        if any(word in w.name for word in ("kernel", "embeddings"))
    ]


@pytest.mark.parametrize("order", [["l1", "l2"], ["l2", "l1"], ["elastic_net"]])
def test_penalties_are_the_sums_of_their_formulas(make, model, order):
    params = {"l1": {"strength": 0.01}, "l2": {"strength": 0.02}}
    params["elastic_net"] = {"l1": 0.01, "l2": 0.02}
    recipe = recipe_of(model)
    for name in order:
        recipe = apply(make, name, recipe, **params[name])
    expected = sum(
        0.01 * np.abs(k).sum() + 0.02 * (np.asarray(k) ** 2).sum() for k in kernels(model)
    )
    assert len(recipe.model.losses) == len(kernels(model))
    assert float(sum(recipe.model.losses)) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("structural", ["dropout", "batch_norm"])
@pytest.mark.many
def test_penalties_are_still_counted_after_a_structural_change(make, model, structural):
    recipe = apply(make, "l2", recipe_of(model), strength=0.5)
    before = float(sum(recipe.model.losses))
    recipe = apply(make, structural, recipe)
    assert float(sum(recipe.model.losses)) == pytest.approx(before)
    # What the runner does afterwards: a head over the same layers.
    import keras

    head = keras.Model(
        recipe.model.inputs, keras.layers.Activation("softmax")(recipe.model.outputs[0])
    )
    assert float(sum(head.losses)) == pytest.approx(before)


def test_a_penalty_adds_to_the_architecture_s_own(make):
    import keras

    own = keras.regularizers.OrthogonalRegularizer(0.3)
    for first, name in ((keras.regularizers.L2(0.1), "l2"), (own, "l2")):
        layer = keras.layers.Dense(4, kernel_regularizer=first)
        model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(3)])
        before = float(sum(model.losses))
        recipe = apply(make, name, recipe_of(model), strength=0.2)
        mine = 0.2 * sum((np.asarray(k) ** 2).sum() for k in kernels(model))
        assert float(sum(recipe.model.losses)) == pytest.approx(before + mine, rel=1e-5)


@pytest.mark.slow
def test_a_penalty_changes_what_is_learned(make):
    import keras

    def trained(strength):
        keras.utils.set_random_seed(0)
        recipe = apply(make, "l2", recipe_of(sequential()), strength=strength)
        recipe.model.compile(recipe.optimizer, recipe.loss)
        x = batch(recipe.model, rows=32)
        recipe.model.fit(x, np.arange(32) % 3, epochs=2, verbose=0)
        return sum((np.asarray(k) ** 2).sum() for k in kernels(recipe.model))

    assert trained(0.5) < 0.8 * trained(0.0)


def test_max_norm_holds_every_unit_below_the_limit(make, model):
    recipe = apply(make, "max_norm", recipe_of(model), limit=0.1)
    recipe.model.compile(recipe.optimizer, recipe.loss, run_eagerly=True)
    recipe.model.train_on_batch(batch(model), np.array([0, 1, 2, 0]))
    for kernel in kernels(recipe.model):
        values = np.asarray(kernel)
        axes = tuple(range(values.ndim - 1))
        if "depthwise" in kernel.name:
            axes = (0, 1)
        elif "embedding" in kernel.name:
            axes = (-1,)
        assert np.sqrt((values**2).sum(axis=axes)).max() <= 0.1 + 1e-5, kernel.path


def test_max_norm_keeps_the_architecture_s_own_constraint(make):
    import keras

    layer = keras.layers.Dense(3, kernel_constraint="non_neg")
    model = keras.Sequential([keras.Input((4,)), layer])
    recipe = apply(make, "max_norm", recipe_of(model), limit=0.2)
    recipe.model.compile(recipe.optimizer, recipe.loss, run_eagerly=True)
    recipe.model.train_on_batch(batch(recipe.model), np.array([0, 1, 2, 0]))
    kernel = np.asarray(layer.kernel)
    assert (kernel >= 0).all()
    assert np.sqrt((kernel**2).sum(axis=0)).max() <= 0.2 + 1e-5


@pytest.mark.many
def test_all_of_them_together_train_and_save(make, model, tmp_path):
    import keras

    recipe = recipe_of(model)
    for name in ("batch_norm", "dropout", "l1", "l2", "max_norm"):
        recipe = apply(make, name, recipe)
    recipe.model.compile(recipe.optimizer, recipe.loss, run_eagerly=True)
    x = batch(model)
    recipe.model.train_on_batch(x, np.array([0, 1, 2, 0]))
    expected = values(recipe.model, x)
    recipe.model.compile()
    recipe.model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert values(again, x) == pytest.approx(expected, abs=1e-6)


def subclassed():
    import keras

    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(3)

        def call(self, inputs):
            return self.layer(inputs)

    return Mine()


def own_constructor():
    import keras

    class Backbone(keras.Model):
        def __init__(self, width):
            inputs = keras.Input((6,))
            x = keras.layers.Dense(width, activation="relu")(inputs)
            super().__init__(inputs, keras.layers.Dense(3)(x))

    return Backbone(4)


def unbuilt():
    import keras

    return keras.Sequential([keras.layers.Dense(3)])


@pytest.mark.parametrize("name", ON_MODELS)
def test_a_subclassed_model_is_one_sentence(make, name):
    with pytest.raises(ModelError, match=rf"regularizer={name} .*Mine, a subclassed") as told:
        apply(make, name, recipe_of(subclassed()))
    assert "\n" not in str(told.value)
    with pytest.raises(ModelError, match=r"begin it with keras\.Input"):
        apply(make, name, recipe_of(unbuilt()))


@pytest.mark.parametrize("name", ["dropout", "batch_norm"])
def test_a_model_whose_class_cannot_be_made_anew_is_one_sentence(make, name):
    with pytest.raises(ModelError, match=r"Backbone .*constructor"):
        apply(make, name, recipe_of(own_constructor()))


def test_penalties_work_on_a_class_with_its_own_constructor(make):
    recipe = apply(make, "l2", recipe_of(own_constructor()))
    assert len(recipe.model.losses) == 2


def smoothed(make, task, loss, y, p, amount=0.2):
    recipe = Recipe(None, loss, None)
    changed = make("regularizer", "label_smoothing", recipe=recipe, task=task, amount=amount).loss
    return float(changed(y, p))


def test_label_smoothing_is_that_of_keras_where_keras_has_it(make):
    import keras

    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 8).astype("float32")
    y = rng.integers(0, 3, 8)
    right = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)(np.eye(3)[y], p)
    for name in ("auto", "categorical_crossentropy"):
        loss = make("loss", name, task=CLASSES)
        assert smoothed(make, CLASSES, loss, y, p) == pytest.approx(float(right), rel=1e-5)
    for task in (Task.binary(), Task.multilabel(3)):
        q = rng.uniform(0.1, 0.9, (8, task.outputs)).astype("float32")
        t = rng.integers(0, 2, (8, task.outputs)).astype("float32")
        right = keras.losses.BinaryCrossentropy(label_smoothing=0.2)(t, q)
        t = t[:, 0] if task.kind == "binary" else t
        loss = make("loss", "auto", task=task)
        assert smoothed(make, task, loss, t, q) == pytest.approx(float(right), rel=1e-5)


def test_label_smoothing_of_0_leaves_the_loss_alone(make):
    loss = make("loss", "auto", task=CLASSES)
    recipe = Recipe(None, loss, None)
    assert apply(make, "label_smoothing", recipe, amount=0).loss is loss


def test_label_smoothing_takes_a_function_as_loss(make):
    import keras

    y, p = np.array([0.0, 1.0]), np.array([[0.3], [0.8]], "float32")
    got = smoothed(make, Task.binary(), lambda t, q: keras.ops.mean((t - q) ** 2), y, p)
    assert got == pytest.approx(((0.1 - 0.3) ** 2 + (0.9 - 0.8) ** 2) / 2)


@pytest.mark.parametrize(
    ("task", "loss", "said"),
    [
        (Task.regression(), "mse", "needs classes, and the dataset's task is regression"),
        (Task.binary(), "hinge", "does not fit loss=hinge"),
        (CLASSES, "categorical_hinge", "does not fit"),
        (CLASSES, "circle", "does not fit"),
        (CLASSES, "categorical_generalized_cross_entropy", "cannot tell"),
    ],
)
def test_label_smoothing_where_it_makes_no_sense_is_one_sentence(make, task, loss, said):
    recipe = Recipe(None, make("loss", loss, task=task), None)
    with pytest.raises(ModelError, match=said):
        apply(make, "label_smoothing", recipe, task=task)


def test_early_stopping_watches_the_monitor_of_the_run(make):
    recipe = Recipe(None, None, None)
    given = {"monitor": "val_auc", "mode": "max", "patience": 2, "min_delta": 0.1}
    (callback,) = apply(make, "early_stopping", recipe, **given).callbacks
    assert (callback.monitor, callback.patience) == ("val_auc", 2)
    assert not callback.restore_best_weights
    model = sequential()
    model.compile(loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    stopped = []
    for epoch, value in enumerate([0.5, 0.7, 0.75, 0.78, 0.9]):
        callback.on_epoch_end(epoch, {"val_auc": value})
        stopped.append(model.stop_training)
    assert stopped == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("l2", {"strength": -1}),
        ("dropout", {"rate": 1.0}),
        ("early_stopping", {"patience": -1}),
        ("label_smoothing", {"amount": 1}),
        ("max_norm", {"limit": 0}),
        ("batch_norm", {"momentum": 1}),
        ("elastic_net", {"l1": "x"}),
    ],
)
def test_params_out_of_range_are_refused(make, name, params):
    with pytest.raises(ConfigError):
        apply(make, name, Recipe(None, None, None), **params)
