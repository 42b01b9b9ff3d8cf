"""Two offline runs, one of which ends with exit code 1.

    python write_wandb.py

The real wandb writes them into the folder `wandb` where it is called.
"""

from __future__ import annotations

import math
import os

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
import wandb

for rate in (0.1, 0.01):
    run = wandb.init(
        project="digits <b>x",
        name=f"lr/{rate}",
        config={"lr": rate, "model": {"units": [64, 32], "act": "relu"}, "note": 'it\'s "q"'},
        tags=["base", "a/b"],
        notes="first try",
        group="g1",
        settings=wandb.Settings(x_disable_stats=True),
    )
    run.define_metric("score", summary="max")
    for step in range(5):
        wandb.log(
            {
                "train/loss": 1 / (step + 1),
                "val/loss": math.nan if step == 3 else 1.1 / (step + 1),
                "score": step * rate,
                "words": "x" * 9000,  # so that the log has several blocks
                "nested": {"a": step},
            }
        )
    run.summary["test/accuracy"] = 0.75
    run.finish(exit_code=0 if rate == 0.1 else 1)
