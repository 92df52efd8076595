"""The document: every RPC that has a path."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashtrack.options.v1 import options_pb2
from google.protobuf import descriptor_pb2

from gateway.contract import Rpc, leading_comments, public_rpcs
from gateway.openapi import errors
from gateway.openapi.examples import request_example, response_example
from gateway.openapi.schemas import STATUS, Field, Schema, Types, reference
from gateway.roles import audience_of, reach_of, role_names
from gateway.routes import RAW_CONTENT_TYPE

_JSON = "application/json"
_ANYTHING: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_VARIABLE = re.compile(r"\{([^}]+)\}")
# What a method answers with that answers with a document stands in its comment.
_MEDIA_TYPE = re.compile(r"`([a-z]+/[a-z0-9.+-]+)`")
_NOT_QUERY = {Field.TYPE_MESSAGE}
_TEXT_MESSAGES = {
    ".google.protobuf.Timestamp",
    ".google.protobuf.Duration",
    ".google.protobuf.FieldMask",
}

_GATEWAY_TAG = {"name": "Gateway", "description": "What the gateway answers by itself."}
_INTRODUCTION = """\
The API over REST. The same calls are served over gRPC and gRPC-Web at the same address, with
reflection switched on.

- Names are camelCase in JSON; snake_case is understood too. Numbers of 64 bits are strings.
- Unknown fields of a body are ignored, unknown query parameters are refused.
- An error has the status of its kind and a `google.rpc.Status` as its body; branch on the `reason`
  of the `ErrorInfo` among its details, which the `x-dashtrack-reason` header repeats.
