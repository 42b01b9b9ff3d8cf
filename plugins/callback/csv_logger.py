"""The epochs as a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner import callback


@callback
def csv_logger(*, path: Path = Path("epochs.csv"), append: bool = False) -> Any:
    """Write every epoch's losses and metrics to a CSV file as well.

    path: from where you stand; in a sweep each run needs one of its own, such as
    `callback.csv_logger.path='logs/${seed}.csv'`. append: go on in a file that is there already,
    as a resumed run should.
    """
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    return keras.callbacks.CSVLogger(str(path), append=append)
