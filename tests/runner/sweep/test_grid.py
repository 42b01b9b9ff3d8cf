"""The jobs of grids: pairs by zip, unions by join, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from runner.config.compose import reading_what_is_typed
from runner.config.typed import asked_presets, refuse_odd_words
from runner.errors import ConfigError
from runner.sweep.launching.quick import QuickSweeper
from tests.faults.engine import SIDE
from tests.runner.session import session

RATES = "optimizer.learning_rate=1e-3,1e-2"
SIZES = "batch_size=16,32"
PAIRS = [
    "optimizer.learning_rate=0.001 batch_size=16",
    "optimizer.learning_rate=0.01 batch_size=32",
]


def jobs(*words: str, most: int = 1000) -> list[str]:
    with reading_what_is_typed(multirun=True):
        refuse_odd_words(words, multirun=True)
        # As it is set up: Hydra executes the class that it derives from anew in each application.
        sweeper = QuickSweeper.__new__(QuickSweeper)
        sweeper.hydra_context = None
        sweeper.config = SimpleNamespace(sweep=SimpleNamespace(max_jobs=most))
        overrides = OverridesParser.create().parse_overrides(list(words))
        batches = sweeper.split_arguments(overrides, None)
    return [" ".join(job) for batch in batches for job in batch]


@pytest.mark.parametrize(
    "words",
    [
        [f"zip({RATES.partition('=')[0]},batch_size)", RATES, SIZES],
        [RATES, SIZES, "zip( optimizer.learning_rate , batch_size )"],
        [f"zip({RATES},{SIZES})"],
        ["zip(optimizer.learning_rate=choice(1e-3,1e-2),batch_size=range(16,33,16))"],
        ["pairs=zip(optimizer.learning_rate=[1e-3,1e-2],batch_size=[16,32])"],
    ],
)
def test_zip_pairs_the_nth_values_in_each_of_its_spellings(words):
    assert jobs(*words) == PAIRS
    crossed = [f"{pair} seed={seed}" for pair in PAIRS for seed in (1, 2)]
    assert jobs(*words, "seed=1,2") == crossed


def test_zip_pairs_groups_lists_and_notes():
    words = ("optimizer=adam,sgd", "+note=a,b", "architecture.units=[64],[64,64]")
    assert jobs("zip(optimizer,architecture.units,note)", *words) == [
        "optimizer=adam architecture.units=[64] +note=a",
        "optimizer=sgd architecture.units=[64,64] +note=b",
    ]


def test_two_zips_are_combined():
    first = ("zip(seed,epochs)", "seed=1,2", "epochs=3,4")
    assert jobs(*first, "zip(batch_size=8,9,optimizer=adam,sgd)") == [
        "seed=1 epochs=3 batch_size=8 optimizer=adam",
        "seed=1 epochs=3 batch_size=9 optimizer=sgd",
        "seed=2 epochs=4 batch_size=8 optimizer=adam",
        "seed=2 epochs=4 batch_size=9 optimizer=sgd",
    ]


def test_join_is_the_union_of_grids_each_combined_with_the_words_outside():
    word = (
        "join(optimizer=adam optimizer.learning_rate=1e-3,1e-2; "
        "optimizer=sgd optimizer.momentum=0,0.9)"
    )
    union = [
        "optimizer=adam optimizer.learning_rate=0.001",
        "optimizer=adam optimizer.learning_rate=0.01",
        "optimizer=sgd optimizer.momentum=0",
        "optimizer=sgd optimizer.momentum=0.9",
    ]
    assert jobs(word) == union
    assert jobs(word, "seed=1,2") == [f"{one} seed={seed}" for one in union for seed in (1, 2)]
    assert jobs("epochs=5", word) == [f"epochs=5 {one}" for one in union]


def test_a_combination_of_two_grids_is_one_job():
    assert jobs("join(optimizer=adam,sgd; optimizer=sgd,adamw)") == [
        "optimizer=adam",
        "optimizer=sgd",
        "optimizer=adamw",
    ]


def test_a_value_outside_of_a_join_counts_where_a_grid_has_none():
    assert jobs("join(seed=1; seed=2 epochs=7)", "epochs=5") == [
        "epochs=5 seed=1",
        "seed=2 epochs=7",
    ]


def test_a_join_may_hold_pairs_and_text_in_quotes():
    words = jobs("join(zip(seed,epochs) seed=1,2 epochs=3,4; +note='a; b',\"c d\" ~schedule)")
    assert words[:2] == ["seed=1 epochs=3", "seed=2 epochs=4"]
    assert [word.partition(" ~")[0] for word in words[2:]] == ["+note='a; b'", '+note="c d"']


def test_presets_inside_are_found():
    assert asked_presets(["join(experiment=a,b; experiment=c)", "experiment=d"]) == list("abcd")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["zip(seed,epochs)", "seed=1,2,3", "epochs=1,2"], "seed has 3 and epochs has 2"),
        (["zip(seed=1,2,epochs=3)"], "seed has 2 and epochs has 1"),
        (["zip(seed)", "seed=1,2"], "two keys or more"),
        (["zip(seed,seed)", "seed=1,2"], "two keys or more"),
        (["zip(seed,epohcs)", "seed=1,2", "epochs=1,2"], "did you mean 'epochs'"),
        (["zip(seed,epochs)", "seed=1,2"], "type epochs=<value>,<value> too"),
        (["zip(seed=1,2,epochs=3,4)", "epochs=9"], "epochs has a value outside of it, too"),
        (["zip(seed,epochs)", "seed=shuffle(1,2)", "epochs=1,2"], "seed is shuffled"),
        (["zip(seed=interval(1,2),epochs=1,2)"], "cannot be listed"),
        (
            ["zip(seed,epochs)", "zip(seed,batch_size)", "seed=1,2", "epochs=1,2", SIZES],
            "seed is tied by zip(seed,epochs) already",
        ),
        (["optimizer.learning_rate=zip(1,2)"], "zip(optimizer.learning_rate,...)"),
        (["zip(1,epochs=2)"], "zip pairs keys"),
        (["zip(seed,epochs"], "bracket is not closed"),
        (["zipp(seed,epochs)"], "did you mean zip(...)?"),
        (["join()"], "one of its grids is empty"),
        (["join(seed=1;)"], "one of its grids is empty"),
        (["join(seed=1 2)"], "2 is no override"),
        (["join(seed=1; seed='2)"], "not closed"),
        (["x=join(seed=1)"], "join stands by itself"),
        (["join(seed=1,2; seed=2,3)", "seed=5,6"], "several values outside of it, too"),
        (["join(+optimizr=adam; seed=1)"], "did you mean 'optimizer'"),
        (["join(seed=range(900); seed=range(900))"], "the sweep has 1,800 jobs"),
        (["zip(seed,epochs)", "seed=range(2000)", "epochs=range(2000)"], "has 2,000 jobs"),
    ],
)
def test_what_ties_nothing_is_said_in_a_sentence(words, sentence):
    with pytest.raises((ConfigError, HydraException)) as error:
        jobs(*words)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_from_the_command_line(tmp_path):
    engine = ["engine=tests.faults.engine:SteadyEngine", "epochs=1"]
    pairs = [RATES, SIZES, "zip(optimizer.learning_rate,batch_size)"]
    union = "join(optimizer=adam optimizer.beta_1=0.8,0.9; optimizer=sgd optimizer.momentum=0.9)"
    done = session(
        [
            ["-m", *engine, *pairs],
            ["-m", *engine, union],
            [*pairs],
            [union, "-m", "hydra/sweeper=basic"],
            ["-m", *pairs, "zip(seed,epochs)"],
        ],
        tmp_path,
        {SIDE: str(tmp_path / "side"), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    paired, joined, alone, basic, nothing = done
    assert [paired.code, joined.code] == [0, 0], paired.err + joined.err
    for one in PAIRS:
        assert one in paired.out
    assert "2 finished" in paired.out and "3 finished" in joined.out
    assert "optimizer=sgd optimizer.momentum=0.9" in joined.out
    for other, sentence in [
        (alone, "only a --multirun has a run for each"),
        (basic, "only hydra/sweeper=quick, the default, knows zip and join"),
        (nothing, "has no values beside it"),
    ]:
        assert other.code == 2 and sentence in other.err
        assert other.err.count("\n") == 1
