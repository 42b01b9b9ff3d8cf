"""Files that are not what their names say, or say to hold more than they do."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from runner.data.sources.json_depth import refuse_deep
from runner.data.sources.numpy_file import numpy_arrays
from runner.errors import DataError


def header(shape: tuple[int, ...]) -> bytes:
    """What an .npy file begins with."""
    file = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue()


@pytest.mark.parametrize("shape", [(10**12, 4), (10**30,), (-5, 4), (100, 4)])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_an_array_that_promises_more_than_it_holds(
    tmp_path: Path, shape: tuple[int, ...], ending: str
) -> None:
    file = tmp_path / f"x.{ending}"
    if ending == "npy":
        file.write_bytes(header(shape))
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x.npy", header(shape))
    with pytest.raises(ValueError, match=r"\w"):
        numpy_arrays(file, mapped=True)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04" + bytes(50), b"\x93NUMPY\x01\x00\xff\xff{"]
)
def test_a_file_that_is_cut_off(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"\w"):
        numpy_arrays(file)


def test_sound_arrays_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.ones((3, 4)), y=np.arange(3))
    held = numpy_arrays(tmp_path / "x.npz")
    assert isinstance(held, dict) and {name: a.shape for name, a in held.items()} == {
        "x": (3, 4),
        "y": (3,),
    }


@pytest.mark.parametrize("text", ["[" * 5_000 + "]" * 5_000, '{"a":' * 300 + "1" + "}" * 300])
def test_json_that_would_end_the_process_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "deep.json"
    file.write_text(text)
    with pytest.raises(DataError, match="nested more than 200 deep"):
        refuse_deep([file])


def test_brackets_in_texts_are_no_nesting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.data.sources.json_depth.BLOCK", 7)  # texts are cut in two
    file = tmp_path / "texts.json"
    file.write_text("[" + ",".join('{"a": "[[ \\" {", "b": [1]}' for _ in range(300)) + "]")
    refuse_deep([file])
