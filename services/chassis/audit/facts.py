"""What a request tells about itself: which thing, whose, and which fields are to change."""

import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.chassis.audit.entries import Entry

_ID = "_id"
# Filters of the log are no things that it is about.
_NOT_RESOURCES = frozenset({"request_id", "company_id", "actor_id", "resource_id"})
# How a request is made safe to repeat or to page through is no field of what changes.
_NOT_CHANGES = frozenset({"request_id", "update_mask", "etag", "page_size", "page_token"})
_ID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z][a-z0-9-]{0,31}")
_FIELDS_MAX = 64
_RAW_BODY = "google.api.HttpBody"


def describe(entry: Entry, request: object) -> None:
    """Write into an entry what the request tells; whatever it holds, no value gets in but ids."""
    if not isinstance(request, Message):
        return
    resource = _wrapped(request)
    entry.asked_company_id = _uuid_of(request, "company_id") or (
        _uuid_of(resource, "company_id") if resource is not None else None
    )
    found = _named(request, resource)
    if found is not None:
        entry.resource_type, entry.resource_id = found
    entry.changed_fields = tuple(_changed(request, resource))[:_FIELDS_MAX]


def _wrapped(request: Message) -> Message | None:
    """Find the resource that a create or an update carries."""
    for field, value in request.ListFields():
        kind = field.message_type
        if kind is not None and not field.is_repeated and kind.full_name.startswith("dashtrack."):
            wrapped: Message = value
            return wrapped
    return None


def _named(request: Message, resource: Message | None) -> tuple[str, str] | None:
    """Find the thing that the request is about: the first id in it, or a type without one."""
    for field in request.DESCRIPTOR.fields:
        if field.name.endswith(_ID) and field.name not in _NOT_RESOURCES:
            named = _id_of(request, field.name)
            if named:
                return field.name.removesuffix(_ID), named
    if resource is not None:
        kind = _snake(resource.DESCRIPTOR.name)
        return kind, _id_of(resource, f"{kind}_id")
    company_id = _uuid_of(request, "company_id")
    return None if company_id is None else ("company", str(company_id))


def _changed(request: Message, resource: Message | None) -> Iterator[str]:
    for field, value in request.ListFields():
        if field.name == "update_mask" and isinstance(value, FieldMask) and value.paths:
            thing = request if resource is None else resource
            yield from sorted({path for path in value.paths if _is_field(thing, path)})
            return
    yield from sorted(_set_fields(request if resource is None else resource))


def _set_fields(message: Message) -> Sequence[str]:
    if message.DESCRIPTOR.full_name == _RAW_BODY:
        return []
    return [
        field.name
        for field, _ in message.ListFields()
        if field.name not in _NOT_CHANGES
        and not field.name.endswith(_ID)
        and not field.GetOptions().debug_redact
    ]


def _is_field(message: Message, path: str) -> bool:
    kind: Any = message.DESCRIPTOR
    return FieldMask(paths=[path]).IsValidForDescriptor(kind)


def _uuid_of(message: Message, name: str) -> uuid.UUID | None:
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
        return None
    try:
        return uuid.UUID(getattr(message, name))
    except ValueError:
        return None


def _id_of(message: Message, name: str) -> str:
    """Read an id, if what is there may be one: a request can hold anything, a secret included."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
        return ""
    value = str(getattr(message, name))
    return value if _ID_TEXT.fullmatch(value) else ""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
