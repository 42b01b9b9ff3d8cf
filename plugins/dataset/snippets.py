"""Sentences rated by people, from the source distribution of vaderSentiment 0.5."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runner import Data, DataError, Task, dataset, from_home

ARCHIVE = "vaderSentiment-0.5.zip"
INNER = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "news": "nytEditorialSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
}


def _files(*, path: Path, **_: Any) -> list[Path]:
    return [_archive(path)]


@dataset(identity=_files)
def snippets(
    *,
    path: Path = Path(ARCHIVE),
    source: Literal["movies", "news", "tweets", "products"] = "movies",
    task: Literal["binary", "regression"] = "binary",
) -> Data:
    """Rated sentences: 10,605 on movies, 5,190 of news, 4,200 tweets, 3,708 on products.

    Each was rated by some twenty people from -4 to 4 (C.J. Hutto and E. Gilbert, VADER, 2014).
    They come with the source distribution of the package vaderSentiment 0.5 (MIT License), which
    `pip download vaderSentiment==0.5 --no-binary :all: --no-deps` puts into the present folder.
    task: binary is whether the mean rating is above 0, regression the mean rating.
    """
    file = _archive(path)
    try:
        with zipfile.ZipFile(file) as outer:
            packed = io.BytesIO(outer.read(INNER))
        with tarfile.open(fileobj=packed, mode="r:gz") as inner:
            member = inner.extractfile(f"hutto_ICWSM_2014/{FILES[source]}")
            assert member is not None
            lines = member.read().decode("utf-8").splitlines()
    except (KeyError, OSError, EOFError, zipfile.BadZipFile, tarfile.TarError):
        raise DataError(
            f"dataset.path={file} is not the source distribution of vaderSentiment 0.5: {GET}"
        ) from None
    rows = [line.split("\t", 2) for line in lines if line]
    ratings = np.array([row[1] for row in rows]).astype("float32")
    texts = np.array([row[2] for row in rows], dtype=object)
    if task == "regression":
        return Data(texts, ratings, Task.regression(names=("rating",)))
    names = ("negative", "positive")
    return Data(texts, (ratings > 0).astype("int64"), Task.binary(names))


GET = "pip download vaderSentiment==0.5 --no-binary :all: --no-deps"


def _archive(path: Path) -> Path:
    file = from_home(path)
    if not file.is_file():
        raise DataError(
            f"dataset.path={file} does not exist: get it with `{GET}`, or say where it lies"
        )
    return file
