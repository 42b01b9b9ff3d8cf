"""The digits run of `python -m runner` as one writes it by hand, without keeping anything.

It is what benchmarks/command.py compares the command with.
"""

import keras  # noqa: TID253
from sklearn.datasets import load_digits  # noqa: TID253
from sklearn.model_selection import train_test_split  # noqa: TID253

EPOCHS, BATCH_SIZE = 20, 32

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, stratify=y)
x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, stratify=y_rest)

model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(64, "relu"),
        keras.layers.Dense(64, "relu"),
        keras.layers.Dense(10, "softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
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
