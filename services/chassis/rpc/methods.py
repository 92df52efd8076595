"""What the protos say about a method: who may call it, for how long, and its shape."""

import enum
from dataclasses import dataclass
from typing import Any

from dashtrack.options.v1 import options_pb2
from google.protobuf import descriptor, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from py_grpc_prometheus.grpc_utils import get_method_type

from services.chassis.fields import RESTRICTIONS, ROLES
from services.chassis.identity import CallerKind, Restriction, Role

_DEADLINE_DEFAULT_MS = 10_000

_CALLER_KINDS = {
    options_pb2.CALLER_PUBLIC: CallerKind.ANONYMOUS,
    options_pb2.CALLER_USER: CallerKind.USER,
    options_pb2.CALLER_DEVICE: CallerKind.DEVICE,
    options_pb2.CALLER_SERVICE: CallerKind.SERVICE,
}


class Audited(enum.Enum):
    """Which calls of a method leave a record in the audit log."""

    ALL = enum.auto()
    REFUSALS = enum.auto()
    NONE = enum.auto()


_AUDITED = {
    options_pb2.AUDIT_ALL: Audited.ALL,
    options_pb2.AUDIT_REFUSALS: Audited.REFUSALS,
    options_pb2.AUDIT_NONE: Audited.NONE,
}


class ContractError(Exception):
    """The protos leave out something that a method can't be served without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """One RPC as its proto declares it."""

    path: str
    """The full path, `/package.Service/Method`."""
    service: str
    name: str
    kind: str
    """UNARY, SERVER_STREAMING, CLIENT_STREAMING or BIDI_STREAMING, as metrics call it."""
    request_streaming: bool
    response_streaming: bool
    caller: CallerKind
    """Whose tokens open the method; ANONYMOUS for public ones."""
    roles: frozenset[Role]
    """The roles that may call, for people."""
    open_to: frozenset[Restriction]
    """The restrictions under which people may call all the same."""
    scope: str | None
    """What an API key needs to call, such as `users:read`; None if none may."""
    deadline_s: float | None
    """The longest a call may take; None for streams without an end of their own."""
    request_type: type[Message]
    harmless: bool
    """Whether a call changes nothing, as the proto says."""
    audited: Audited

    @property
    def action(self) -> str:
        """What the audit log calls it, such as `users.UserService/CreateUser`."""
        parts = self.service.removeprefix("dashtrack.").split(".")
        return f"{parts[0]}.{parts[-1]}/{self.name}"

    @property
    def public(self) -> bool:
        """Tell whether the method needs no token."""
        return self.caller is CallerKind.ANONYMOUS


def find_method(path: str) -> MethodSpec:
    """Read what the linked-in protos declare for the method at a path.

    Raises:
        ContractError: the protos don't know it, or don't say who may call it.
    """
    service_name, _, method_name = path.removeprefix("/").partition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        method = service.methods_by_name[method_name]
    except KeyError as err:
        raise ContractError(f"{path} is served and not declared in the protos") from err
    return _spec(service_name, method)


def scope_of(service: str, options: descriptor_pb2.MethodOptions) -> str | None:
    """Derive the scope that an API key needs for a method: its area, and whether it changes things.

    Args:
        service: the proto service's full name, such as `dashtrack.users.v1.UserService`.
        options: the method's.
    """
    access = options.Extensions[options_pb2.access]
    for_machines = access.reach == options_pb2.REACH_COMPANY and not access.people_only
    if access.caller != options_pb2.CALLER_USER or not for_machines:
        return None
    reads = options.idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    return f"{service.split('.')[1]}:{'read' if reads else 'write'}"


def _spec(service: str, method: descriptor.MethodDescriptor) -> MethodSpec:
    path = f"/{service}/{method.name}"
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    caller = _CALLER_KINDS.get(access.caller)
    if caller is None:
        raise ContractError(f"{path} has no access option")
    roles = frozenset(ROLES[role] for role in access.roles if role in ROLES)
    if (caller is CallerKind.USER) != bool(roles):
        raise ContractError(f"{path} must list roles exactly when people call it")
    call = options.Extensions[options_pb2.call]
    return MethodSpec(
        path=path,
        service=service,
        name=method.name,
        kind=get_method_type(method.client_streaming, method.server_streaming),
        request_streaming=method.client_streaming,
        response_streaming=method.server_streaming,
        caller=caller,
        roles=roles,
        open_to=frozenset(RESTRICTIONS[number] for number in access.open_to),
        scope=scope_of(service, method.GetOptions()),
        deadline_s=None if call.unbounded else (call.deadline_ms or _DEADLINE_DEFAULT_MS) / 1000,
        request_type=message_factory.GetMessageClass(method.input_type),
        harmless=_harmless(options),
        audited=_audited(options),
    )


def _audited(options: Any) -> Audited:
    said = _AUDITED.get(options.Extensions[options_pb2.audit])
    if said is not None:
        return said
    return Audited.NONE if _harmless(options) else Audited.ALL


def _harmless(options: Any) -> bool:
    level: int = options.idempotency_level
    return level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
