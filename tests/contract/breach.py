"""A way to break the contract of a kind of component, and the sentence that it must get."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

TOYS = '''
import numpy as np
from runner import *
from runner import augmentation, callback, loss, metric, preprocessing, schedule

ROWS = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
LABELS = (ROWS[:, 0] > 0).astype("int64")

@dataset(name="toy", identity=lambda kind: kind)
def toy(*, kind: str = "classification"):
    """Forty rows."""
    if kind == "regression":
        return Data(ROWS, ROWS[:, 0] + 5, Task.regression())
    if kind == "images":
        return Data(np.zeros((40, 4, 4, 1), "float32"), LABELS, Task.classification(2))
    if kind == "several":
        features = {"a": ROWS, "b": ROWS[:, :1]}
        return Data(features, LABELS, Task.classification(2))
    return Data(ROWS, LABELS, Task.classification(2))
'''


@dataclass(frozen=True)
class Breach:
    """One way: the component's source, in which its name is BROKEN, and what is said of it."""

    name: str
    source: str
    sentence: str
    """A part of the sentence; BROKEN stands for the component's name."""
    words: Sequence[str] = ()
    """Of the command line, beside the component; "again" stands for a second run."""
    is_bug: bool = False
    """Whether it is an exception of the component's own, which keeps its traceback."""

    def plugin(self) -> str:
        """The component as a part of a plugin's module."""
        return textwrap.dedent(self.source).replace("BROKEN", self.name)


def of_every_kind(kind: str, offers: Sequence[str]) -> list[Breach]:
    """The ways that are open to the component of any kind."""
    first = f"{offers[0]}, " if offers else ""
    ways = [
        Breach("stranger", f"@{kind}\ndef BROKEN(stranger): ...", "takes 'stranger', which"),
        Breach("starred", f"@{kind}\ndef BROKEN(*many): ...", "takes *many, which"),
        Breach("untyped", f"@{kind}\ndef BROKEN({first}*, x=1): ...", "the param 'x' has no type"),
        Breach(
            "odd_type",
            f"@{kind}\ndef BROKEN({first}*, x: complex = 1j): ...",
            "the param 'x' is of type complex",
        ),
        Breach("waits", f"@{kind}\nasync def BROKEN({first}): ...", "is async"),
        Breach("yields", f"@{kind}\ndef BROKEN({first}):\n    yield 1", "is a generator, for"),
        Breach("a_class", f"@{kind}\nclass BROKEN: ...", "is a class"),
        Breach("nothing", f"@{kind}\ndef BROKEN(): ...", "returned None"),
        Breach("any_class", f"@{kind}\ndef BROKEN(): return dict", "returned the class dict"),
        Breach("anything", f"@{kind}\ndef BROKEN(): return object()", "returned object"),
        Breach("words", f"@{kind}\ndef BROKEN(): return 'words'", "returned str"),
    ]
    if offers:
        default = f"@{kind}\ndef BROKEN({offers[0]}=None): ..."
        ways.append(Breach("defaulted", default, f"gives '{offers[0]}' a default"))
    return [Breach(f"{kind}_{way.name}", way.source, way.sentence, way.words) for way in ways]
