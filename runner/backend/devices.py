"""The devices that TensorFlow sees, and which of them a run uses."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from runner.errors import ConfigError, ModelError

REWRITES = (
    "constant_folding",
    "arithmetic_optimization",
    "remapping",
    "layout_optimizer",
)
"""Graph rewrites that reorder arithmetic."""
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@functools.cache
def import_tensorflow() -> None:
    """Import TensorFlow and find the devices, without its start-up notices.

    Raises ModelError where Keras has been imported with another backend.
    """
    new = "tensorflow" not in sys.modules
    if "keras" not in sys.modules:
        asked = os.environ.get("KERAS_BACKEND") or "tensorflow"
        if asked != "tensorflow":
            warnings.warn(f"KERAS_BACKEND={asked} is set aside: TensorFlow trains", stacklevel=2)
        # Also for a file of Keras' own in the home folder.
        os.environ["KERAS_BACKEND"] = "tensorflow"
    with without_notices(), without_collecting() if new else contextlib.nullcontext():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()
    if (backend := keras.backend.backend()) != "tensorflow":
        raise ModelError(
            f"Keras is in use with the backend {backend} in this process, and TensorFlow trains: "
            "set KERAS_BACKEND=tensorflow before anything imports Keras"
        )


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Keep collections from walking through what is made meanwhile and never goes: imports."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Hold back what TensorFlow says when it starts, unless the user asked for a log level.

    It comes from C++ before any logging can be set, so that only standard error as a whole can
    be held back; it is shown after all if something is raised.
    """
    if LOG_LEVEL in os.environ:
        yield
        return
    os.environ[LOG_LEVEL] = "2"
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            yield
        except (Exception, SystemExit):  # not of a Ctrl-C
            notices.seek(0)
            os.write(kept, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            # A process that this one starts would take it for the user's own wish.
            del os.environ[LOG_LEVEL]


def pick_device(wanted: str) -> tuple[str, str]:
    """TensorFlow's name of the device, such as /GPU:0, and ours for the record.

    wanted: auto (the first GPU, else the CPU), cpu, gpu or gpu:N; ConfigError for another.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Else the first process on a GPU takes all of its memory.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    name, _, number = wanted.lower().partition(":")
    if (name == "cpu" and not number) or (name == "auto" and not gpus):
        return "/CPU:0", "cpu"
    have = ["auto", "cpu", *(f"gpu:{i}" for i in range(len(gpus)))]
    index = number or "0"
    if name not in ("auto", "gpu") or not index.isdigit() or int(index) >= len(gpus):
        raise ConfigError(f"there is no device={wanted} here; available: {', '.join(have)}")
    details = tf.config.experimental.get_device_details(gpus[int(index)])
    return f"/GPU:{index}", f"gpu:{index} {details.get('device_name', '')}".strip()


def gpu_names() -> list[str]:
    """The GPUs that TensorFlow sees, by their makers' names."""
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]


@contextlib.contextmanager
def tensorflow_on(wanted: str, deterministic: bool) -> Iterator[str]:
    """Import TensorFlow and place what is made inside on the device; gives our name for it.

    wanted: the setting `device`. deterministic: turn op determinism on, for the rest of the
        process.
    """
    import_tensorflow()
    import tensorflow as tf

    place, device = pick_device(wanted)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        # Else a convolution's last bits depend on the program around it.
        tf.config.optimizer.set_experimental_options(dict.fromkeys(REWRITES, False))
    with tf.device(place):
        yield device


def gradient_of(function: Callable[[Any], Any], value: Any) -> Any:
    """The gradient of a function's number at a tensor; None where it does not depend on it."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value)


def tensor_of(array: Any, dtype: str) -> Any:
    """The array as a tensor of the type; text too, which Keras' own conversion does not take."""
    import tensorflow as tf

    return tf.constant(array, dtype=dtype)
