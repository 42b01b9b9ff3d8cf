"""The search of benchmarks/search_speed.py as one writes it with Keras Tuner or with Optuna.

    python benchmarks/other_searches.py keras-tuner|optuna TRIALS

It needs that package and TensorFlow, and nothing of ours. Data, space and network are those of
`python -m runner dataset=digits architecture=mlp regularizer=[dropout]`; each trial is built,
compiled and fitted, and its best val_loss counts. Prints JSON: the seconds of each trial and the
best.
"""

import itertools
import json
import sys
import tempfile
import time

import keras  # noqa: TID253
from sklearn.datasets import load_digits  # noqa: TID253
from sklearn.model_selection import train_test_split  # noqa: TID253

EPOCHS, BATCH_SIZE = 20, 32
UNITS = {"64": [64], "64-64": [64, 64], "128-64": [128, 64]}

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, stratify=y)
x_val, _, y_val, _ = train_test_split(x_rest, y_rest, test_size=0.5, stratify=y_rest)
FIT = {"batch_size": BATCH_SIZE, "epochs": EPOCHS, "verbose": 0}


def network(rate, dropout, units, optimizer):
    """The compiled model of a configuration."""
    model = keras.Sequential([keras.Input((64,))])
    for width in UNITS[units]:
        model.add(keras.layers.Dense(width, "relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(10, "softmax"))
    made = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[optimizer](rate)
    model.compile(made, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def by_keras_tuner(trials):
    """Its own loop, at random."""
    import keras_tuner

    def build(space):
        return network(
            space.Float("rate", 1e-4, 1e-1, sampling="log"),
            space.Float("dropout", 0, 0.5),
            space.Choice("units", list(UNITS)),
            space.Choice("optimizer", ["adam", "sgd"]),
        )

    times = [time.perf_counter()]

    class Timed(keras_tuner.RandomSearch):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        tuner = Timed(build, objective="val_loss", max_trials=trials, seed=0, directory=folder)
        times[0] = time.perf_counter()
        tuner.search(x_train, y_train, validation_data=(x_val, y_val), **FIT)
        best = tuner.oracle.get_best_trials(1)[0].score
    return times, best


def by_optuna(trials):
    """Its own loop, by TPE, as its examples have it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        model = network(
            trial.suggest_float("rate", 1e-4, 1e-1, log=True),
            trial.suggest_float("dropout", 0, 0.5),
            trial.suggest_categorical("units", list(UNITS)),
            trial.suggest_categorical("optimizer", ["adam", "sgd"]),
        )
        fitted = model.fit(x_train, y_train, validation_data=(x_val, y_val), **FIT)
        return min(fitted.history["val_loss"])

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    times = [time.perf_counter()]
    study.optimize(
        objective, trials, callbacks=[lambda study, trial: times.append(time.perf_counter())]
    )
    return times, study.best_value


times, best = {"keras-tuner": by_keras_tuner, "optuna": by_optuna}[sys.argv[1]](int(sys.argv[2]))
each = [after - before for before, after in itertools.pairwise(times)]
print(json.dumps({"each": each, "best": float(best)}))
