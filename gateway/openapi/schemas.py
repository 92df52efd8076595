"""JSON Schemas of the contract's messages, as the transcoder reads and writes them."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2

from gateway.contract import leading_comments, rules

Schema: TypeAlias = dict[str, Any]
Field: TypeAlias = descriptor_pb2.FieldDescriptorProto
Message: TypeAlias = descriptor_pb2.DescriptorProto
Enum: TypeAlias = descriptor_pb2.EnumDescriptorProto

STATUS = ".google.rpc.Status"
ANY = ".google.protobuf.Any"

_INTEGERS = {
    Field.TYPE_INT32: "int32",
    Field.TYPE_SINT32: "int32",
    Field.TYPE_SFIXED32: "int32",
    Field.TYPE_UINT32: "uint32",
    Field.TYPE_FIXED32: "uint32",
}
_LONG_INTEGERS = {
    Field.TYPE_INT64: "int64",
    Field.TYPE_SINT64: "int64",
    Field.TYPE_SFIXED64: "int64",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_FIXED64: "uint64",
}
_WELL_KNOWN: Mapping[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    ".google.protobuf.FieldMask": {"type": "string"},
    ".google.protobuf.Empty": {"type": "object"},
    ANY: {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}
_MESSAGE_PATH, _NESTED_PATH, _FIELD_PATH, _ENUM_PATH, _NESTED_ENUM_PATH = 4, 3, 2, 5, 4


class Types:
    """The messages and enums of the contract, by full name, with their comments."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self._messages: dict[str, tuple[Message, dict[str, str], str]] = {}
        self._enums: dict[str, tuple[Enum, str]] = {}
        for file in files.file:
            comments = leading_comments(file)
            for index, message in enumerate(file.message_type):
                self._add(f".{file.package}", message, (_MESSAGE_PATH, index), comments)
            for index, enum in enumerate(file.enum_type):
                comment = comments.get((_ENUM_PATH, index), "")
                self._enums[f".{file.package}.{enum.name}"] = (enum, comment)

    def _add(
        self,
        scope: str,
        message: Message,
        path: tuple[int, ...],
        comments: Mapping[tuple[int, ...], str],
    ) -> None:
        name = f"{scope}.{message.name}"
        fields = {
            field.name: comments.get((*path, _FIELD_PATH, index), "")
            for index, field in enumerate(message.field)
        }
        self._messages[name] = (message, fields, comments.get(path, ""))
        for index, nested in enumerate(message.nested_type):
            self._add(name, nested, (*path, _NESTED_PATH, index), comments)
        for index, enum in enumerate(message.enum_type):
            comment = comments.get((*path, _NESTED_ENUM_PATH, index), "")
            self._enums[f"{name}.{enum.name}"] = (enum, comment)

    def message(self, name: str) -> Message:
        """Return a message."""
        return self._messages[name][0]

    def field_comment(self, message: str, field: str) -> str:
        """Return what stands before a field."""
        return self._messages[message][1][field]

    def enum(self, name: str) -> Enum:
        """Return an enum."""
        return self._enums[name][0]

    def components(self, roots: Iterator[str]) -> dict[str, Schema]:
        """Return the schemas of some messages and of all that they hold."""
        found: dict[str, Schema] = {}
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name in _WELL_KNOWN or schema_name(name) in found:
                continue
            if name in self._enums:
                found[schema_name(name)] = self._enum_schema(name)
                continue
            found[schema_name(name)] = self.message_schema(name)
            waiting += [field.type_name for field in self.message(name).field if field.type_name]
        return dict(sorted(found.items()))

    def _enum_schema(self, name: str) -> Schema:
        enum, comment = self._enums[name]
        return _described({"type": "string", "enum": [value.name for value in enum.value]}, comment)

    def message_schema(self, name: str, without: Collection[str] = ()) -> Schema:
        """Return the schema of a message, or of what of it is not sent elsewhere."""
        message, comments, comment = self._messages[name]
        schema: Schema = {
            "type": "object",
            "properties": {
                field.json_name: self.field_schema(name, field)
                for field in message.field
                if field.name not in without
            },
        }
        required = [
            field.json_name
            for field in message.field
            if field.name not in without
            and (comments[field.name].startswith("Required") or rules(field).required)
        ]
        # A body names what is needed of a resource; the resource itself is also sent in part.
        if required and name.endswith("Request"):
            schema["required"] = required
        return _described(schema, comment)

    def field_schema(self, message: str, field: Field) -> Schema:
        """Return the schema of a field's value."""
        comment = self.field_comment(message, field.name)
        item = _restricted(self._value_schema(field), field)
        if field.label == Field.LABEL_REPEATED:
            item = {"type": "array", "items": item} | _repeated_limits(field)
        if comment.startswith("Output only."):
            item = item | {"readOnly": True}
        if field.options.debug_redact:
            item = item | {"x-dashtrack-secret": True}
        return _described(item, comment)

    def _value_schema(self, field: Field) -> Schema:
        if field.type in {Field.TYPE_MESSAGE, Field.TYPE_ENUM}:
            return reference(field.type_name)
        if field.type in _INTEGERS:
            return {"type": "integer", "format": _INTEGERS[field.type]}
        if field.type in _LONG_INTEGERS:
            # JSON's numbers are doubles, which don't hold 64 bits.
            return {"type": "string", "format": _LONG_INTEGERS[field.type], "pattern": r"^-?\d+$"}
        if field.type in {Field.TYPE_DOUBLE, Field.TYPE_FLOAT}:
            words = {"enum": ["NaN", "Infinity", "-Infinity"]}
            return {"anyOf": [{"type": "number"}, words]}
        if field.type == Field.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return {"type": "boolean" if field.type == Field.TYPE_BOOL else "string"}


