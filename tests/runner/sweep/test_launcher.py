"""The packed launcher: jobs as configs without Hydra's composition, runs that share their data."""

from __future__ import annotations

import gc
import itertools
import random
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import hydra
import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from runner.components.kinds import KINDS
from runner.components.registry import load
from runner.components.signature import Param
from runner.config.compose import compose, reading_what_is_typed, register
from runner.config.config import Config
from runner.config.fingerprint import fingerprint
from runner.config.folders import CONFIG_MODULE, CONFIG_NAME
from runner.config.sentences import explain
from runner.config.settings import settings_params
from runner.config.typed import refuse_odd_words
from runner.errors import JournalError, RunnerError
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd
from runner.sweep import plan
from runner.sweep.batch import train_all
from runner.sweep.launching.jobs import Composer, JobConfig
from runner.sweep.launching.quick import Jobs
from runner.sweep.plan import Planner, Run
from runner.sweep.sweep import Sweep
from tests.conftest import Site
from tests.faults.engine import SIDE, loss_of

ENGINE = "engine=tests.faults.engine:SteadyEngine"


class Counting:
    """Hydra's loader, counting how often it composes a job."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader, self.composed = loader, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_sweep_config(self, master: DictConfig, words: list[str]) -> DictConfig:
        self.composed += 1
        return self._loader.load_sweep_config(master, words)


@pytest.fixture(scope="module")
def sweep_of() -> Iterator[Any]:
    """Hydra's loader and the config of a sweep, as a launcher gets them."""
    register(load())
    with hydra.initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        loader = Counting(GlobalHydra.instance().hydra.config_loader)
        yield loader, loader.load_configuration(CONFIG_NAME, [], RunMode.MULTIRUN)


@pytest.fixture
def loader(sweep_of: Any) -> Counting:
    sweep_of[0].composed = 0
    return sweep_of[0]


@pytest.fixture
def composer(sweep_of: Any) -> Composer:
    return Composer(*sweep_of)


# --- Composing -----------------------------------------------------------------------------------

Meaning = tuple[str, Any, str]


def meaning(config: Config | Exception, experiment: str) -> Meaning:
    """The meaning of overrides: config and fingerprint, or the sentence of the mistake."""
    if isinstance(config, Exception):
        return "error", str(config), ""
    return experiment, config.plain(), fingerprint(config, "data")


def quickly(composer: Composer, words: Sequence[str]) -> Meaning:
    """The meaning in a sweep, whose words `python -m runner` reads and looks through first."""
    try:
        with reading_what_is_typed(multirun=True):
            refuse_odd_words(words, multirun=True)
            job = composer.job(words)
    except RunnerError as error:
        return meaning(error, "")
    except HydraException as error:
        return meaning(explain(error), "")
    return meaning(job.config, job.experiment)


def by_hydra(words: Sequence[str]) -> Meaning:
    try:
        return meaning(*compose(words))
    except RunnerError as error:
        return meaning(error, "")


def values(param: Param) -> list[str]:
    """Some values that one might give a param, right and wrong ones."""
    odd = ["null", "true", "3", "0.25", "1e-3", "[16,8]", "[]", "text", "'a b'", "-1", "nan"]
    match param.default:
        case bool():
            right = ["true", "false"]
        case int():
            right = [str(param.default + 1)]
        case float():
            right = [str(param.default / 2), str(param.default)]
        case None:
            right = ["null"]
        case list() | tuple():
            right = [f"[{','.join(str(one) for one in param.default)}]"]
        case _:
            right = []
    for kind in (param.annotation, *get_args(param.annotation)):
        if get_origin(kind) is Literal:
            right += [str(one) for one in get_args(kind)]
    return [*odd, *(right * 30)]


def any_overrides(chance: random.Random) -> list[str]:
    """A choice of components, and values for some of the params that are then there."""
    registry = load()
    words, offered = [], [("", param) for param in settings_params()]
    for kind in KINDS.values():
        names = registry.of_kind(kind.name)
        chosen = chance.sample(names, k=min(len(names), chance.randint(0, 2)))
        if kind.many:
            words.append(f"{kind.key}=[{','.join(one.name for one in chosen)}]")
        elif chosen:
            chosen = chosen[:1]
            words.append(f"{kind.key}={chosen[0].name}")
        for one in chosen:
            place = f"{kind.key}.{one.name}." if kind.many else f"{kind.key}."
            offered += [(place, param) for param in one.params]
    for place, param in chance.sample(offered, k=min(len(offered), chance.randint(1, 4))):
        words.append(f"{place}{param.name}={chance.choice(values(param))}")
    chance.shuffle(words)
    return words


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_job_means_what_hydra_makes_of_it_whatever_is_overridden(composer: Composer) -> None:
    chance, seen = random.Random(20261121), {"error": 0, "default": 0}
    for _ in range(32):
        words = any_overrides(chance)
        want = by_hydra(words)
        assert quickly(composer, words) == want, words
        # What one job sets is gone for the next.
        assert quickly(composer, words) == want, words
        seen[want[0]] += 1
    assert min(seen.values()) > 4, seen


