"""Two runs with a child each, one that failed, one killed, one deleted, one that goes on.

    python write_mlflow.py TRACKING_URI EXPERIMENT

The real mlflow writes them; the folder that it is called in gets the artifacts.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow

LOSSES = [1.1, 0.6, 0.5, math.nan, 0.7]
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment(sys.argv[2])
for rate in ("0.1", "0.01"):
    with mlflow.start_run(run_name=f"lr {rate}", description="first <i>try</i>"):
        mlflow.log_params(
            {"lr": rate, "units": [64, 32], "a/b": 'it\'s "q"', "l" * 240: "x" * 300}
        )
        mlflow.set_tags({"team": "blue/green", "html": "<b>&amp;</b>"})
        for step, val_loss in enumerate(LOSSES):
            mlflow.log_metrics(
                {"loss": 1 / (step + 1), "val_loss": val_loss, "val/acc": step * float(rate)},
                step=step,
            )
        mlflow.log_metric("grew", math.inf, step=2)
        mlflow.log_metric("loss", 0.125, step=4)  # once more
        mlflow.log_metric("test_accuracy", 0.75)
        mlflow.log_metric("system/cpu", 50.0, step=900)
        mlflow.log_text("hello", "notes/hello.txt")
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("loss", 1.0, step=3)
with contextlib.suppress(ValueError), mlflow.start_run(run_name="fails"):
    mlflow.log_param("lr", 9)
    raise ValueError("no")
mlflow.start_run(run_name="killed")
mlflow.end_run("KILLED")
gone = mlflow.start_run(run_name="gone")
mlflow.end_run()
mlflow.delete_run(gone.info.run_id)
mlflow.start_run(run_name="goes on")
mlflow.log_metric("loss", 2.0, step=0)
sys.stdout.flush()
os._exit(0)
