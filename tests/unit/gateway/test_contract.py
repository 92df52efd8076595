"""The gateway reads the contract's options, and refuses what it can't route."""

import pytest
from dashtrack.options.v1 import options_pb2
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

from gateway import contract
from gateway.contract import Binding, ContractError, Rpc
from gateway.settings import SERVICES
from services.chassis.rpc.methods import find_method
from tests.fixtures.rpcs import RPCS


def file_with(package: str = "dashtrack.users.v1") -> descriptor_pb2.FileDescriptorProto:
    """Make a proto file with one public method."""
    file = descriptor_pb2.FileDescriptorProto(name="x.proto", package=package)
    method = file.service.add(name="XService").method.add(name="GetX")
    method.input_type = method.output_type = ".google.protobuf.Empty"
    method.options.Extensions[options_pb2.access].caller = options_pb2.CALLER_PUBLIC
    return file


def options_of(file: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.MethodOptions:
    """Return the options of the file's method."""
    return file.service[0].method[0].options


def rpcs(*files: descriptor_pb2.FileDescriptorProto) -> list[Rpc]:
    """Read files."""
    return list(contract.public_rpcs(descriptor_pb2.FileDescriptorSet(file=files)))


def test_what_the_contract_leaves_out_has_defaults() -> None:
    """Ten seconds, 64 KiB, no path, not to be repeated."""
    (rpc,) = rpcs(file_with())

    assert (rpc.deadline_ms, rpc.body_bytes_max, rpc.binding) == (10_000, 65_536, None)
    assert rpc.owner == "users"
    assert rpc.public
    assert not rpc.idempotent
    with pytest.raises(ContractError):
        _ = rpc.bound


def test_what_the_contract_says_is_taken() -> None:
    """Options of the method reach the route."""
    file = file_with()
    call = options_of(file).Extensions[options_pb2.call]
    call.deadline_ms, call.max_body_bytes, call.unbounded = 500, 10, True
    options_of(file).idempotency_level = descriptor_pb2.MethodOptions.IDEMPOTENT
    rule: http_pb2.HttpRule = options_of(file).Extensions[annotations_pb2.http]  # type: ignore[index]
    rule.get = "/v1/x/{x_id}"

    (rpc,) = rpcs(file)

    assert (rpc.deadline_ms, rpc.body_bytes_max, rpc.unbounded) == (500, 10, True)
    assert rpc.idempotent
    assert rpc.bound == Binding("GET", "/v1/x/{x_id}", "")


def test_gateway_and_services_derive_the_same_scopes() -> None:
    """Each by itself, from the same options."""
    found = list(contract.public_rpcs(contract.load()))

    assert found[0].path in RPCS  # which has the generated code loaded
    assert {rpc.path: rpc.scope for rpc in found} == {
        rpc.path: find_method(rpc.path).scope for rpc in found
    }


def test_internal_packages_are_never_public() -> None:
    """Whatever they hold: there is no route to forget."""
    assert rpcs(file_with("dashtrack.users.internal.v1")) == []


def test_a_package_without_an_owner_is_refused() -> None:
    """A new area can't be left unrouted."""
    with pytest.raises(ContractError, match="OWNERS"):
        rpcs(file_with("dashtrack.parking.v1"))


@pytest.mark.parametrize("caller", [options_pb2.CALLER_UNSPECIFIED, options_pb2.CALLER_SERVICE])
def test_a_public_method_for_nobody_is_refused(caller: "options_pb2.Caller.ValueType") -> None:
    """Methods for services belong into internal packages, and nothing is open by omission."""
    file = file_with()
    options_of(file).Extensions[options_pb2.access].caller = caller

    with pytest.raises(ContractError):
        rpcs(file)


def test_parts_of_the_rest_annotation_that_are_not_routed_are_refused() -> None:
    """A second path that answers 404 would be worse than none."""
    file = file_with()
    rule: http_pb2.HttpRule = options_of(file).Extensions[annotations_pb2.http]  # type: ignore[index]
    rule.get = "/v1/x"
    rule.additional_bindings.add(get="/v1/y")

    with pytest.raises(ContractError):
        rpcs(file)


def test_every_owner_is_a_service() -> None:
    """Routes lead to clusters that exist, and no service is without a route."""
    assert set(contract.OWNERS.values()) == set(SERVICES)