SPECIAL: dict[str, list[str]] = {
    "nothing": [],
    "preset": ["experiment=cars_regression", "epochs=3"],
    "preset and its choice": ["experiment=mnist_cnn", "optimizer=sgd", "optimizer.momentum=0.5"],
    "nested key": ["split.val=0.3", "split.seed=7"],
    "twice": ["seed=1", "seed=2"],
    "1 and 1.0": ["optimizer.learning_rate=1"],
    "added key": ["+note=hello"],
    "added group": ["+nosuch=1"],
    "deleted group": ["~schedule"],
    "interpolation": ["epochs=${batch_size}"],
    "interpolation inside": ["results='${oc.env:HOME}/${seed}'"],
    "a dict": ["split={val:0.1,test:0.1}"],
    "a dict for a group": ["architecture={units:[3]}"],
    "part of a list": ["architecture.units[0]=3"],
    "quoted": ["results='a=b,c'"],
    "no default": ["dataset=arrays"],
    "no default, given": ["dataset=arrays", "dataset.path=x.npz"],
    "unknown key": ["epoch=3"],
    "unknown param": ["optimizer.rate=3"],
    "unknown component": ["optimizer=adm"],
    "unknown of several": ["regularizer=[l2,nosuch]"],
    "wrong type": ["epochs=many"],
    "wrong value": ["epochs=0"],
    "not in use": ["regularizer.l1.strength=1"],
    "a list for a number": ["epochs=[1,2]"],
    "grammar": ["epochs=["],
    "null": ["checkpoint=null", "monitor=null"],
    "missing by hand": ["epochs=???"],
}


@pytest.mark.many
@pytest.mark.parametrize("what", SPECIAL)
def test_a_job_means_what_hydra_makes_of_it(what: str, composer: Composer) -> None:
    words = SPECIAL[what]
    assert quickly(composer, words) == by_hydra(words)


def test_a_choice_is_composed_once_and_its_values_never(
    composer: Composer, loader: Counting
) -> None:
    for seed in range(20):
        for optimizer in ("adam", "sgd"):
            composer.job([f"seed={seed}", f"optimizer={optimizer}", "architecture.units=[8]"])
    assert loader.composed == 2


@pytest.mark.slow
def test_a_preset_that_refers_to_a_value_follows_it(
    composer: Composer,
) -> None:
    # As in a preset of the user's own, where this is one line of YAML.
    words = ["batch_size=${epochs}"]
    for epochs in (3, 4):
        job = composer.job([*words, f"epochs={epochs}"])
        assert isinstance(job.config, Config)
        assert job.config.settings.batch_size == epochs


def test_a_job_costs_at_most_a_fiftieth_of_a_second(composer: Composer) -> None:
    planner = Planner()

    def jobs(first: int, count: int) -> None:
        for seed in range(first, first + count):
            rate = f"optimizer.learning_rate={1e-4 * (seed % 7 + 1)}"
            job = composer.job([f"seed={seed}", "optimizer=sgd", rate])
            assert isinstance(job.config, Config)
            planner.plan(job.config, job.experiment, job.overrides)

    jobs(0, 1)
    began = time.process_time()
    jobs(1, 100)
    assert (time.process_time() - began) / 100 < 0.02


# --- Training ------------------------------------------------------------------------------------

TOYS = """
import numpy as np
from runner import Data, Task, dataset, preprocessing

LOADED = []

@dataset{identity}
def toys(*, rows: int = 64) -> Data:
    '''Rows that nobody needs.'''
    LOADED.append(rows)
    features = np.random.default_rng(0).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())

@dataset(identity=lambda: "never")
def broken() -> Data:
    '''Cannot be loaded.'''
    raise RuntimeError("no such rows")
"""
SEEN: list[list[Any]] = []


class SpyEngine:
    """Remembers which jobs came together, and lets the steady engine train them."""

    name = "spy"

    def __init__(self) -> None:
        from tests.faults.engine import SteadyEngine

        self._steady = SteadyEngine()
        self.ready = self._steady.ready

    def train(self, jobs: Sequence[Any], record: Any) -> None:
        SEEN.append(list(jobs))
        self._steady.train(jobs, record)


