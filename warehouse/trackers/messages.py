"""Protocol buffers of other programs, by the few fields of them that are asked for.

So their files are read, and written, without the packages that made them: the numbers of fields
are what such formats promise to keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[str, tuple[int, str]]
"""Field -> its number and its type: a scalar's ("string", "double", ...) or another message's
name, with `[]` behind it where it is repeated, `<>` where it is a map from strings to it."""


def messages(package: str, described: Mapping[str, Fields]) -> dict[str, Any]:
    """The classes of messages, by their names."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto2"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in described.items():
        message = file.message_type.add(name=name)
        for field, (number, said) in fields.items():
            kind = said.removesuffix("[]").removesuffix("<>")
            added = message.field.add(name=field, number=number, label=kinds.LABEL_OPTIONAL)
            if said.endswith(("[]", "<>")):
                added.label = kinds.LABEL_REPEATED
            if said.endswith("<>"):
                entry = message.nested_type.add(name=f"{field.title().replace('_', '')}Entry")
                entry.options.map_entry = True
                for place, (part, of) in enumerate((("key", "string"), ("value", kind)), 1):
                    _typed(entry.field.add(name=part, number=place), of, package, described)
                added.type = kinds.TYPE_MESSAGE
                added.type_name = f".{package}.{name}.{entry.name}"
            else:
                _typed(added, kind, package, described)
    # A pool of our own: their packages may have registered the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in described
    }


def _typed(field: Any, kind: str, package: str, described: Sequence[str] | Any) -> None:
    """Give a field its type."""
    if kind in described:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    if not field.label:
        field.label = field.LABEL_OPTIONAL