def schema_name(type_name: str) -> str:
    """Return the name of a type among the document's schemas."""
    return type_name.removeprefix(".").removeprefix("dashtrack.")


def reference(type_name: str) -> Schema:
    """Return a reference to a type's schema, or the schema of a well-known type."""
    if type_name in _WELL_KNOWN:
        return dict(_WELL_KNOWN[type_name])
    return {"$ref": f"#/components/schemas/{schema_name(type_name)}"}


def _described(schema: Schema, comment: str) -> Schema:
    return schema | {"description": comment} if comment else schema


def _restricted(schema: Schema, field: Field) -> Schema:
    rule = rules(field)
    if field.label == Field.LABEL_REPEATED:
        rule = rule.repeated.items
    limits = {**_text_limits(rule.string), **_bytes_limits(rule.bytes), **_number_limits(rule)}
    if not limits:
        return schema
    if rule.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE and field.type == Field.TYPE_STRING:
        return {"anyOf": [schema | limits, {"const": ""}]}
    return schema | limits


def _text_limits(rule: validate_pb2.StringRules) -> Schema:
    limits: Schema = {}
    if rule.min_len:
        limits["minLength"] = rule.min_len
    if rule.max_len:
        limits["maxLength"] = rule.max_len
    if rule.pattern:
        limits["pattern"] = rule.pattern
    if rule.uuid:
        limits["format"] = "uuid"
    if rule.email:
        limits["format"] = "email"
    # `in` is a keyword of Python.
    allowed = list(getattr(rule, "in"))
    return limits | ({"enum": allowed} if allowed else {})


def _bytes_limits(rule: validate_pb2.BytesRules) -> Schema:
    """Return the limits of the text in Base64, whose padding may be left out."""
    shortest, longest = rule.len or rule.min_len, rule.len or rule.max_len
    limits: Schema = {}
    if shortest:
        limits["minLength"] = math.ceil(shortest * 4 / 3)
    if longest:
        limits["maxLength"] = math.ceil(longest / 3) * 4
    return limits


def _number_limits(rule: validate_pb2.FieldRules) -> Schema:
    kind = rule.WhichOneof("type")
    # Long integers travel as text, whose size no keyword bounds.
    if kind not in {"int32", "uint32", "sint32", "float", "double"}:
        return {}
    numbers = getattr(rule, kind)
    names = {
        "gte": "minimum",
        "lte": "maximum",
        "gt": "exclusiveMinimum",
        "lt": "exclusiveMaximum",
    }
    return {
        keyword: getattr(numbers, name) for name, keyword in names.items() if numbers.HasField(name)
    }


def _repeated_limits(field: Field) -> Schema:
    rule = rules(field).repeated
    limits: Schema = {}
    if rule.min_items:
        limits["minItems"] = rule.min_items
    if rule.max_items:
        limits["maxItems"] = rule.max_items
    if rule.unique:
        limits["uniqueItems"] = True
    return limits