@pytest.fixture
def toys(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The datasets above, and the side channel of the steady engine."""
    SEEN.clear()
    monkeypatch.setenv(SIDE, str(tmp_path / "side.txt"))
    site.install(TOYS.format(identity=""))
    return site


def planned(results: Path, *lines: str) -> list[Run]:
    planner, runs = Planner(), []
    shared = [
        f"results={results}",
        "epochs=2",
        "engine=tests.runner.sweep.test_launcher:SpyEngine",
    ]
    for line in lines:
        config, experiment = compose([*shared, *line.split()])
        runs.append(planner.plan(config, experiment, line.split()))
    return runs


@pytest.mark.slow
def test_runs_of_equal_data_share_them_and_one_call(toys: Site, results: Path) -> None:
    import toys as module

    runs = planned(
        results,
        "dataset=toys seed=1",
        "dataset=toys seed=2 dataset.rows=96",
        "dataset=toys seed=3 architecture.units=[3] epochs=3 monitor=loss",
        "dataset=toys seed=4 batch_size=8",
        "dataset=toys seed=5 split.seed=1",
        "dataset=toys seed=6 deterministic=true",
        "dataset=toys seed=7",
    )
    ended: list[str] = []
    results_by_id = train_all(runs, lambda run, result: ended.append(run.run_id))
    seeds = [[job.config.settings.seed for job in jobs] for jobs in SEEN]
    # What turns determinism on for the whole process comes last.
    assert seeds == [[1, 3, 7], [4], [2], [5], [6]]
    for jobs in SEEN:
        assert len({id(job.data) for job in jobs}) == 1
    assert set(results_by_id) == set(ended) == {run.run_id for run in runs}
    assert all(one.status == "finished" for one in results_by_id.values())
    # Each source to tell what it is, and for its runs, but one after the other.
    assert [module.LOADED.count(rows) for rows in (64, 96)] == [4, 2]
    assert results_by_id[runs[2].run_id].losses == [loss_of(3, epoch) for epoch in (1, 2, 3)]


@pytest.mark.slow
def test_no_two_datasets_are_in_memory_at_once(
    toys: Site, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.install(TOYS.format(identity="(identity=lambda rows: str(rows))"))
    alive: list[Any] = []
    most = []

    def spy(config: Config, **more: Any) -> Any:
        gc.collect()
        most.append(sum(one() is not None for one in alive))
        data = original(config, **more)
        alive.append(weakref.ref(data.features))
        return data

    from runner.sweep import plan as module

    original = module.load
    monkeypatch.setattr(module, "load", spy)
    lines = [f"dataset=toys dataset.rows={rows}" for rows in (40, 64, 96)]  # the first refused
    runs = planned(results, *lines)
    assert alive == []
    # The jobs that the spy remembers would keep the data.
    monkeypatch.setattr(SpyEngine, "train", lambda spy, *given: spy._steady.train(*given))
    train_all(runs)
    assert most == [0, 0, 0]


@pytest.mark.parametrize(
    ("identity", "loaded"),
    # Of one that is known by its rows alone, each plan has to look at them.
    [("(identity=lambda rows: str(rows))", 1), ("", 3)],
)
@pytest.mark.slow
def test_a_later_call_on_the_same_data_is_given_what_is_in_memory(
    toys: Site, results: Path, identity: str, loaded: int
) -> None:
    toys.install(TOYS.format(identity=identity))
    import toys as module

    for seeds in ((1, 2), (3, 4), (5, 6)):
        train_all(planned(results, *(f"dataset=toys seed={seed}" for seed in seeds)))
    assert len(module.LOADED) == loaded
    assert len({id(job.data) for jobs in SEEN for job in jobs}) == loaded


@pytest.mark.slow
def test_a_later_call_on_other_data_of_the_same_name_loads_them(
    toys: Site, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.install(TOYS.format(identity="(identity=lambda rows: 'the same')"))
    train_all(planned(results, "dataset=toys"))
    train_all(planned(results, "dataset=toys split.seed=1"))
    # Another version of the plugin says that its data are the same: nobody knows.
    toys.install(TOYS.format(identity="(identity=lambda rows: 'the same')"))
    train_all(planned(results, "dataset=toys split.seed=1"))
    train_all(planned(results, "dataset=toys split.seed=1 batch_size=16"))
    monkeypatch.setattr(plan, "KEPT_BYTES", 10)
    train_all(planned(results, "dataset=toys split.seed=1 batch_size=8"))
    train_all(planned(results, "dataset=toys split.seed=1 batch_size=8"))
    prepared = [jobs[0].data for jobs in SEEN]
    assert len(set(map(id, prepared))) == len(prepared) == 6


@pytest.mark.slow
def test_what_is_wrong_with_one_run_is_its_own(toys: Site, results: Path) -> None:
    runs = planned(
        results,
        "dataset=toys seed=1",
        "dataset=broken seed=2",
        "dataset=toys seed=3 batch_size=1000",
        "dataset=toys seed=4 engine=nosuch",
        "dataset=toys seed=5 monitor=val_loss split.val=0",
        "dataset=toys seed=6",
    )
    run_results = [train_all(runs)[run.run_id] for run in runs]
    assert [getattr(one, "status", "refused") for one in run_results] == [
        "finished",
        "failed",
        "refused",
        "refused",
        "refused",
        "finished",
    ]
    assert run_results[1].error == "RuntimeError: no such rows"
    assert "batch_size=1000" in str(run_results[2])
    assert "'nosuch'" in str(run_results[3])
    assert "monitor=val_loss" in str(run_results[4])


def test_a_journal_that_fails_ends_its_own_run(
    toys: Site, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append
    runs = planned(results, *(f"dataset=toys seed={seed}" for seed in (1, 2, 3)))

    def failing(self: Journal, record: Any) -> None:
        if isinstance(record, EpochEnd) and record.run_id == runs[1].run_id:
            raise JournalError("the disk is full")
        append(self, record)

    monkeypatch.setattr(Journal, "append", failing)
    run_results = train_all(runs)
    assert [run_results[run.run_id].status for run in runs] == ["finished", "failed", "finished"]
    assert run_results[runs[1].run_id].error == "the disk is full"


# --- As Hydra calls it ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sweeper_gets_a_number_for_every_job(
    toys: Site, results: Path, sweep_of: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from runner.sweep.launching import install
    from runner.sweep.launching.packed import PackedLauncher
    from runner.sweep.sweep import Sweep

    install()
    register(load())
    monkeypatch.setenv("SWEEPHOUSE_SWEEP", "a-sweep")
    loader, config = sweep_of
    launcher = PackedLauncher()
    sweep = Sweep(["-m", f"results={results}"])
    launcher.setup(
        hydra_context=HydraContext(loader, None),  # type: ignore[arg-type]
        task_function=sweep.train,
        config=config,
    )
    monkeypatch.setattr(launcher, "_folder", results / "swept")
    shared = ["dataset=toys", "epochs=2", ENGINE, f"results={results}"]
    values = []
    for first in (0, 3):
        jobs = [[*shared, f"seed={seed}"] for seed in (first, first + 1, first)]
        jobs.append([*shared, "batch_size=1000"])
        returns = launcher.launch(jobs, 4 * first)
        values.append([done.return_value for done in returns])
    for first, got in zip((0, 3), values, strict=True):
        best = [loss_of(seed, 2) + 0.1 for seed in (first, first + 1, first)]
        assert got[:3] == pytest.approx(best)
        assert got[3] == pytest.approx(max(loss_of(seed, 2) + 0.1 for seed in range(first + 2)))
    # What is finished has its number from the warehouse.
    again = launcher.launch([[*shared, "seed=1"], [*shared, "seed=4"]], 8)
    bests = [done.return_value for done in again]
    assert bests == pytest.approx([loss_of(1, 2) + 0.1, loss_of(4, 2) + 0.1])
    assert capsys.readouterr().out.count("skipped: ") == 4


def test_the_jobs_of_a_sweep_are_made_when_they_are_asked_for() -> None:
    values = [["a=1", "a=2"], ["b=1"], ["c=1", "c=2", "c=3"]]
    jobs = Jobs(values)
    assert list(jobs) == [list(words) for words in itertools.product(*values)]
    assert [list(part) for part in (jobs[:4], jobs[4:])] == [list(jobs)[:4], list(jobs)[4:]]
    many = Jobs([[f"a={n}" for n in range(1000)]] * 6)
    assert len(many) == 10**18 and many[10**18 - 1] == ["a=999"] * 6


@pytest.mark.slow
def test_the_same_run_in_another_part_of_a_sweep_is_trained_once(
    monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    monkeypatch.setattr("runner.sweep.sweep.TOGETHER", 2)
    monkeypatch.setenv("SWEEPHOUSE_SWEEP", "a-sweep")  # else what runs next would belong to it
    trained: list[Run] = []
    monkeypatch.setattr(
        Sweep, "_train_all", lambda self, runs, together: trained.extend(runs) or {}
    )  # fmt: skip
    sweep = Sweep(["-m"])
    words = [f"results={results}", "epochs=1"]
    jobs = [
        JobConfig([f"seed={seed}"], "default", compose([*words, f"seed={seed}"])[0])
        for seed in (1, 2, 3, 1, 3, 4)
    ]
    assert sweep.train_batch(iter(jobs), len(jobs), Path()) == [None] * 6
    assert [run.config.settings.seed for run in trained] == [1, 2, 3, 4]
    assert [run.run_id for run in trained] == sorted(run.run_id for run in trained)


def test_run_ids_grow_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    first = new_run_id()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600_000_000_000)
    ids = [first, *(new_run_id() for _ in range(1000))]
    assert ids == sorted(set(ids))
