"""What is typed and what comes of it: the value that was meant, or what to type instead."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from runner.components.registry import load
from runner.config.compose import compose, reading_what_is_typed, register
from runner.config.typed import is_multirun, refuse_odd_words, separated
from runner.errors import ConfigError
from tests.runner.session import session

TABLE = ["dataset=sql", "dataset.source=t.db", "dataset.query=FROM t", "dataset.label=y"]

# --- Values that simply work ---------------------------------------------------------------------

TEXTS = [
    *("Alter (J.)", "größe", "名前", "a b", "#x", "a#b", "it's", "5' 3\"", "a=b", "=", "x = 'y'"),
    *("data[1].csv", "[a", "a]", "{a", "a)", "(a)", "a;b", "a&b", "a|b", "<5", "!", "`", "?", "*"),
    *("100%", "$HOME", "12:30", "2024-01-01", "C:\\data\\x.csv", "C:\\d[1]\\x.csv", "1a", "a.b"),
    *("1e5", "1.50", "3.10", "007", "+1", "1_000", "true", "NaN", "inf", "yes", "no", "f(x)"),
    *("3.5 €", "Preis, Euro", "Preis (a, b)", "~/x", "~", "a@b", "a/b", "int", "range", "a\tb"),
    *(",", ";", "\t", " ", "|", "'", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S", "latin-1", "-", "N/A"),
]


@pytest.mark.parametrize("multirun", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_what_was_typed(text: str, multirun: bool) -> None:
    if multirun and text == "Preis, Euro":
        return  # there a comma is between values
    with reading_what_is_typed(multirun):
        override = OverridesParser.create().parse_override(f"dataset.label={text}")
        again = OverridesParser.create().parse_override(
            f"dataset.label={override.get_value_element_as_str()}"
        )
    assert override.value() == again.value() == text


@pytest.mark.parametrize("text", ["Alter (J.)", "1e5", "Preis, Euro", "C:\\d[1]\\x.csv"])
def test_it_reaches_the_config(text: str) -> None:
    assert value_of("dataset.label", text, "dataset.label") == text


@pytest.mark.many
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SELECT a, b FROM t WHERE x = 'y'", "SELECT a, b FROM t WHERE x = 'y'"),
        ("SELECT count(*)\nFROM t", "SELECT count(*)\nFROM t"),
        ('"a,b"', "a,b"),
        ("'it\"s'", 'it"s'),
        ("a\\,b", "a,b"),
    ],
)
def test_a_query_needs_no_quotes_and_may_have_them(typed: str, meant: str) -> None:
    assert value_of("dataset.query", typed, "dataset.query") == meant


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("dataset.label", "[größe,b]", ["größe", "b"]),
        ("dataset.label", "[Alter (J.),'b,c', 1e5]", ["Alter (J.)", "b,c", "1e5"]),
        ("dataset.label", "[NA,?,-,-999,n/a,'']", ["NA", "?", "-", "-999", "n/a", ""]),
        ("dataset.label", "''", ""),
        ("class_weight", "{größe:5,a (b):1}", {"größe": 5, "a (b)": 1}),
        ("class_weight", "{Yes:5,No:1}", {"Yes": 5, "No": 1}),
        ("architecture.units", "[64, 32]", [64, 32]),
        ("optimizer.learning_rate", "1e-3", 0.001),
        ("monitor", "null", None),
        ("+note", "3 Äpfel (rot)", "3 Äpfel (rot)"),
        ("+note", "1e5", 100000.0),
    ],
)
@pytest.mark.many
def test_lists_dicts_and_numbers_stay_what_they_are(key: str, typed: str, meant: Any) -> None:
    assert value_of(key, typed, key.lstrip("+")) == meant


def test_in_a_sweep_each_value_is_read_so() -> None:
    with reading_what_is_typed(multirun=True):
        parse = OverridesParser.create().parse_override
        swept = parse("dataset.label=größe,1e5,Alter (J.)")
        again = [parse(f"dataset.label={one}").value() for one in swept.sweep_string_iterator()]
    assert again == ["größe", "1e5", "Alter (J.)"]


def value_of(key: str, typed: str, path: str) -> Any:
    """What the config has at a path when a value is typed for the key."""
    node: Any = compose([*TABLE, f"{key}={typed}"])[0].plain()
    for name in path.split("."):
        node = node[name]
    return node


# --- Sentences that say what to type instead -----------------------------------------------------

SENTENCES: dict[str, tuple[list[str], str]] = {
    # What is wrong: the words, and a pattern of the sentence.
    "no -m": (["seed=1,2"], r"seed=1,2 gives several values.* type -m seed=1,2$"),
    "no -m, a function": (["seed=range(1,3)"], r"type -m 'seed=range\(1,3\)'$"),
    "no -m, a group": (["optimizer=adam,sgd"], r"type -m optimizer=adam,sgd$"),
    "no -m, or a list": (
        ["architecture.units=64,32"],
        r"type -m architecture.units=64,32; for one list type 'architecture.units=\[64,32\]'$",
    ),
    "no -m, or several": (["regularizer=l2,l1"], r"for one list type 'regularizer=\[l2,l1\]'$"),
    "no -m, or one text": (["split.by=a,b"], r"for one text type 'split.by=\"a,b\"'$"),
    "round brackets": (["architecture.units=(64,32)"], r"architecture.units=\[64,32\]$"),
    "an open bracket": (["regularizer=[l2, dropout"], r"a bracket is not closed"),
    "a last comma": (["epochs=5,"], r"epochs=5, is not valid: nothing stands by a comma"),
    "a comma too many": (["regularizer=[l2,]"], r"nothing stands by a comma"),
    "nothing between commas": (["architecture.units=[64,,32]"], r"nothing stands by a comma"),
    "= for a colon": (["class_weight={a=5}"], r"has colons, class_weight=\{a:5\}$"),
    "two in one": (["epochs=5;seed=3"], r"type them apart, epochs=5 seed=3$"),
    "two in one word": (["epochs=5 seed=3"], r"type them apart, epochs=5 seed=3$"),
    "a decimal comma": (["split.val=0,2"], r"for one number type split.val=0.2$"),
    "quotes of another shell": (["'epochs=5'"], r"type epochs=5$"),
    "one run and many": (["-r", "-m", "seed=1"], r"--run trains one run and --multirun many"),
    "no such function": (["seed=rang(5)"], r"there is no function 'rang': did you mean 'range'"),
    "a second =": (["epochs=5=6"], r"epochs=5=6 is not valid.*Integer"),
    "two =": (["epochs==5"], r"epochs==5 is not valid.*Integer"),
    "spaces around =": (["epochs", "=", "5"], r"key=value without spaces"),
    "a space before =": (["epochs =5"], r"type epochs=5$"),
    "a colon": (["epochs:5"], r"type epochs=5$"),
    "no =": (["epochs", "5"], r"type epochs=5$"),
    "a command's dashes": (["--epochs=5"], r"an override has no dashes; type epochs=5$"),
    "dashes and a space": (["--batch-size", "5"], r"no option --batch-size.*type batch_size=5$"),
    "a misspelt option": (["--mutlirun", "seed=1,2"], r"did you mean '--multirun'"),
    "a long dash": (["—multirun", "seed=1,2"], r"no hyphen; type --multirun$"),
    "a short one": (["–m", "seed=1,2"], r"no hyphen; type -m$"),
    "an option without value": (["--config-dir"], r"--config-dir.*expected one argument"),
    "an option's odd value": (["--cfg=jobs"], r"invalid choice: 'jobs'"),
    "round quotes": (["“epochs=5”"], r"typographic ones; type \"epochs=5\"$"),
    "an umlaut in a key": (["größe=5"], r"'größe' can be no key"),
    "a class as a key": (["class_weight.größe=5"], r"type 'class_weight=\{größe:5\}'$"),
    "an empty key": (["+=5"], r"an override is key=value"),
    "an empty name": (["optimizer="], r"optimizer takes one name, available: .*adam"),
    "a key that ends in a dot": (["optimizer.=3"], r"'optimizer.' can be no key"),
    "a key below a value": (["epochs.x=3"], r"epochs has no keys of its own"),
    "a + too many": (["+optimizer=adam"], r"type optimizer=adam$"),
    "a + before a key": (["+epochs=3"], r"epochs is there already and needs no \+"),
    "nothing to delete": (["~nosuch"], r"a key 'nosuch' does not exist"),
    "a word": (["seed=1", "train"], r"train is not valid: an override is key=value"),
    "no such reference": (["epochs=${nosuch}"], r"epochs is not valid: .*'nosuch' not found"),
    "a number of 400 digits": (["epochs=" + "9" * 400], r"whole number has at most 64 bits$"),
    "a number of 5,000 digits": (["epochs=" + "9" * 5000], r"could not be converted to Integer$"),
    "a fraction of 400 digits": (["optimizer.learning_rate=" + "9" * 400], r"at most 64 bits$"),
    "a value of 10,000 letters": (["epochs=" + "x" * 10_000], r"^.{80,999}to Integer$"),
    "a key of 10,000 letters": (["x" * 10_000 + "=1"], r"^.{80,999} is too long"),
    "a name of 10,000 letters": (["optimizer=" + "x" * 10_000], r"^.{80,999} is too long"),
    "a word of 10,000 letters": (["x" * 10_000], r"^.{80,2999}neither a command nor an override"),
    "an option of 10,000 letters": (["--" + "x" * 10_000], r"^.{80,2999}there is no option|--x"),
    "brackets without end": (["+note=" + "[" * 3000 + "]" * 3000], r"nested more than 50 deep$"),
    "a range without steps": (["-m", "seed=range(0,1,0)"], r"it has no next value$"),
    "a range of no number": (["-m", "seed=range(nan)"], r"it has no next value$"),
    "a range beyond counting": (["-m", "seed=range(" + "9" * 400 + ")"], r"at most 64 bits$"),
    "no package": (["--cfg", "job", "--package", "nope"], r"^package 'nope' not found"),
    "odd information": (["--info=bad"], r"invalid choice: 'bad'"),
    "completion of nothing": (["--shell-completion"], r"takes install=SHELL or uninstall=SHELL"),
    "completion of no line": (["-sc", "query=bash"], r"COMP_LINE"),
    "a group of Hydra's": (["hydra=null"], r"hydra=null is not valid: hydra takes one name$"),
    "a folder below a file": (["hydra.run.dir=/dev/null/x"], r"/dev/null/x cannot be written"),
    "no launcher": (["-m", "seed=1,2", "hydra.launcher._target_=os.getcwd"], r"Invalid plugin"),
    "no sweeper": (["-m", "seed=1,2", "hydra.sweeper._target_=os.getcwd"], r"Invalid plugin"),
    "no sweeper at all": (["-m", "seed=1,2", "hydra.sweeper=null"], r"sweeper is not configured"),
    "a preset beside": (["experiment=../config"], r"experiment takes one name, available: "),
    "a reference to itself": (["seed=${seed}"], r"seed refers to itself"),
    "no engine": (["engine=os:getcwd"], r"engine=os:getcwd is no engine"),
    "an engine without a name": (["engine=:"], r"the engine : cannot be loaded"),
    "results of 10,000 letters": (["results=" + "x" * 10_000], r"can be no results folder"),
    "a misspelt pruner": (["-m", "seed=1,2", "search.pruner=medain"], r"did you mean 'median'\?"),
    "a pruner of a search": (
        ["-m", "hydra/sweeper=search", "search.sampler=random", "search.pruner=x", "seed=1,2"],
        r"there is no pruner 'x' \(search.pruner=x\): available: halving",
    ),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command line says to each, in a process that has them all."""
    folder = tmp_path_factory.mktemp("typing")
    done = session([words for words, _ in SENTENCES.values()], folder)
    return dict(zip(SENTENCES, done, strict=True))


