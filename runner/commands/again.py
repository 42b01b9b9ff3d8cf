"""What `resume` and `replay` have in common: a recorded run, trained again."""

from __future__ import annotations

import warnings

from runner.sweep.earlier import EarlierRun
from runner.sweep.plan import Run
from runner.sweep.provenance import versions


def warn_of_changes(earlier: EarlierRun, again: Run) -> None:
    """Say what is not as it was when the run was recorded."""
    for library, now in versions().items():
        then = earlier.versions.get(library)
        if then is not None and then != now:
            warnings.warn(f"{library} was {then} then and is {now} now", stacklevel=3)
    if again.fingerprint != earlier.fingerprint:
        warnings.warn(
            "what determines the outcome has changed since: a component's source, a plugin's "
            "version or the data",
            stacklevel=3,
        )
