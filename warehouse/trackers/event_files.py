"""TensorBoard's event files: records of TensorFlow's, an `Event` each, without TensorFlow.

A record is its length (8 bytes, little-endian), the masked CRC-32C of those, the event, and the
masked CRC-32C of that. Written in tensorflow/core/lib/io/record_writer.cc and
tensorflow/core/util/event.proto of TensorFlow's repository.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.system.paths import open_plain
from warehouse.trackers.messages import messages

LONGEST = 1 << 30
"""Bytes of a record that is read; a greater length is a broken file's."""
DT_FLOAT, DT_DOUBLE = 1, 2


class TornError(Exception):
    """The file breaks off or goes wrong here; what came before is sound."""


@functools.cache
def formats() -> dict[str, Any]:
    """The messages by their names."""
    return messages(
        "event_files",
        {
            "Event": {
                "wall_time": (1, "double"),
                "step": (2, "int64"),
                "file_version": (3, "string"),
                "summary": (5, "Summary"),
            },
            "Summary": {"value": (1, "Value[]")},
            "Value": {
                "tag": (1, "string"),
                "simple_value": (2, "float"),
                "tensor": (8, "Tensor"),
                "metadata": (9, "Metadata"),
            },
            "Metadata": {"plugin_data": (1, "PluginData"), "data_class": (4, "int32")},
            "PluginData": {"plugin_name": (1, "string"), "content": (2, "bytes")},
            "Tensor": {
                "dtype": (1, "int32"),
                "tensor_shape": (2, "Shape"),
                "tensor_content": (4, "bytes"),
                "float_val": (5, "float[]"),
                "double_val": (6, "double[]"),
                "string_val": (8, "bytes[]"),
            },
            "Shape": {"dim": (2, "Dim[]")},
            "Dim": {"size": (1, "int64")},
            # Of the plugin hparams: the content of its metadata.
            "HParams": {
                "version": (1, "int32"),
                "session_start_info": (3, "SessionStart"),
                "session_end_info": (4, "SessionEnd"),
            },
            "SessionStart": {
                "hparams": (1, "Anything<>"),
                "group_name": (4, "string"),
                "start_time_secs": (5, "double"),
            },
            "SessionEnd": {"status": (1, "int32"), "end_time_secs": (2, "double")},
            # google.protobuf.Value
            "Anything": {
                "number_value": (2, "double"),
                "string_value": (3, "string"),
                "bool_value": (4, "bool"),
            },
        },
    )


def read_events(path: Path) -> Iterator[Any]:
    """The events of a file; TornError where it breaks off, as a file in the writing may."""
    event = formats()["Event"]
    with open_plain(path, follow_links=True) as file:
        while head := file.read(12):
            if len(head) < 12:
                raise TornError("it breaks off")
            length, crc = struct.unpack("<QI", head)
            if masked_crc(head[:8]) != crc or length > LONGEST:
                raise TornError("it is no event file, or broken")
            body = file.read(length + 4)
            if len(body) < length + 4:
                raise TornError("it breaks off")
            try:
                yield event.FromString(body[:length])
            except Exception as error:  # protobuf's DecodeError
                raise TornError("it is broken") from error


def write_events(path: Path, events: Iterator[Any]) -> None:
    """Write a file of events, its version first."""
    with path.open("xb") as file:
        for event in events:
            body = event.SerializeToString()
            head = struct.pack("<Q", len(body))
            file.write(head + struct.pack("<I", masked_crc(head)))
            file.write(body + struct.pack("<I", masked_crc(body)))


def masked_crc(content: bytes) -> int:
    """The CRC-32C as these files have it."""
    crc, table = 0xFFFFFFFF, _table()
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@functools.cache
def _table() -> tuple[int, ...]:
    """The table of Castagnoli's polynomial, reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)
