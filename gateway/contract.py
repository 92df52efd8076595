"""The contract as the gateway sees it: every public RPC with its paths, access rule and limits."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from buf.validate import validate_pb2
from dashtrack.options.v1 import options_pb2
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

from protos import generate

OWNERS = {
    "dashtrack.audit.v1": "auth",
    "dashtrack.auth.v1": "auth",
    "dashtrack.companies.v1": "companies",
    "dashtrack.device.v1": "telemetry",
    "dashtrack.telemetry.v1": "telemetry",
    "dashtrack.users.v1": "users",
}
"""Which service answers for a package of the contract."""

DEADLINE_MS_DEFAULT = 10_000
BODY_BYTES_MAX_DEFAULT = 65_536
RAW_BODY = ".google.api.HttpBody"

_INTERNAL = ".internal."


class ContractError(Exception):
    """The contract says something that the gateway can't do."""


@dataclass(frozen=True, slots=True)
class Binding:
    """How an RPC is called over REST."""

    verb: str
    template: str
    body: str
    """`*` for the whole message, a field's name, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One public RPC."""

    service: str
    """The service's full name in the contract."""
    name: str
    owner: str
    """The service that answers, one of settings.SERVICES."""
    binding: Binding | None
    access: options_pb2.Access
    deadline_ms: int
    unbounded: bool
    body_bytes_max: int
    client_streaming: bool
    server_streaming: bool
    idempotent: bool
    reads: bool
    """Whether it changes nothing."""
    input_type: str
    output_type: str
    comment: str

    @property
    def bound(self) -> Binding:
        """How it is called over REST, for those that are."""
        if self.binding is None:
            raise ContractError(f"{self.label} has no path of its own")
        return self.binding

    @property
    def path(self) -> str:
        """The path that gRPC calls it by."""
        return f"/{self.service}/{self.name}"

    @property
    def label(self) -> str:
        """Its name in routes, metrics and logs."""
        return f"{self.service}/{self.name}"

    @property
    def raw(self) -> bool:
        """Whether the request is a plain HTTP body: what boards send."""
        return self.input_type == RAW_BODY

    @property
    def for_devices(self) -> bool:
        """Whether a device's token opens it."""
        return self.access.caller == options_pb2.CALLER_DEVICE

    @property
    def scope(self) -> str | None:
        """The scope that an API key needs; None if no key opens it."""
        access = self.access
        if access.caller != options_pb2.CALLER_USER or access.people_only:
            return None
        if access.reach != options_pb2.REACH_COMPANY:
            return None
        return f"{self.service.split('.')[1]}:{'read' if self.reads else 'write'}"

    @property
    def public(self) -> bool:
        """Whether it needs no token."""
        return self.access.caller == options_pb2.CALLER_PUBLIC


def load() -> descriptor_pb2.FileDescriptorSet:
    """Compile the contract with all it imports and its comments."""
    with tempfile.NamedTemporaryFile(suffix=".binpb") as compiled:
        generate.descriptor_set(Path(compiled.name))
        return descriptor_pb2.FileDescriptorSet.FromString(Path(compiled.name).read_bytes())


def without_comments(files: descriptor_pb2.FileDescriptorSet) -> bytes:
    """Serialize a descriptor set as Envoy needs it."""
    bare = descriptor_pb2.FileDescriptorSet()
    bare.CopyFrom(files)
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare.SerializeToString(deterministic=True)


def public_rpcs(files: descriptor_pb2.FileDescriptorSet) -> Sequence[Rpc]:
    """Return every RPC that the outside may call, in the order of files and of lines."""
    return [
        rpc
        for file in sorted(files.file, key=lambda file: file.name)
        if file.package.startswith("dashtrack.") and _INTERNAL not in file.package
        for rpc in _rpcs_of(file)
    ]


def _rpcs_of(file: descriptor_pb2.FileDescriptorProto) -> Iterator[Rpc]:
    comments = leading_comments(file)
    for service_index, service in enumerate(file.service):
        if file.package not in OWNERS:
            raise ContractError(f"package {file.package} has no owner in gateway.contract.OWNERS")
        for index, method in enumerate(service.method):
            comment = comments.get((6, service_index, 2, index), "")
            yield _rpc(file.package, service.name, method, comment)


def _rpc(
    package: str, service: str, method: descriptor_pb2.MethodDescriptorProto, comment: str
) -> Rpc:
    access = method.options.Extensions[options_pb2.access]
    call = method.options.Extensions[options_pb2.call]
    label = f"{package}.{service}/{method.name}"
    if access.caller == options_pb2.CALLER_UNSPECIFIED:
        raise ContractError(f"{label} doesn't say who may call it")
    if access.caller == options_pb2.CALLER_SERVICE:
        raise ContractError(f"{label} is for services: it belongs into an internal package")
    return Rpc(
        service=f"{package}.{service}",
        name=method.name,
        owner=OWNERS[package],
        binding=_binding(label, method.options),
        access=access,
        deadline_ms=call.deadline_ms or DEADLINE_MS_DEFAULT,
        unbounded=call.unbounded,
        body_bytes_max=call.max_body_bytes or BODY_BYTES_MAX_DEFAULT,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        idempotent=method.options.idempotency_level
        != descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN,
        reads=method.options.idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
        input_type=method.input_type,
        output_type=method.output_type,
        comment=comment,
    )


def _binding(label: str, options: descriptor_pb2.MethodOptions) -> Binding | None:
    # The extension's stub has the type of another descriptor.
    rule: http_pb2.HttpRule = options.Extensions[annotations_pb2.http]  # type: ignore[index]
    verb = rule.WhichOneof("pattern")
    if verb is None:
        return None
    if verb == "custom" or rule.additional_bindings or rule.response_body:
        raise ContractError(
            f"{label} uses a part of google.api.http that the gateway doesn't route"
        )
    return Binding(verb.upper(), getattr(rule, verb), rule.body)


def rules(field: descriptor_pb2.FieldDescriptorProto) -> validate_pb2.FieldRules:
    """Return what a field's value must satisfy."""
    found: validate_pb2.FieldRules = field.options.Extensions[validate_pb2.field]
    return found


def leading_comments(file: descriptor_pb2.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Return a file's comments by the path of what they stand before."""
    return {
        tuple(location.path): "\n".join(
            line.removeprefix(" ") for line in location.leading_comments.rstrip().split("\n")
        )
        for location in file.source_code_info.location
        if location.leading_comments
    }
