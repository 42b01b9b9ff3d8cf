"""What figures and reports of chosen runs show, asked of the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError, choices
from warehouse.frames import frame, runs_query, varying_params
from warehouse.lookup import SHORT

if TYPE_CHECKING:
    import pandas
    from duckdb import DuckDBPyConnection

MOST_LINES = 50
"""Runs whose curves are drawn: the best of those that were chosen."""
MOST_PARALLEL = 1000
MOST_COMPARED = 6
MOST_PARAMS = 24
"""Varying params that tables and figures show; `effects` ranks them all."""
FACTS = ("rank", "status", "best", "best_epoch", "epochs", "seconds", "seed")


@dataclass
class Chosen:
    """Some runs, the best first, with a label for each and what of them differs."""

    con: DuckDBPyConnection
    ids: list[str]
    monitor: str
    """What most of them monitor."""
    mode: str
    params: list[str]
    """The params that vary between them, at most MOST_PARAMS."""
    table: pandas.DataFrame
    """A row a run, as `warehouse.runs()` has it."""
    labels: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, con: DuckDBPyConnection, ids: Sequence[str]) -> Chosen:
        """The runs of these ids that are not deleted, in their order of rank."""
        if not ids:
            raise WarehouseError("no run is chosen; `python -m warehouse runs` lists them")
        query = (
            f"SELECT * FROM ({runs_query(con)}) WHERE run_id IN (SELECT unnest($ids::VARCHAR[])) "
            "ORDER BY rank IS NULL, dataset, monitor, rank, run_id"
        )
        table = frame(con, query, {"ids": list(ids)})
        if not len(table):
            raise WarehouseError("the chosen runs are deleted; `undelete` brings them back")
        known = list(table["run_id"])
        monitors = table["monitor"].mode()
        monitor = str(monitors[0]) if len(monitors) else "loss"
        modes = table.loc[table["monitor"] == monitor, "mode"]
        params = varying_params(con, known)[:MOST_PARAMS]
        chosen = cls(
            con, known, monitor, str(modes.iloc[0]) if len(modes) else "min", params, table
        )
        chosen.labels = chosen._labels()
        return chosen

    def ask(self, query: str, **params: Any) -> pandas.DataFrame:
        """A query about them; `$ids` in it are theirs."""
        values = {"ids": self.ids} if "$ids" in query else {}
        answer: pandas.DataFrame = frame(self.con, query, values | params)
        return answer

    def column(self, name: str) -> pandas.Series:
        """A param, metric or fact, run by run; WarehouseError where there is none of the name."""
        if name in self.table.columns:
            return self.table[name]
        if name == self.monitor:
            return self.table["best"]
        rows = self.ask(
            "SELECT run_id, value, number FROM params "
            "WHERE name = $name AND run_id IN (SELECT unnest($ids::VARCHAR[]))",
            name=name,
        ).set_index("run_id")
        if not len(rows):
            names = self.ask("SELECT DISTINCT name FROM params")["name"]
            known = [*self.table.columns, *names]
            raise WarehouseError(f"no run has {name!r}; {choices(name, known)}")
        use = "number" if rows["number"].notna().all() else "value"
        return self.table["run_id"].map(rows[use])

    def mode_of(self, metric: str) -> str:
        """Which end of a metric is better, min where no run says."""
        modes = self.ask(
            "SELECT mode FROM outcomes WHERE metric = $metric AND mode IS NOT NULL LIMIT 1",
            metric=metric,
        )["mode"]
        return str(modes[0]) if len(modes) else "min"

    def _labels(self) -> dict[str, str]:
        """Run -> the tail of its id and what of its config differs, briefly."""
        ids = self.table["run_id"]
        labels = {run_id: run_id[-SHORT:] for run_id in ids}
        for name in self.params[:4]:
            values = self.column(name)
            short = name.rpartition(".")[2]
            for run_id, value in zip(ids, values, strict=True):
                if value is not None and value == value:
                    text = f"{value:.4g}" if isinstance(value, float) else str(value)
                    labels[run_id] += f" {short}={text}"
        return labels

    def curves(self, metric: str, split: str | None = None) -> pandas.DataFrame:
        """The lines of a metric of the best MOST_LINES, as `figures.curves` takes them."""
        shown = self.ids[:MOST_LINES]
        rows = self.ask(
            "SELECT c.run_id, c.split, c.epoch, c.value, c.epoch = r.best_epoch AS best "
            "FROM curves AS c JOIN runs AS r ON r.run_id = c.run_id "
            "WHERE c.run_id IN (SELECT unnest($shown::VARCHAR[])) AND c.name = $metric "
            "AND ($split IS NULL OR c.split = $split) ORDER BY c.run_id, c.split, c.epoch",
            shown=shown,
            metric=metric,
            split=split,
        )
        if not len(rows):
            names = self.ask(
                "SELECT DISTINCT name FROM run_metrics "
                "WHERE run_id IN (SELECT unnest($ids::VARCHAR[]))"
            )["name"]
            raise WarehouseError(
                f"nothing to draw for metric {metric!r}; {choices(metric, list(names))}"
            )
        places = {run_id: place for place, run_id in enumerate(self.ids, 1)}
        rows["place"] = rows["run_id"].map(places)
        rows["run"] = rows["run_id"].map(self.labels)
        # The judged split's best point alone: that of training is beside it.
        judged = "val" if (rows["split"] == "val").any() else "train"
        rows["best"] = rows["best"].fillna(False).astype(bool) & (rows["split"] == judged)
        return rows.drop(columns="run_id")

    def parallel(self, outcome: str | None = None) -> pandas.DataFrame:
        """Run, varying params and the outcome, as `figures.parallel` takes them."""
        import pandas

        columns = {"run": self.table["run_id"].map(self.labels)}
        columns |= {name: self.column(name) for name in self.params if name != "seed"}
        name = outcome or self.monitor
        # Last, and only once, also where the outcome is among the params.
        columns.pop(name, None)
        columns[name] = self.column(name)
        return pandas.DataFrame(columns).head(MOST_PARALLEL)

    def effects(self) -> pandas.DataFrame:
        """What each varying param explains of what they monitor."""
        return self.ask(
            "SELECT * EXCLUDE (monitor) FROM param_effects($ids::VARCHAR[]) "
            "WHERE monitor = $monitor",
            monitor=self.monitor,
        )

    def confusion(self, run_id: str) -> tuple[str, pandas.DataFrame]:
        """The split, test before val, and the pairs of classes of one run; no rows without."""
        rows = self.ask(
            "SELECT split, actual, predicted, rows FROM confusion "
            "WHERE run_id = $run_id AND judgement_id IS NULL",
            run_id=run_id,
        )
        splits = [name for name in ("test", "val", "train") if (rows["split"] == name).any()]
        split = splits[0] if splits else ""
        return split, rows[rows["split"] == split].drop(columns="split")

    def evaluations(self) -> pandas.DataFrame:
        """The test split's metrics, a column each, a row a run; without details of classes."""
        names = [
            name
            for name in self.table.columns
            if name.startswith("test_") and self.table[name].notna().any()
        ]
        return self.table.loc[self.table[names].notna().any(axis=1), ["run_id", *names]]

    def seeds(self) -> pandas.DataFrame:
        """The configurations of theirs that were tried with several seeds."""
        return self.ask(
            "SELECT config_hash, seeds, usable, mean, deviation, low, high, min, max, best_run "
            "FROM seeds WHERE usable > 1 AND metric = $monitor AND config_hash IN (SELECT "
            "config_hash FROM runs WHERE run_id IN (SELECT unnest($ids::VARCHAR[])))",
            monitor=self.monitor,
        )

    def differences(self) -> tuple[list[str], pandas.DataFrame]:
        """What differs between the best few: their ids, and kind, name, values."""
        best = self.ids[:MOST_COMPARED]
        return best, self.ask(
            "FROM compare_runs($best::VARCHAR[]) WHERE kind <> 'outcome'", best=best
        )

    def metrics(self) -> list[str]:
        """The metrics whose curves a report draws: the loss, and the monitor or the next best."""
        rows = self.ask(
            "SELECT name, count(*) AS n FROM run_metrics WHERE name <> 'loss' "
            "AND run_id IN (SELECT unnest($ids::VARCHAR[])) GROUP BY name ORDER BY n DESC, name"
        )
        names = list(rows["name"])
        judged = self.monitor.removeprefix("val_")
        others = [judged] if judged in names else names[:1]
        loss = self.ask(
            "SELECT count(*) AS n FROM run_metrics WHERE name = 'loss' "
            "AND run_id IN (SELECT unnest($ids::VARCHAR[]))"
        )["n"][0]
        return [*(["loss"] if loss else []), *others]
