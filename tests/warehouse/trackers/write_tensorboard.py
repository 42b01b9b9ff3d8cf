"""A run of Keras with two splits, one of TF2's own scalars, and one as TF1 wrote them.

    python write_tensorboard.py FOLDER

The real TensorFlow writes them, which asks the package tensorboard for it.
"""

from __future__ import annotations

import sys

import keras  # noqa: TID253
import numpy as np
import tensorflow as tf  # noqa: TID253
from tensorboard.plugins.hparams import (
    api as hp,
)

root = sys.argv[1]
x = np.random.default_rng(0).random((64, 4)).astype("float32")
y = (x.sum(1) > 2).astype("float32")
model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
place = f"{root}/fit <b>'q'"
callback = keras.callbacks.TensorBoard(place, write_graph=False, update_freq="batch")
history = model.fit(
    x, y, validation_split=0.25, epochs=3, batch_size=16, verbose=0, callbacks=[callback]
)
print(history.history)
with tf.summary.create_file_writer(place).as_default():
    hp.hparams({"lr": 0.0, "opt": "ad'am", "flag": False})
with tf.summary.create_file_writer(f"{root}/own").as_default():
    for step in range(0, 300, 100):
        tf.summary.scalar("Loss/train", 1 / (step + 1), step=step)
        tf.summary.scalar("Loss/val", 2 / (step + 1), step=step)
        tf.summary.scalar("never", float("nan"), step=step)
    tf.summary.text("config", "lr: 0.1 <b>", step=0)
with tf.Graph().as_default():
    writer = tf.compat.v1.summary.FileWriter(f"{root}/old")
    for step, loss in enumerate((1.0, 0.5, 0.0)):
        value = tf.compat.v1.Summary.Value(tag="eval/loss", simple_value=loss)
        writer.add_summary(tf.compat.v1.Summary(value=[value]), step * 500)
    writer.close()
