"""Texts: what the datasets read, and the vocabulary that is made of them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from runner import DataError, Task, Transform

ROWS = [("good, very good", "pos"), ('a "bad" one', "neg"), ("so so", "neg"), ("fine", "pos")]
TASK = Task.binary(("neg", "pos"))


def written(folder: Path, name: str) -> Path:
    """The rows in the form that the name says."""
    path = folder / name
    if name.endswith(".csv"):
        lines = [
            "label,text",
            *(f'{label},"{text.replace(chr(34), chr(34) * 2)}"' for text, label in ROWS),
        ]
    elif name.endswith(".tsv"):
        lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in ROWS)]
    else:
        lines = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl"])
def test_texts_come_from_tables(make, tmp_path, name):
    data = make("dataset", "text", path=written(tmp_path, name))
    assert data.features.tolist() == [text for text, _ in ROWS]
    assert data.targets.tolist() == [1, 0, 0, 1]
    assert data.task == TASK


def test_texts_come_from_a_folder_a_class(make, tmp_path):
    for i, (text, label) in enumerate(ROWS):
        folder = tmp_path / label / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.txt").write_text(text, encoding="utf-8")
    data = make("dataset", "text", path=tmp_path)
    assert data.task == TASK
    assert dict(zip(data.features, data.targets, strict=True)) == {
        text: int(label == "pos") for text, label in ROWS
    }
    said = make.registry.find("dataset", "text").marks.identity(path=tmp_path)
    assert set(said) == {"neg/deep/1.txt", "neg/deep/2.txt", "pos/deep/0.txt", "pos/deep/3.txt"}


def test_rows_without_a_label_are_left_out_where_that_is_said(make, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,x\nb,\nc,y\n", encoding="utf-8")
    data = make("dataset", "text", path=tmp_path / "a.csv", missing_label="drop")
    assert (data.features.tolist(), data.task.names) == (["a", "c"], ("x", "y"))


def test_a_table_without_names_and_with_ratings(make, tmp_path):
    path = tmp_path / "ratings.txt"
    path.write_text('1\t-0.5\tnot "so\n2\t1.5\tgood\n3\t0\tso\n', encoding="utf-8")
    params = {"path": path, "columns": ["id", "rating", "said"], "text": "said", "label": "rating"}
    data = make("dataset", "text", **params)
    assert data.task == Task.regression()
    assert data.targets.tolist() == [-0.5, 1.5, 0]
    data = make("dataset", "text", **params, above=0)
    assert data.task == Task.binary()
    assert data.targets.tolist() == [0, 1, 0]
    assert data.features[0] == 'not "so'


@pytest.mark.parametrize(
    ("name", "content", "params", "said"),
    [
        ("a.csv", "text,label\na,b,c\n", {}, "3 cells in line 2.*columns are 2: text, label"),
        ("a.csv", "text,label\n", {}, "has no rows"),
        (
            "a.csv",
            "words,label\na,b\n",
            {},
            "dataset.text=text is no column.*words, label.*dataset.columns",
        ),
        ("a.csv", "text,mark\na,b\n", {}, "dataset.label=label is no column"),
        ("a.csv", "text,label\na,\n", {}, "has no label in line 2"),
        ("a.csv", "text,label\na,b\nc,d\n", {"above": 1}, "dataset.above=1.0 needs numbers.*'b'"),
        ("a.dat", "text,label\na,b\n", {}, "suffix '.dat'.*dataset.delimiter"),
        (
            "a.csv",
            "text,label\na,\nb,c\nd, \n",
            {},
            r"has no label in 2 of 3 rows \(lines 2, 4\).*missing_label=drop",
        ),
        ("a.csv", "text,label,text\na,b,c\n", {}, "two columns called 'text'"),
        ("a.csv", "text,label\na,b\n", {"encoding": "utf-7x"}, "utf-7x is no encoding"),
        ("a.csv", "text,label\n ,b\n,c\n", {}, "2 texts, and all of them are empty"),
        ("a.jsonl", '{"text": "a"\n', {}, "no JSON object in line 1"),
        ("a.jsonl", '{"text": "a", "label": null}\n', {}, "has no label in line 1"),
        ("a.csv", b"text,label\n\xff,b\n", {}, "not UTF-8 text: byte 11"),
    ],
)
def test_a_table_that_is_wrong_is_one_sentence(make, tmp_path, name, content, params, said):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "text", path=path, **params)
    assert "\n" not in str(told.value)


def test_texts_in_another_encoding_and_of_any_length(make, tmp_path):
    long = "größer " * 30_000
    (tmp_path / "a.csv").write_bytes(f"text,label\n{long},ä\nkurz,b\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"is not UTF-8 text: byte 13 .*dataset.encoding="):
        make("dataset", "text", path=tmp_path / "a.csv")
    data = make("dataset", "text", path=tmp_path / "a.csv", encoding="cp1252")
    assert data.features.tolist() == [long, "kurz"]
    assert data.task.names == ("b", "ä")
    (tmp_path / "b.csv").write_bytes("text,label\r\ngroß,a\r\nklein,b\r\n".encode("utf-16"))
    assert make("dataset", "text", path=tmp_path / "b.csv").features.tolist() == ["groß", "klein"]


def test_empty_texts_are_counted(make, tmp_path):
    for name, content in (("a/0", "x"), ("a/1", " \n"), ("b/0", ""), ("b/1", "y")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
    with pytest.warns(UserWarning, match="2 of 4 texts are empty"):
        assert len(make("dataset", "text", path=tmp_path).features) == 4


def test_a_folder_without_texts_is_one_sentence(make, tmp_path):
    (tmp_path / "a.txt").write_text("no class", encoding="utf-8")
    with pytest.raises(DataError, match="a folder for each class"):
        make("dataset", "text", path=tmp_path)


# --- snippets ------------------------------------------------------------------------------------


def archive(folder: Path) -> Path:
    """A source distribution as that of vaderSentiment 0.5, with three sentences on movies."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as inner:
        body = b"1\t2.25\tgreat\r\n2\t-1.5\tpoor\tplot\r\n3\t0\tlong\r\n"
        info = tarfile.TarInfo("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        info.size = len(body)
        inner.addfile(info, io.BytesIO(body))
    path = folder / "vaderSentiment-0.5.zip"
    with zipfile.ZipFile(path, "w") as outer:
        place = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
        outer.writestr(place, packed.getvalue())
    return path


def test_snippets_are_read_out_of_the_source_distribution(make, tmp_path, monkeypatch):
    archive(tmp_path)
    monkeypatch.chdir(tmp_path)
    data = make("dataset", "snippets")
    assert data.features.tolist() == ["great", "poor\tplot", "long"]
    assert data.targets.tolist() == [1, 0, 0]
    data = make("dataset", "snippets", task="regression")
    assert data.targets.tolist() == [2.25, -1.5, 0]


def test_a_missing_or_wrong_archive_says_how_to_get_it(make, tmp_path):
    path = tmp_path / "vaderSentiment-0.5.zip"
    with pytest.raises(DataError, match="does not exist: get it with `pip download vader"):
        make("dataset", "snippets", path=path)
    path.write_text("not a zip", encoding="utf-8")
    with pytest.raises(DataError, match="not the source distribution"):
        make("dataset", "snippets", path=path)
    with pytest.raises(DataError, match="not the source distribution"):
        make("dataset", "snippets", path=archive(tmp_path), source="tweets")


# --- vectorize -----------------------------------------------------------------------------------

TEXTS = np.array(["the cat sat", "The dog sat!", "the end", ""], dtype=object)


def fit(make, features, **params):
    return make(
        "preprocessing",
        "vectorize",
        features=features,
        targets=np.zeros(4),
        task=Task.regression(),
        **params,
    )


def as_model(transform):
    """What the runner makes of it, written as JSON and read back."""
    import keras

    function = transform.function if isinstance(transform, Transform) else transform
    inputs = keras.Input((), dtype="string")
    return keras.models.model_from_json(keras.Model(inputs, function(inputs)).to_json())


def test_words_become_codes_of_the_vocabulary_of_train(make):
    import tensorflow as tf

    transform = fit(make, TEXTS, length=4)
    # Padding, the unknown, and: the, sat, end, dog, cat.
    assert transform.vocabulary == {"features": 7}
    got = np.asarray(as_model(transform)(tf.constant(["THE cat, the bird", "sat"])))
    the, sat, cat = got[0, 0], got[1, 0], got[0, 1]
    assert got.tolist() == [[the, cat, the, 1], [sat, 0, 0, 0]]
    assert len({0, 1, the, sat, cat}) == 5


def test_a_vocabulary_holds_the_commonest_words_only(make):
    import tensorflow as tf

    transform = fit(make, TEXTS, max_tokens=4, length=3)
    assert transform.vocabulary == {"features": 4}
    got = np.asarray(as_model(transform)(tf.constant(["the cat sat"])))
    assert got.tolist() == [[2, 1, 3]]


@pytest.mark.parametrize("output, first", [("multi_hot", 1), ("count", 2)])
def test_a_text_becomes_one_vector(make, output, first):
    import tensorflow as tf

    model = as_model(fit(make, TEXTS, output=output))
    got = np.asarray(model(tf.constant(["the the"])))
    assert got.shape[0] == 1
    assert sorted(set(got[0].tolist())) == [0, first]


def test_of_several_inputs_those_that_hold_text_are_taken(make):
    import keras

    features = {"words": TEXTS, "more": TEXTS[::-1], "age": np.arange(4.0)}
    transform = fit(make, features, length=3)
    assert set(transform.vocabulary) == {"words", "more"}
    inputs = {
        name: keras.Input((), dtype="string" if name != "age" else "float32", name=name)
        for name in features
    }
    made = transform.function(inputs)
    assert made["words"].shape == (None, 3)
    assert made["age"] is inputs["age"]
    assert set(fit(make, features, columns=["more"]).vocabulary) == {"more"}


@pytest.mark.parametrize(
    ("features", "params", "said"),
    [
        (np.zeros((4, 2)), {}, "needs text, and the features hold none"),
        ({"a": TEXTS}, {"columns": ["b"]}, "there is no column b: available: a"),
        ({"a": np.zeros(4)}, {"columns": ["a"]}, "'a' holds numbers"),
        (np.array([["a", "b"]] * 4, dtype=object), {}, r"one text a row.*\(4, 2\)"),
        (np.array(["", "!"], dtype=object), {}, "no words in 'features'"),
    ],
)
def test_what_cannot_be_vectorized_is_one_sentence(make, features, params, said):
    with pytest.raises(DataError, match=said):
        fit(make, features, **params)
