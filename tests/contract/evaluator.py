"""Ways to break the contract of an evaluator; the run goes on, and the call has the sentence."""

from __future__ import annotations

from tests.contract.breach import Breach


def _finds(name: str, given: str, sentence: str, is_bug: bool = False) -> Breach:
    source = f"@evaluator\ndef BROKEN(outputs):\n    return {given}"
    return Breach(f"finds_{name}", source, sentence, is_bug=is_bug)


BREACHES = (
    _finds("dict", "{'accuracy': 0.5}", "returned dict, not Findings"),
    _finds("class", "Findings", "returned the class Findings, not Findings"),
    _finds("no_split", "Findings({'accuracy': 0.5})", "no mapping of splits to metrics"),
    _finds("word", "Findings({'test': {'a': 'good'}})", "gives a of test as str"),
    _finds("vector", "Findings({'test': {'a': np.ones(3)}})", "gives a of test as ndarray"),
    _finds("figure", "Findings(figures={'f': {}})", "'f' among its figures: a dict is no figure"),
    _finds("unnamed", "Findings(figures='<svg/>')", "its figures are str, not things by name"),
    _finds("table", "Findings(tables={'t': 5})", "'t' among its tables: a int cannot be kept"),
    _finds(
        "ragged", "Findings(tables={'t': {'a': [1], 'b': [1, 2]}})", "cannot be kept as a table"
    ),
    _finds("file", "Findings(files={'f': 'nowhere.txt'})", "the artifact nowhere.txt cannot be"),
    _finds("split", "Findings({}, {}, {'t': outputs['extra']})", "KeyError", is_bug=True),
    _finds("raises", "1 / 0", "ZeroDivisionError", is_bug=True),
)
