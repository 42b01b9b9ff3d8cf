"""Dataset japanese_vowels: aeon's files read without aeon, padded, in the authors' parts."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from runner import DataError, SplitPlan, Splits


def utterance(steps: int, speaker: int) -> str:
    """A line of a .ts file: the value of dimension d at step s is d + s/100."""
    series = (",".join(str(d + s / 100) for s in range(steps)) for d in range(12))
    return ":".join([*series, str(speaker)])


@pytest.fixture
def aeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name which must not be imported."""
    folder = tmp_path / "aeon" / "datasets" / "data" / "JapaneseVowels"
    folder.mkdir(parents=True)
    (tmp_path / "aeon" / "__init__.py").write_text("raise ImportError('too heavy')")
    for part, rows in (("TRAIN", 40), ("TEST", 5)):
        lines = (utterance(7 + row % 23, row % 9 + 1) for row in range(rows))
        head = "#About\n@problemName JapaneseVowels\n@data\n"
        (folder / f"JapaneseVowels_{part}.ts").write_text(head + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder


def test_utterances_are_padded_and_the_test_part_is_the_authors(make, aeon: Path) -> None:
    splits = make("dataset", "japanese_vowels", split=SplitPlan(val=0.25, test=0.5, seed=1))
    assert isinstance(splits, Splits)
    assert splits.test[0].shape == (5, 29, 12)
    first = splits.test[0][0]
    np.testing.assert_allclose(first[6], np.arange(12) + 0.06, rtol=1e-6)
    assert (first[7:] == 0).all()
    assert splits.test[1].tolist() == [0, 1, 2, 3, 4]
    rows = len(splits.train[1]), len(splits.val[1])
    assert sum(rows) == 40 and rows[1] > 0
    assert (splits.task.kind, splits.task.outputs) == ("classification", 9)


def test_without_a_val_share_there_is_no_val_part(make, aeon: Path) -> None:
    splits = make("dataset", "japanese_vowels", split=SplitPlan(val=0.0, test=0.5, seed=1))
    assert splits.val is None and len(splits.train[1]) == 40


def test_a_missing_file_is_one_sentence(make, aeon: Path) -> None:
    (aeon / "JapaneseVowels_TEST.ts").unlink()
    with pytest.raises(DataError, match=r"JapaneseVowels_TEST\.ts is missing"):
        make("dataset", "japanese_vowels")


@pytest.mark.skipif(find_spec("aeon") is None, reason="needs pip install --no-deps aeon==1.6.0")
def test_the_real_ones_are_270_and_370(make) -> None:
    splits = make("dataset", "japanese_vowels")
    assert len(splits.train[1]) + len(splits.val[1]) == 270
    assert len(splits.test[1]) == 370
    assert np.bincount(np.concatenate([splits.train[1], splits.val[1]])).tolist() == [30] * 9
