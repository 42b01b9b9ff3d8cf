"""Code of a model that needs the value of a float param has it, in every run of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runner.engines.fast.engine import SHARED
from runner.journal.records import EpochEnd, RunEnd
from runner.record.events import Event
from tests.conftest import Site
from tests.runner.engines.test_packed import jobs_of, trained

NEEDED = {
    "math.sqrt": "math.sqrt(scale)",
    "int": "int(scale)",
    "round": "round(scale)",
    "floor": "math.floor(scale)",
    "text": "float(f'{scale:.2f}')",
    "type": "scale if isinstance(scale, float) else 100.0",
    "dict": "{2.0: 1.0, 3.0: 5.0}[scale]",
    "set": "7.0 if scale in {3.0} else 2.0",
    "divmod": "divmod(scale, 2.0)[1] + 1.0",
    "whole": "scale if scale.is_integer() else 100.0",
    "sign": "+scale",
}
NETWORK = """
import math
from runner import architecture

NEEDED = {
%s
}

@architecture
def needing(input_shape, outputs, *, scale: float = 2.0, how: str = "int"):
    '''A layer whose code needs the value of its scale.'''
    import keras

    class Scaled(keras.layers.Layer):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def call(self, x):
            return x * NEEDED[how](self.scale)

    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs)(Scaled(scale)(inputs)))
"""


@pytest.mark.many
@pytest.mark.parametrize("how", list(NEEDED))
@pytest.mark.slow
def test_each_run_of_a_sweep_has_the_losses_of_keras(site: Site, how: str) -> None:
    lines = "\n".join(f"    {name!r}: lambda scale: {code}," for name, code in NEEDED.items())
    site.install(NETWORK % lines)
    words = ["dataset=iris", "epochs=1", "regularizer=[]", "limit_batches=2", "batch_size=32"]
    network = ("architecture=needing", f"architecture.how={how}")
    jobs = jobs_of([*words, *network], "architecture.scale=2", "architecture.scale=3")
    expected = [_losses(events) for events in trained([replace(job) for job in jobs], "keras")]
    SHARED.forget()
    for engine in ("fast", "packed"):
        told = trained([replace(job) for job in jobs], engine)
        assert [_losses(events) for events in told] == [
            pytest.approx(losses, rel=1e-4) for losses in expected
        ]


def _losses(events: Sequence[Event]) -> list[float]:
    [end] = [event for event in events if isinstance(event, RunEnd)]
    assert end.status == "finished", end.error
    return [event.loss for event in events if isinstance(event, EpochEnd)]
