"""The contract and the code agree: access rules are complete, limits hold, reasons match."""

import importlib
import pkgutil
import uuid
from collections.abc import Iterator

import protovalidate
import pytest
from dashtrack.errors.v1 import error_reason_pb2
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from gateway import replies
from protos import generate
from services.chassis.errors import DomainError

SERVICES = ("auth", "users", "companies", "telemetry")


def all_methods() -> list[MethodDescriptor]:
    """Return every RPC of the contract."""
    modules = (name.removesuffix(".proto").replace("/", ".") for name in generate.proto_files())
    return [
        method
        for module in modules
        for service in importlib.import_module(f"{module}_pb2").DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def declared_reasons() -> set[str]:
    """Return the reasons that the services' errors and the gateway's own replies declare."""
    for root in ("services.chassis", *(f"services.{name}.domain" for name in SERVICES)):
        path = getattr(importlib.import_module(root), "__path__", ())
        for module in pkgutil.walk_packages(path, f"{root}."):
            importlib.import_module(module.name)
    errors = {
        error.reason
        for error in subclasses(DomainError)
        if error.__module__.startswith("services.")
    }
    return errors | {reply.reason for reply in replies.REPLIES}


def subclasses(parent: type[DomainError]) -> Iterator[type[DomainError]]:
    """Yield all classes below `parent`."""
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


@pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.full_name)
def test_each_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    """The access option is there and complete; people need roles and a reach, others have none."""
    access = method.GetOptions().Extensions[options_pb2.access]

    assert access.caller != options_pb2.CALLER_UNSPECIFIED
    for_people = access.caller == options_pb2.CALLER_USER
    assert bool(access.roles) == for_people
    assert (access.reach != options_pb2.REACH_UNSPECIFIED) == for_people
    assert options_pb2.ROLE_UNSPECIFIED not in access.roles


@pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.full_name)
def test_internal_methods_are_the_services_own(method: MethodDescriptor) -> None:
    """A service's token opens internal packages alone, whose methods nobody else may call."""
    options = method.GetOptions()
    caller = options.Extensions[options_pb2.access].caller

    if ".internal." not in method.full_name:
        assert caller != options_pb2.CALLER_SERVICE
        return
    # A service that asks for its first token has none yet.
    assert caller in {options_pb2.CALLER_SERVICE, options_pb2.CALLER_PUBLIC}
    assert not options.HasExtension(annotations_pb2.http)  # type: ignore[arg-type]


def test_error_reasons_in_code_and_contract_are_the_same() -> None:
    """Each reason that a caller can meet is documented, and none is documented in vain."""
    documented = {
        name.removeprefix("ERROR_REASON_")
        for name, number in error_reason_pb2.ErrorReason.items()
        if number != error_reason_pb2.ERROR_REASON_UNSPECIFIED
    }

    assert declared_reasons() == documented


def test_limits_of_the_contract_hold_for_generated_messages() -> None:
    """Protovalidate reads the rules from the messages that the generated code makes."""
    protovalidate.validate(user_service_pb2.GetUserRequest(user_id=str(uuid.uuid4())))

    with pytest.raises(protovalidate.ValidationError) as raised:
        protovalidate.validate(user_service_pb2.GetUserRequest(user_id="somebody"))

    assert [violation.proto.rule_id for violation in raised.value.violations] == ["string.uuid"]


def test_rules_across_fields_hold_for_generated_messages() -> None:
    """A message-level CEL expression is compiled and evaluated too."""
    request = user_service_pb2.CreateUserRequest(user=user_service_pb2.User())

    with pytest.raises(protovalidate.ValidationError) as raised:
        protovalidate.validate(request)

    assert "create_user.required" in [v.proto.rule_id for v in raised.value.violations]