- A path that exists, called with another verb, answers 404 like one that doesn't.
- `retry-after` says when trying again is worth it.
- Streams are lines of JSON, or server-sent events if the call accepts `text/event-stream`.
"""


def document_bytes(files: descriptor_pb2.FileDescriptorSet) -> bytes:
    """Return the document as it is served."""
    return (json.dumps(document(files), indent=1, ensure_ascii=False) + "\n").encode()


def document(files: descriptor_pb2.FileDescriptorSet) -> dict[str, Any]:
    """Return the document."""
    types = Types(files)
    rpcs = [rpc for rpc in public_rpcs(files) if rpc.binding]
    typed = [rpc for rpc in rpcs if not rpc.raw]
    writer = _Writer(files, types, rpcs)
    paths: dict[str, Any] = {}
    for rpc in typed:
        path = paths.setdefault(_openapi_path(rpc.bound.template), {})
        path[rpc.bound.verb.lower()] = writer.operation(rpc)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DashTrack",
            "version": "v1",
            "summary": "Fleet telemetry: devices, readings, vehicles, companies and people.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [*_tags(files, typed), _GATEWAY_TAG],
        "paths": dict(sorted(paths.items())) | _probes(),
        "components": {
            "securitySchemes": _security_schemes(),
            "schemas": types.components(_roots(typed)),
            "examples": errors.examples(errors.catalogue(files)),
        },
    }


class _Writer:
    """Writes operations."""

    def __init__(
        self, files: descriptor_pb2.FileDescriptorSet, types: Types, rpcs: Sequence[Rpc]
    ) -> None:
        self._types = types
        self._known = errors.catalogue(files)
        self._comments = {rpc.name: rpc.comment for rpc in rpcs}
        self._raw = {rpc.binding: rpc for rpc in rpcs if rpc.raw}

    def operation(self, rpc: Rpc) -> Schema:
        """Return the operation of an RPC, and of its twin for plain bodies if it has one."""
        twin = self._raw.get(rpc.bound)
        failures = errors.reasons(rpc, self._known, self._comments)
        if twin:
            more = errors.reasons(twin, self._known, self._comments)
            failures = list(dict.fromkeys([*failures, *more]))
        operation: Schema = {
            "operationId": f"{rpc.service.rpartition('.')[2]}_{rpc.name}",
            "summary": _sentence(rpc),
            "description": f"{errors.without_list(rpc.comment)}\n\n{audience_of(rpc)}",
            "tags": [rpc.service.rpartition(".")[2]],
            "security": _security(rpc),
            "x-dashtrack-rpc": rpc.label,
            "x-dashtrack-deadline-ms": None if rpc.unbounded else rpc.deadline_ms,
            "x-dashtrack-body-bytes-max": rpc.body_bytes_max,
        }
        if rpc.access.roles:
            operation["x-dashtrack-roles"] = role_names(rpc)
            operation["x-dashtrack-reach"] = reach_of(rpc)
        if rpc.scope:
            operation["x-dashtrack-scope"] = rpc.scope
        parameters = [*self._path_parameters(rpc), *self._query_parameters(rpc)]
        if parameters:
            operation["parameters"] = parameters
        body = self._body(rpc, twin)
        if body:
            operation["requestBody"] = body
        operation["responses"] = {"200": self._success(rpc, twin)} | errors.responses(failures)
        return operation

    def _path_parameters(self, rpc: Rpc) -> Iterator[Schema]:
        for path in _variables(rpc):
            message, field = self._resolve(rpc.input_type, path)
            schema = self._types.field_schema(message, field)
            # An id that may be empty in a body is never empty in a path.
            schema = schema["anyOf"][0] if "anyOf" in schema else schema
            schema = {key: value for key, value in schema.items() if key != "readOnly"}
            yield {
                "name": path.rpartition(".")[2],
                "in": "path",
                "required": True,
                "description": schema.pop("description", f"The {field.name.replace('_', ' ')}."),
                "schema": schema,
            }

    def _query_parameters(self, rpc: Rpc) -> Iterator[Schema]:
        if rpc.bound.body == "*":
            return
        taken = {path.partition(".")[0] for path in _variables(rpc)} | {rpc.bound.body}
        for field in self._types.message(rpc.input_type).field:
            scalar = field.type not in _NOT_QUERY or field.type_name in _TEXT_MESSAGES
            if field.name in taken or not scalar:
                continue
            schema = self._types.field_schema(rpc.input_type, field)
            yield {
                "name": field.json_name,
                "in": "query",
                "description": schema.pop("description", ""),
                "schema": schema,
            }

    def _resolve(self, message: str, path: str) -> tuple[str, Field]:
        *parents, last = path.split(".")
        for name in parents:
            message = self._field(message, name).type_name
        return message, self._field(message, last)

    def _field(self, message: str, name: str) -> Field:
        return next(field for field in self._types.message(message).field if field.name == name)

    def _body(self, rpc: Rpc, twin: Rpc | None) -> Schema | None:
        if not rpc.bound.body:
            return None
        message = rpc.input_type
        if rpc.bound.body != "*":
            message = self._field(message, rpc.bound.body).type_name
        example = request_example(self._types, message)
        variables = _variables(rpc)
        for path in variables:
            example.pop(self._resolve(rpc.input_type, path)[1].json_name, None)
        schema = reference(message)
        if message == rpc.input_type and variables:
            schema = self._types.message_schema(message, variables)
        content: Schema = {_JSON: {"schema": schema, "example": example}}
        if twin:
            content[RAW_CONTENT_TYPE] = {"schema": _ANYTHING}
        return {"required": True, "content": content}

    def _success(self, rpc: Rpc, twin: Rpc | None) -> Schema:
        content: Schema
        if rpc.output_type == ".google.api.HttpBody":
            media_types = _MEDIA_TYPE.findall(rpc.comment) or ["*/*"]
            content = {media_type: {"schema": {}} for media_type in media_types}
            return {"description": "The document.", "content": content}
        schema = reference(rpc.output_type)
        content = {_JSON: {"schema": schema}}
        if rpc.server_streaming:
            content["text/event-stream"] = {"schema": {"type": "string"}}
            return {"description": "A stream, one item a line.", "content": content}
        content[_JSON]["example"] = response_example(self._types, rpc.output_type)
        if twin:
            content[RAW_CONTENT_TYPE] = {"schema": _ANYTHING}
        return {"description": "Success.", "content": content}


def _openapi_path(template: str) -> str:
    return _VARIABLE.sub(lambda match: "{" + match[1].rpartition(".")[2] + "}", template)


def _variables(rpc: Rpc) -> list[str]:
    return _VARIABLE.findall(rpc.bound.template)


def _sentence(rpc: Rpc) -> str:
    words = re.sub(r"(?<!^)([A-Z])", r" \1", rpc.name).lower()
    return words.capitalize()


def _security(rpc: Rpc) -> list[Mapping[str, list[str]]]:
    if rpc.access.caller == options_pb2.CALLER_PUBLIC:
        return []
    if rpc.for_devices:
        return [{"deviceToken": []}]
    people: Mapping[str, list[str]] = {"userToken": []}
    return [people, {"apiKeyToken": [rpc.scope]}] if rpc.scope else [people]


def _security_schemes() -> Schema:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "userToken": bearer | {"description": "A person's access token, from `/v1/auth:login`."},
        "apiKeyToken": bearer
        | {"description": "An API key's access token, from `/v1/auth:exchangeApiKey`."},
        "deviceToken": bearer | {"description": "A device's token, from `/v1/devices:exchange`."},
    }


def _tags(files: descriptor_pb2.FileDescriptorSet, rpcs: Sequence[Rpc]) -> Iterator[Schema]:
    used = {rpc.service for rpc in rpcs}
    for file in sorted(files.file, key=lambda file: file.name):
        comments = leading_comments(file)
        for index, service in enumerate(file.service):
            if f"{file.package}.{service.name}" in used:
                yield {"name": service.name, "description": comments.get((6, index), "")}


def _roots(rpcs: Sequence[Rpc]) -> Iterator[str]:
    yield STATUS
    for rpc in rpcs:
        yield rpc.input_type
        if rpc.output_type != ".google.api.HttpBody":
            yield rpc.output_type


def _probes() -> Schema:
    return {
        "/healthz": _probe("Health", "Tells whether the gateway serves and reaches every service."),
        "/readyz": _probe("Readiness", "Tells whether the gateway serves, whatever services do."),
    }


def _probe(name: str, description: str) -> Schema:
    refusal = {
        "description": "No, or the gateway is about to stop.",
        "content": {_JSON: {"schema": reference(STATUS)}},
    }
    operation = {
        "operationId": f"Gateway_{name}",
        "summary": name,
        "description": description,
        "tags": [_GATEWAY_TAG["name"]],
        "security": [],
        "responses": {"200": {"description": "Yes."}, "503": refusal},
    }
    return {"get": operation}
