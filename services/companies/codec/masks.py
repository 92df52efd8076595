"""Update masks with paths into messages."""

from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.chassis.errors import UpdateMaskInvalid

Changeable = Mapping[str, Sequence[str]]
"""The fields that can be changed, and of those that are messages the fields within."""


def named_paths(message: Message, update_mask: FieldMask, changeable: Changeable) -> frozenset[str]:
    """Return the paths that an update changes, messages resolved into their fields.

    Without a mask they are those that are set.

    Raises:
        UpdateMaskInvalid: the mask names what does not exist or cannot be changed.
    """
    if not update_mask.paths:
        return frozenset(path for path in _leaves(changeable) if _is_set(message, path))
    named: set[str] = set()
    for path in sorted(update_mask.paths):
        named |= _resolved(path, changeable)
    return frozenset(named)


def _resolved(path: str, changeable: Changeable) -> set[str]:
    if path in changeable:
        return {f"{path}.{field}" for field in changeable[path]} or {path}
    if path not in set(_leaves(changeable)):
        raise UpdateMaskInvalid(path)
    return {path}


def _leaves(changeable: Changeable) -> Iterator[str]:
    for name, fields in changeable.items():
        yield from (f"{name}.{field}" for field in fields) if fields else [name]


def _is_set(message: Message, path: str) -> bool:
    name, _, field = path.partition(".")
    value = getattr(message, name)
    return bool(getattr(value, field) if field else value)