@pytest.mark.parametrize("what", SENTENCES)
def test_one_sentence_says_what_to_type(what: str, said: dict[str, Any]) -> None:
    done, pattern = said[what], SENTENCES[what][1]
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert re.search(pattern, done.err.strip()), done.err


def test_what_is_to_be_typed_for_a_shell_is_one_text() -> None:
    register(load())
    with reading_what_is_typed(multirun=False):
        with pytest.raises(ConfigError, match="for one text type") as raised:
            refuse_odd_words(["split.by=a,b"], multirun=False)
        [word] = shlex.split(str(raised.value).rpartition("for one text type ")[2])
        refuse_odd_words([word], multirun=False)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "seed=1,2", "epochs=3"],
        ["seed=1,2", "-m", "epochs=3"],
        ["seed=1,2", "epochs=3", "--multirun"],
        ["--multirun", "seed=1,2", "-m", "epochs=3"],
        ["seed=1,2", "epochs=3", "hydra.mode=MULTIRUN"],
    ],
)
def test_multirun_may_stand_anywhere(words: list[str]) -> None:
    options, overrides = separated(words)
    assert is_multirun(words)
    assert overrides[:2] == ["seed=1,2", "epochs=3"]
    assert set(options) <= {"-m", "--multirun"}


def test_options_keep_their_values(tmp_path: Path) -> None:
    options, overrides = separated(["a=1", "-cd", str(tmp_path), "--cfg", "job", "b=2", "--info"])
    assert options == ["-cd", str(tmp_path), "--cfg", "job", "--info"]
    assert overrides == ["a=1", "b=2"]
