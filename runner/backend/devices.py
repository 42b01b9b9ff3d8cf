"""The devices that TensorFlow sees, and which of them a run uses."""

from __future__ import annotations

import contextlib
import functools
import gc
import glob
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from runner.errors import ConfigError, ModelError
from runner.system.claims import claim
from runner.system.terminal import say

REWRITES = (
    "constant_folding",
    "arithmetic_optimization",
    "remapping",
    "layout_optimizer",
)
"""Graph rewrites that reorder arithmetic."""
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
CPUS = "SWEEPHOUSE_CPUS"
"""The processor as so many devices: to try out what several GPUs do, where there are none."""
AUTO, GPUS, ALL = "auto", "gpus", "all"
"""Of the setting `device`: the first device; one for each process; all for each run."""
_STRATEGY: ContextVar[Any] = ContextVar("strategy", default=None)


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
        split_processor()
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


@dataclass(frozen=True)
class Device:
    """One device that runs may use."""

    place: str
    """As TensorFlow has it: /GPU:0."""
    key: str
    """As the setting has it: gpu:0."""
    name: str = ""
    """Its maker's."""

    def __str__(self) -> str:
        return f"{self.key} {self.name}".strip()


def usable_devices() -> list[Device]:
    """The devices that runs may use: the GPUs; where there is none, the processor or its parts."""
    import tensorflow as tf

    import_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Else the first process on a GPU takes all of its memory.
        with contextlib.suppress(RuntimeError, ValueError):
            tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        seen = tf.config.get_visible_devices("GPU")
        number = {gpu.name: index for index, gpu in enumerate(gpus)}
        names = gpu_names()
        if len(tf.config.list_logical_devices("GPU")) == len(seen):
            return [
                Device(f"/GPU:{place}", f"gpu:{number[gpu.name]}", names[number[gpu.name]])
                for place, gpu in enumerate(seen)
            ]
    kind = "GPU" if gpus else "CPU"
    parts = range(len(tf.config.list_logical_devices(kind)))
    if kind == "CPU" and len(parts) == 1:
        return [Device("/CPU:0", "cpu")]
    return [Device(f"/{kind}:{part}", f"{kind.lower()}:{part}") for part in parts]


def usable_number() -> int:
    """How many devices runs may use; none of them is begun to be used."""
    import_tensorflow()
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        return len(gpus)
    [processor] = tf.config.list_physical_devices("CPU")
    return len(tf.config.get_logical_device_configuration(processor) or [processor])


def may_have_gpus() -> bool:
    """Whether this machine may have GPUs, as far as one can tell without TensorFlow."""
    files = ("/dev/nvidia[0-9]*", "/dev/dxg", "/dev/kfd")
    return sys.platform == "darwin" or any(map(glob.glob, files))


