"""The digits run of `python -m runner` as one writes it by hand, without keeping anything.

    python benchmarks/by_hand.py [runs]

More runs than one are a loop over seeds and four learning rates. It is what benchmarks/command.py
compares the command with.
"""

import sys

import keras  # noqa: TID253
from sklearn.datasets import load_digits  # noqa: TID253
from sklearn.model_selection import train_test_split  # noqa: TID253

EPOCHS, BATCH_SIZE = 20, 32
RATES = (0.001, 0.0005, 0.002, 0.003)

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, stratify=y)
x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, stratify=y_rest)

for run in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    keras.utils.set_random_seed(run // len(RATES))
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(RATES[run % len(RATES)])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        x_train,
        y_train,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(x_val, y_val),
        verbose=0,
    )
    for name, part in (("val", (x_val, y_val)), ("test", (x_test, y_test))):
        loss, accuracy = model.evaluate(*part, verbose=0)
        print(f"{name} loss {loss:.4f}, accuracy {accuracy:.4f}")
