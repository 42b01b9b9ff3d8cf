"""A preset of one's own: where it may lie, and what is wrong with it by file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runner.config.compose import compose
from runner.errors import ConfigError
from tests.runner.session import session

ROOT = Path(__file__).parents[2]
HEAD = "# @package _global_\n"
OWN = f"{HEAD}defaults:\n  - override /dataset: iris\n\nepochs: 3\n"

FAULTS: dict[str, tuple[str, str]] = {
    # What is wrong: what the file holds, and a pattern of what is said of it.
    "a root typo": (
        f"{HEAD}epchs: 3\n",
        r"line 2: there is no key 'epchs': did you mean 'epochs'",
    ),
    "a typo": (
        f"{HEAD}optimizer: {{lerning_rate: 1}}\n",
        r"line 2: optimizer 'adam' has no param 'lerning_rate': did you mean 'learning_rate'",
    ),
    "a typo of a chosen one": (
        f"{HEAD}defaults:\n  - override /optimizer: sgd\noptimizer:\n  momentun: 1\n",
        r"line 5: optimizer 'sgd' has no param 'momentun': did you mean 'momentum'",
    ),
    "a typo of one of several": (
        f"{HEAD}regularizer:\n  l2:\n    strenth: 1\n",
        r"line 4: regularizer.l2 has no param 'strenth': did you mean 'strength'",
    ),
    "a typo in a setting": (
        f"{HEAD}split:\n  vall: 0.1\n",
        r"line 2: split has no key 'vall': did you mean 'val'",
    ),
    "a wrong type": (f"{HEAD}\nepochs: many\n", r"line 3: epochs=many is not valid: .*integer"),
    "a wrong param": (
        f"{HEAD}optimizer:\n  learning_rate: -1\n",
        r"line 3: optimizer.learning_rate=-1 is not valid: .*greater than 0",
    ),
    "one that is not in use": (
        f"{HEAD}regularizer:\n  l1: {{strength: 1}}\n",
        r"line 3: regularizer.l1 is not in use; add it, `- override /regularizer: \[.*, l1\]`",
    ),
    "an unknown component": (
        f"{HEAD}defaults:\n  - override /dataset: irs\n",
        r"line 3: there is no dataset 'irs' .* did you mean 'iris'",
    ),
    "an unknown one of several": (
        f"{HEAD}defaults:\n  - override /regularizer: [l2, drop]\n",
        r"line 3: there is no regularizer 'drop'.* did you mean 'dropout'",
    ),
    "an unknown kind": (
        f"{HEAD}defaults:\n  - override /datset: iris\n",
        r"line 3: there is no group 'datset': did you mean 'dataset'",
    ),
    "no override": (
        f"{HEAD}defaults:\n  - dataset: iris\n",
        r"line 3: 'dataset' does not choose.* write `- override /dataset: iris`",
    ),
    "no slash": (
        f"{HEAD}defaults:\n  - override dataset: iris\n",
        r"line 3: .* write `- override /dataset: iris`",
    ),
    "several of one": (
        f"{HEAD}defaults:\n  - override /dataset: [iris]\n",
        r"line 3: dataset takes one name",
    ),
    "defaults that are no list": (
        f"{HEAD}defaults:\n  override /dataset: iris\n",
        r"line 3: defaults are a list, such as `- override /dataset: iris`",
    ),
    "an override in the defaults": (
        f"{HEAD}defaults:\n  - override /optimizer=sgd\n",
        r"line 3: 'override /optimizer=sgd' is no entry of defaults",
    ),
    "an unknown preset below it": (
        f"{HEAD}defaults:\n  - digits_mpl\n",
        r"line 3: there is no preset 'digits_mpl': did you mean 'digits_mlp'",
    ),
    "a component as a value": (
        f"{HEAD}dataset: iris\n",
        r"line 2: what dataset is in use is said in `defaults:`, `- override /dataset: iris`",
    ),
    "a component by name": (
        f"{HEAD}dataset:\n  name: iris\n",
        r"line 2: .* `- override /dataset: iris`",
    ),
    "components as a value": (
        f"{HEAD}regularizer: [l2]\n",
        r"line 2: .* `- override /regularizer: \[l2\]`",
    ),
    "no package": ("epochs: 3\n", r"line 1: a preset begins with the line `# @package _global_`"),
    "another package": (f"{HEAD.replace('_global_', '_globl_')}epochs: 3\n", r"line 1: a preset"),
    "a package too late": (f"# mine\n{HEAD}epochs: 3\n", r"line 1: a preset begins"),
    "a byte order mark": (f"\ufeff{HEAD}epochs: 3\n", r"line 1: it begins with a byte order mark"),
    "a second document": (f"{HEAD}epochs: 3\n---\nseed: 1\n", r"line 3: it is no YAML"),
    "no value": (f"{HEAD}epochs:\n", r"line 2: epochs=null is not valid"),
    "numbers without brackets": (
        f"{HEAD}architecture:\n  units: 64, 32\n",
        r"line 3: .* is not a list.*: give architecture.units=\[64, 32\]",
    ),
    "a class that is a flag": (
        f"{HEAD}class_weight: {{yes: 5, no: 1}}\n",
        r"line 2: class_weight: yes is a flag to YAML; write `'yes':`",
    ),
    "an open reference": (f"{HEAD}epochs: ${{nosuch\n", r"line 2: .* a reference is \$\{key\}"),
    "a preset behind overrides": (
        f"{HEAD}defaults:\n  - override /dataset: iris\n  - digits_mlp\n",
        r"line 4: `- digits_mlp` must stand before the overrides",
    ),
    "one that stands on itself": (f"{HEAD}defaults:\n  - mine\n", r"line 3: .* stands on itself"),
    "nothing": ("", r"line 1: a preset begins"),
    "a key with dots": (
        f"{HEAD}optimizer.learning_rate: 0.1\n",
        r"line 2: .* write `learning_rate:` below `optimizer:`",
    ),
    "a key twice": (
        f"{HEAD}epochs: 3\nseed: 1\nepochs: 4\n",
        r"line 4: the key 'epochs' comes t",
    ),
    "a tab": (
        f"{HEAD}optimizer:\n\tlearning_rate: 1\n",
        r"line 3: a tab, where YAML wants s",
    ),
    "an open bracket": (f"{HEAD}epochs: [3\nseed: 1\n", r"line 3: it is no YAML: expected"),
    "a key too far right": (f"{HEAD}epochs: 3\n  seed: 1\n", r"line 3: a key stands too far to"),
    "an override": (f"{HEAD}epochs=3\n", r"line 2: 'epochs=3' is no `key: value`"),
    "a list": (f"{HEAD}- epochs: 3\n", r"line 2: '- epochs: 3' is no `key: value`"),
    "a flag for text": (
        f"{HEAD}monitor: no\n",
        r"line 2: .* is a flag to YAML; write `monitor: '",
    ),
    "a number for text": (
        f"{HEAD}defaults:\n  - override /dataset: csv\ndataset: {{path: a.csv, label: 1e5}}\n",
        r"line 4: dataset.label: 1e5 is a number to YAML; write `label: '1e5'`",
    ),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands, with a folder for presets."""
    monkeypatch.delenv("SWEEPHOUSE_CONF", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_told_with_file_and_line(here: Path, what: str) -> None:
    text, pattern = FAULTS[what]
    put(here / "conf", text)
    with pytest.raises(ConfigError) as raised:
        compose(["experiment=mine"])
    sentence = str(raised.value)
    assert sentence.startswith("conf/experiment/mine.yaml, line ")
    assert re.search(pattern, sentence), sentence
    assert "\n" not in sentence


def test_bytes_that_are_no_utf8_and_another_ending_are_told(here: Path) -> None:
    file = here / "conf" / "experiment" / "mine.yaml"
    file.write_bytes(f"{HEAD}# größe\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"mine.yaml cannot be read: it is not UTF-8"):
        compose(["experiment=mine"])
    file.rename(file.with_suffix(".yml"))
    with pytest.raises(ConfigError, match=r"mine.yml is no preset: its name must end in .yaml"):
        compose(["experiment=mine"])


@pytest.mark.parametrize("name", ["größe", "a b", "deep/er", "mine.yaml"])
def test_names_are_free(here: Path, name: str) -> None:
    (here / "conf" / "experiment" / "deep").mkdir()
    put(here / "conf", OWN, name.removesuffix(".yaml"))
    assert compose([f"experiment={name}"])[0].settings.epochs == 3


def test_a_part_of_a_preset_may_be_merged(here: Path) -> None:
    put(here / "conf", f"{HEAD}optimizer:\n  <<: {{learning_rate: 0.5}}\n  beta_1: 0.8\n")
    optimizer = compose(["experiment=mine"])[0].plain()["optimizer"]
    assert (optimizer["learning_rate"], optimizer["beta_1"]) == (0.5, 0.8)


def test_what_the_command_line_chooses_counts(here: Path) -> None:
    put(here / "conf", f"{HEAD}optimizer:\n  momentum: 0.5\n")
    with pytest.raises(ConfigError, match="'adam' has no param 'momentum'"):
        compose(["experiment=mine"])
    assert compose(["experiment=mine", "optimizer=sgd"])[0].plain()["optimizer"]["momentum"] == 0.5


def test_values_may_refer_to_one_of_ones_own_and_presets_to_others(here: Path) -> None:
    put(here / "conf", f"{HEAD}defaults:\n  - base\n\nwidth: 8\nepochs: ${{width}}\n")
    put(here / "conf", f"{HEAD}defaults:\n  - override /optimizer: sgd\n\nseed: 5\n", "base")
    settings = compose(["experiment=mine"])[0].plain()
    assert (settings["epochs"], settings["seed"], settings["optimizer"]["name"]) == (8, 5, "sgd")


def test_it_lies_where_one_stands_or_where_the_environment_says(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(here / "conf", OWN)
    config, name = compose(["experiment=mine"])
    assert (name, config.settings.epochs, config.one("dataset").component.name) == (
        "mine",
        3,
        "iris",
    )
    (here / "conf").rename(here / "my presets")
    monkeypatch.setenv("SWEEPHOUSE_CONF", "my presets")
    assert compose(["experiment=mine"])[0].plain() == config.plain()
    monkeypatch.setenv("SWEEPHOUSE_CONF", "nosuch")
    with pytest.raises(ConfigError, match="SWEEPHOUSE_CONF=nosuch is no folder"):
        compose([])


def test_a_folder_conf_of_another_project_changes_nothing(here: Path) -> None:
    (here / "conf" / "optimizer").mkdir()
    (here / "conf" / "optimizer" / "adam.yaml").write_text("_target_: torch.optim.Adam\n")
    put(here / "conf", "lr: 3\n")
    assert compose(["experiment=digits_mlp"])[0].settings.epochs == 30


def test_in_our_own_repository_presets_are_the_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert compose(["experiment=digits_mlp"])[0].settings.epochs == 30
    monkeypatch.setenv("SWEEPHOUSE_CONF", "conf")
    assert compose(["experiment=digits_mlp"])[0].settings.epochs == 30


def test_a_name_of_the_runners_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(here / "conf", OWN, "digits_mlp")
    monkeypatch.setenv("SWEEPHOUSE_CONF", "conf")
    with pytest.raises(ConfigError, match=r"digits_mlp.yaml has the name of a preset of the runn"):
        compose(["experiment=digits_mlp"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("+epchs=3", "epochs"),
        ("++Epoch=3", "epochs"),
        ("+batchsize=3", "batch_size"),
        ("+optmizer.learning_rate=3", "optimizer"),
        ("+learning_rate=3", "optimizer.learning_rate"),
    ],
)
def test_a_note_may_not_be_a_misspelt_key(word: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        compose([word])


def test_a_note_is_kept() -> None:
    assert compose(["+note=hello", "+lab.room=3"])[0].notes == {
        "note": "hello",
        "lab": {"room": 3},
    }


@pytest.mark.slow
def test_the_command_line_says_the_same(here: Path) -> None:
    put(here / "conf", OWN)
    put(here / "conf", f"{HEAD}epchs: 3\n", "typo")
    put(here / "other", f"{HEAD}optimizer: {{lerning_rate: 1}}\n", "far")
    (here / "other" / "root.yaml").write_text("defaults:\n  - config\n\nepchs: 3\n")
    shown, typo, unknown, far, root = session(
        [
            ["experiment=mine", "--cfg", "job"],
            ["-m", "experiment=mine,typo"],
            ["experiment=mien"],
            ["experiment=far", "--config-dir", "other"],
            ["-cn", "root", "-cd", "other"],
        ],
        here,
    )
    assert "epochs: 3" in shown.out
    for done, pattern in [
        (typo, "conf/experiment/typo.yaml, line 2: there is no key 'epchs'"),
        (unknown, "there is no experiment 'mien' .*did you mean 'mine'"),
        (root, "other/root.yaml, line 4: there is no key 'epchs': did you mean 'epochs'"),
        (far, "other/experiment/far.yaml, line 2: .* no param 'lerning_rate'"),
    ]:
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
        assert re.search(pattern, done.err), done.err


def test_the_page_shows_one_from_zero(here: Path) -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    put(here / "conf", text, "flowers")
    done: Any = compose(["experiment=flowers", "epochs=5"])[0].plain()
    assert (done["dataset"]["name"], done["epochs"]) == ("iris", 5)
    for option in ("SWEEPHOUSE_CONF", "--config-dir", "conf/experiment/flowers.yaml"):
        assert option in page


def put(folder: Path, text: str, name: str = "mine") -> None:
    """Write a preset."""
    (folder / "experiment").mkdir(parents=True, exist_ok=True)
    (folder / "experiment" / f"{name}.yaml").write_text(text, encoding="utf-8")
