"""The sampler `neural`: what it suggests, by what it was given and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plugins.sampler._neural import memory, models, network, process
from plugins.sampler._neural.encode import ABSENT, Encoding, quantiles
from plugins.sampler.neural import neural
from runner.components.search_types import Dimension, History, PastTask, Space, Trial

SPACE = Space(
    (
        Dimension("optimizer", "choice", choices=("sgd", "adam")),
        Dimension("rate", "float", 1e-4, 1.0, log=True),
        Dimension("momentum", "float", 0.0, 0.99, only_if={"optimizer": ("sgd",)}),
        Dimension("units", "choice", choices=((64,), (64, 64), (128, 64)), structural=True),
        Dimension("depth", "int", 1, 4, structural=True),
        Dimension("batch", "choice", choices=(16, 32, 64, 128), ordered=True),
    )
)


def outcome(params, off=0.0):
    """A loss that is least with adam, a rate near 1e-2, depth 3."""
    loss = abs(math.log10(params["rate"]) + 2 + off) + 0.3 * abs(params["depth"] - 3)
    return loss + (0.5 if params["optimizer"] == "sgd" else 0.0)


def tasks(count=3, size=40, seed=0):
    """Random trials of other tasks, much like the one."""
    rng = np.random.default_rng(seed)
    return tuple(
        PastTask(
            f"task{number}",
            tuple(
                Trial(params, (10.0**number * outcome(params, 0.1 * number),))
                for params in (SPACE.params(rng.random(len(SPACE))) for _ in range(size))
            ),
        )
        for number in range(count)
    )


def searched(trials, past=(), n=1, loss=outcome, space=SPACE, **params):
    """The trials of a search that asks for n at once."""
    done: list[Trial] = []
    while len(done) < trials:
        asked = neural(space, History(tuple(done), past), (), n, 7, **params)
        done += [Trial(one.params, (loss(one.params),)) for one in asked]
    return done


@pytest.mark.slow
def test_equal_arguments_get_equal_suggestions_in_a_new_process_too():
    past = tasks()
    trials = tuple(searched(6, past))
    waiting = [trials[-1].params]
    first = neural(SPACE, History(trials[:-1], past), waiting, 5, 7)
    memory.forget()
    assert neural(SPACE, History(trials[:-1], tasks()), waiting, 5, 7) == first
    assert neural(SPACE, History(trials[:-1], past), waiting, 5, 8) != first


@pytest.mark.parametrize("past", [(), tasks()], ids=["alone", "taught"])
def test_suggestions_are_of_the_space_and_none_comes_twice(past):
    trials = searched(40, past, n=8)
    for trial in trials:
        assert trial.params == SPACE.counted(trial.params)
        assert all(SPACE[name].contains(value) for name, value in trial.params.items())
    assert len({str(sorted(trial.params.items())) for trial in trials}) == 40


def test_a_space_of_three_is_tried_and_then_nothing_is_left():
    small = Space((Dimension("units", "choice", choices=(8, 16, 32), ordered=True),))
    asked = neural(small, History(), (), 64, 0)
    assert sorted(one.params["units"] for one in asked) == [8, 16, 32]
    trials = tuple(Trial(one.params, (1.0,)) for one in asked)
    assert neural(small, History(trials), (), 4, 0) == []
    past = (PastTask("other", tuple(Trial({"units": u}, (u,)) for u in (8, 16, 32, 8))),)
    assert neural(small, History(trials[:2], past), [trials[2].params], 4, 0) == []


def test_what_other_tasks_taught_is_where_the_search_begins():
    taught = searched(5, tasks())
    assert min(outcome(trial.params) for trial in taught) < 0.35
    alone = searched(5)
    assert min(outcome(trial.params) for trial in alone) > 0.35


def test_the_process_alone_finds_what_is_good():
    found = [trial.values[0] for trial in searched(40)]
    assert min(found[8:]) < 0.3 * min(found[:8])


def test_a_suggestion_says_what_it_was_made_of():
    past = tasks()
    trials = tuple(searched(12, past))
    asked = neural(SPACE, History(trials, past), (), 9, 7)
    assert {one.slot for one in asked} >= {"learned", "pull"}
    assert all(one.evidence == asked[0].evidence and one.evidence > 0 for one in asked)
    assert all(0 < one.prior <= 1 for one in asked if one.slot != "plain")
    assert all(-3 < one.mean < 3 and 0 < one.deviation < 3 for one in asked)
    early = neural(SPACE, History(trials[:3], past), (), 2, 7)
    assert [one.evidence for one in early] == [None, None]
    alone = neural(SPACE, History(trials), (), 1, 7)[0]
    assert (alone.slot, alone.prior, alone.evidence) == ("plain", 0.0, None)


def test_a_history_that_misleads_is_given_up():
    def opposite(params):
        return -outcome(params)

    past = tasks()
    trials = tuple(searched(30, past, loss=opposite))
    asked = neural(SPACE, History(trials, past), (), 8, 7)
    assert asked[0].evidence < 0
    assert [one.slot for one in asked].count("plain") >= 6


@pytest.mark.parametrize("structures", [1, 2])
def test_a_batch_keeps_within_the_structures_that_fit(structures):
    asked = neural(SPACE, History((), tasks()), (), 12, 7, structures=structures)
    found = {(one.params["units"], one.params["depth"]) for one in asked}
    assert len(asked) == 12 and len(found) == structures


def test_a_long_search_is_asked_by_some_of_its_trials(monkeypatch):
    sizes = []

    def fit(columns, groups, residuals):
        sizes.append(len(residuals))
        return process.fit(columns, groups, residuals)

    monkeypatch.setattr(models, "fit", fit)
    rng = np.random.default_rng(0)
    params = [SPACE.params(rng.random(len(SPACE))) for _ in range(900)]
    trials = tuple(Trial(one, (outcome(one),)) for one in params)
    asked = neural(SPACE, History(trials, tasks()), (), 4, 7)
    assert max(sizes) == models.FITTED
    assert max(outcome(one.params) for one in asked) < 0.4


def test_failures_and_runs_that_lack_a_param_are_taken_as_they_are():
    past = [
        PastTask("few", (Trial({"rate": 0.1}, (1.0,)),)),
        PastTask("failed", tuple(Trial({"rate": 0.1}, (math.inf,)) for _ in range(9))),
        PastTask(
            "older",
            tuple(
                Trial({"rate": rate, "depth": 9, "units": "else"}, (rate,))
                for rate in np.geomspace(1e-6, 100, 30).tolist()
            ),
        ),
    ]
    trials = [Trial(SPACE.params([0.1 * i] * 6), (math.inf,)) for i in range(3)]
    trials.append(Trial(SPACE.params([0.9] * 6), (math.nan,), violations=(1.0,)))
    asked = neural(SPACE, History(tuple(trials), tuple(past)), (), 3, 7)
    assert all(math.isfinite(one.mean) and math.isfinite(one.deviation) for one in asked)


def test_codes_and_back():
    encoding = Encoding(SPACE)
    params = {"optimizer": "adam", "rate": 1e-2, "units": (64, 64), "depth": 3, "batch": 64}
    codes = encoding.codes([params])
    assert codes[0] == pytest.approx([1, 0.5, ABSENT, 1, 3, 2])
    assert encoding.params(codes[0]) == params | {"rate": pytest.approx(1e-2)}
    columns = encoding.columns(codes)[0]
    assert columns == pytest.approx([-1, 1, 0, 0, 1, -1, 1, -1, 1 / 3, 1 / 3])
    assert encoding.groups.tolist() == [0, 0, 1, 2, 2, 3, 3, 3, 4, 5]


def test_what_comes_back_from_a_file_is_the_same_choice_and_a_flag_is_no_number():
    space = Space((Dimension("a", "choice", choices=((8,), (8, 8), True, 1, None)),))
    codes = Encoding(space).codes([{"a": value} for value in ([8, 8], [8], 1, True, None, 2)])
    assert codes[:, 0].tolist() == [1, 0, 3, 2, 4, ABSENT]


def test_quantiles_know_only_the_order():
    values = [3.0, 1e12, -5.0, math.inf, math.nan]
    assert quantiles(values) == pytest.approx([-0.524, 0, -1.282, 0.842, 0.842], abs=1e-3)
    assert len(quantiles([])) == 0


def test_gradients_are_those_of_the_losses():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((network.MEMBERS, 6, 3)).astype(np.float32)
    z, numbers = rng.standard_normal((network.MEMBERS, 6)), rng.integers(2, size=(5, 6))
    layers = network._initial((3, 4, 4, 4), rng)
    layers = tuple((w.astype(np.float64), b.astype(np.float64)) for w, b in layers)

    def loss():
        outputs = network._forward(layers, x)[-1]
        mean, log = outputs[:, :, 0], outputs[:, :, 1]
        heads = np.take_along_axis(outputs[:, :, 2:], numbers[:, :, None], 2)[:, :, 0]
        each = (z - mean) ** 2 / 2 * np.exp(-2 * log) + log + (heads - z) ** 2 / 2
        return each.mean(1).sum()

    gradients = network._gradients(layers, x, z, numbers)
    values = [value for layer in layers for value in layer]
    for value, gradient in zip(values, gradients, strict=True):
        place = tuple(rng.integers(size) for size in value.shape)
        before = loss()
        value[place] += 1e-6
        assert (loss() - before) / 1e-6 == pytest.approx(gradient[place], rel=1e-2, abs=1e-4)
        value[place] -= 1e-6


def test_the_process_climbs_by_its_true_gradient_and_passes_through_its_trials():
    rng = np.random.default_rng(0)
    columns, groups = rng.uniform(-1, 1, (12, 3)), np.array([0, 1, 1])
    residuals = np.sin(3 * columns[:, 0])
    squares = process._squares(columns, groups, 2)
    theta = np.array([0.1, 0.2, -0.5, -2.0])
    value, gradient = process._likelihood(theta, squares, np.ones((12, 12)), residuals)
    for index in range(4):
        moved = theta + 1e-6 * (np.arange(4) == index)
        higher, _ = process._likelihood(moved, squares, np.ones((12, 12)), residuals)
        assert (higher - value) / 1e-6 == pytest.approx(gradient[index], rel=1e-3)
    scales = process.fit(columns, groups, residuals)
    assert scales.lengths[0] < scales.lengths[1]
    posterior = process.Posterior(scales, groups, columns, residuals, columns)
    assert posterior.mean == pytest.approx(residuals, abs=0.2)
    assert posterior.fitted == pytest.approx(posterior.mean)
    before = posterior.variance[3]
    posterior.believe(3)
    assert posterior.variance[3] < before


def test_expected_improvement_is_sound_far_out():
    mean = np.array([0.0, 1.0, 40.0, 5000.0])
    log = process.log_expected_improvement(mean, np.ones(4), 0.0)
    assert log[0] == pytest.approx(math.log(1 / math.sqrt(2 * math.pi)))
    assert log[1] == pytest.approx(math.log(0.0833155), abs=1e-4)
    assert np.all(np.isfinite(log)) and np.all(np.diff(log) < 0)