def usable_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def claim_one() -> Device:
    """The device, for good, of this process: one that fewest other processes have claimed.

    Of GPUs it then sees no other, and takes no memory on them.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = (
        visible.split(",") if visible.count(",") == len(gpus) - 1 else map(str, range(len(gpus)))
    )
    number = claim(
        [f"gpu:{name}" for name in names] if gpus else [f"cpu:{i}" for i in range(usable_number())]
    )
    if gpus:
        with contextlib.suppress(RuntimeError):  # in use: then the others are seen, but not used
            tf.config.set_visible_devices([gpus[number]], "GPU")
    usable = usable_devices()
    return usable[number if len(usable) > number else 0]


def split_processor() -> None:
    """Make of the processor as many devices as SWEEPHOUSE_CPUS says, if it does.

    Raises ConfigError where that is no number of devices, or TensorFlow is in use already.
    """
    import tensorflow as tf

    if not (asked := os.environ.get(CPUS)):
        return
    if not asked.isdigit() or int(asked) < 1:
        raise ConfigError(f"{CPUS}={asked} is not valid: give the number of devices, from 1 on")
    [processor] = tf.config.list_physical_devices("CPU")
    part = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(processor, [part] * int(asked))
        # Devices that wait for each other would else wait for a free thread, too.
        tf.config.threading.set_inter_op_parallelism_threads(8 * int(asked))
    except RuntimeError:
        raise ConfigError(f"{CPUS}={asked} comes too late: TensorFlow is in use already") from None


def pick_device(wanted: str) -> tuple[str, str]:
    """TensorFlow's name of the device, such as /GPU:0, and ours for the record.

    wanted: auto or gpus (the first that is usable), cpu, gpu or one's key; ConfigError for
        another.
    """
    usable, key = usable_devices(), wanted.lower()
    if key == "cpu":
        return "/CPU:0", "cpu"
    for device in usable:
        if key in (AUTO, GPUS, ALL, device.key, device.key.partition(":")[0]):
            return device.place, str(device)
    have = [AUTO, *dict.fromkeys(["cpu", *(device.key for device in usable)]), GPUS, ALL]
    raise ConfigError(f"there is no device={wanted} here; available: {', '.join(have)}")


def gpu_names() -> list[str]:
    """The GPUs that TensorFlow sees, by their makers' names."""
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]


@functools.cache
def _say_one(wanted: str, device: str) -> None:
    """Once a process."""
    say(f"device={wanted}: there is one device here, {device}, and it is used as by device=auto")


def all_of(devices: Sequence[Device]) -> str:
    """What the devices are called together: 2 x gpu NAME, where they are of one kind."""
    kinds = {(device.key.partition(":")[0], device.name) for device in devices}
    if len(kinds) > 1:
        return " + ".join(map(str, devices))
    return f"{len(devices)} x {' '.join(kinds.pop())}".strip()


@functools.cache
def _strategy_over(places: tuple[str, ...]) -> Any:
    import tensorflow as tf

    # Each sum of gradients is news to it, and each evaluation a reason to warn of tracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # Parts of a processor that exchange gradients may wait for each other's threads for ever.
    on_processor = all("CPU" in place for place in places)
    ops = tf.distribute.ReductionToOneDevice() if on_processor else None
    return tf.distribute.MirroredStrategy(places, ops)


def is_mirrored() -> bool:
    """Whether models are now built with a copy on every device."""
    return _STRATEGY.get() is not None


def mirrored() -> AbstractContextManager[None]:
    """Make what is built inside mirrored over all devices, if `device=all` chose them.

    To be entered after Keras' session is cleared, which forgets it.
    """
    strategy = _STRATEGY.get()
    return contextlib.nullcontext() if strategy is None else strategy.scope()


@contextlib.contextmanager
def tensorflow_on(wanted: str, deterministic: bool) -> Iterator[str]:
    """Import TensorFlow and place what is made inside on the device; gives our name for it.

    wanted: the setting `device`. deterministic: turn op determinism on, for the rest of the
        process.
    """
    import_tensorflow()
    import tensorflow as tf

    place, device = _chosen(wanted)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        # Else a convolution's last bits depend on the program around it.
        tf.config.optimizer.set_experimental_options(dict.fromkeys(REWRITES, False))
    if place is None:
        token = _STRATEGY.set(_strategy_over(tuple(one.place for one in usable_devices())))
        try:
            yield device
        finally:
            _STRATEGY.reset(token)
            gc.collect()  # iterators over several devices are let go while TensorFlow is there
        return
    with tf.device(place):
        yield device


def _chosen(wanted: str) -> tuple[str | None, str]:
    """The place, None where it is all devices, and our name for it."""
    key = wanted.lower()
    if key in (ALL, GPUS) and usable_number() == 1:
        place, device = pick_device(wanted)
        _say_one(wanted, device)
        return place, device
    if key == GPUS:
        claimed = claim_one()
        return claimed.place, str(claimed)
    if key == ALL:
        return None, all_of(usable_devices())
    return pick_device(wanted)


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
