"""Devices that are renamed, moved between vehicles, and had back after they were disabled."""

import uuid
from typing import Any

import pytest
from dashtrack.companies.v1 import vehicle_service_pb2
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceStub
from dashtrack.device.v1 import device_link_service_pb2 as link_pb
from dashtrack.telemetry.v1 import device_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode, insecure_channel

from services.chassis.identity import Role
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import TokenMint, bearer
from tests.integration.telemetry.conftest import Fleet

NONCE = bytes(16)


@pytest.fixture
def vehicles(
    companies_service: ServedService, token_mint: TokenMint, company_id: uuid.UUID
) -> list[str]:
    """Two vehicles of the company."""
    with insecure_channel(companies_service.target) as channel:
        stub: Any = VehicleServiceStub(channel)  # type: ignore[arg-type]
        return [
            stub.CreateVehicle(
                vehicle_service_pb2.CreateVehicleRequest(
                    vehicle=vehicle_service_pb2.Vehicle(
                        company_id=str(company_id), plate=uuid.uuid4().hex[:10]
                    )
                ),
                metadata=bearer(token_mint.user(Role.MASTER)),
            ).vehicle_id
            for _ in range(2)
        ]


def update(fleet: Fleet, *paths: str, **device: Any) -> pb.Device:
    """Change a device."""
    request = pb.UpdateDeviceRequest(device=pb.Device(**device), update_mask=FieldMask(paths=paths))
    changed: pb.Device = fleet.devices.UpdateDevice(request, metadata=fleet.person())
    return changed


def assignments(fleet: Fleet, **query: Any) -> pb.ListDeviceAssignmentsResponse:
    """List assignments."""
    request = pb.ListDeviceAssignmentsRequest(**query)
    answer: pb.ListDeviceAssignmentsResponse = fleet.devices.ListDeviceAssignments(
        request, metadata=fleet.person()
    )
    return answer


def test_a_device_is_moved_and_its_history_kept(fleet: Fleet, vehicles: list[str]) -> None:
    """Mounted, moved and taken off; asked for by device, by vehicle and by time, page by page."""
    first, second = vehicles
    device = fleet.register(vehicle_id=first).device
    device_id = device.device_id

    moved = update(fleet, device_id=device_id, vehicle_id=second, etag=device.etag)
    off = update(fleet, "vehicle_id", device_id=device_id)

    assert (moved.vehicle_id, off.vehicle_id) == (second, "")
    newer, older = assignments(fleet, device_id=device_id).assignments
    assert [newer.vehicle_id, older.vehicle_id] == [second, first]
    assert older.start_time.ToDatetime() < older.end_time.ToDatetime()
    assert older.end_time == newer.start_time
    assert newer.HasField("end_time")
    (by_vehicle,) = assignments(fleet, vehicle_id=first).assignments
    assert by_vehicle == older
    assert not assignments(fleet, device_id=device_id, start_time=newer.end_time).assignments
    page = assignments(fleet, page_size=1)
    assert list(page.assignments) == [newer]
    rest = assignments(fleet, page_size=1, page_token=page.next_page_token)
    assert (list(rest.assignments), rest.next_page_token) == ([older], "")


def test_what_can_not_be_changed_is_refused(fleet: Fleet, vehicles: list[str]) -> None:
    """Unknown vehicles, old etags, and what is not up to managers."""
    device = fleet.register().device
    update(fleet, device_id=device.device_id, display_name="Van 7")

    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        update(fleet, device_id=device.device_id, display_name="Van 8", etag=device.etag)
    with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
        update(fleet, device_id=device.device_id, vehicle_id=str(uuid.uuid4()))
    for path in ("hardware_id", "status", "nothing"):
        with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID"):
            update(fleet, path, device_id=device.device_id)
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        update(fleet, display_name="Van 8")
    with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
        assignments(fleet, page_token="nonsense")
    with refused(StatusCode.INVALID_ARGUMENT, "TIME_RANGE_INVALID"):
        assignments(fleet, start_time={"seconds": 5}, end_time={"seconds": 5})


def test_a_disabled_device_comes_back_with_its_secret(fleet: Fleet) -> None:
    """Refused while it is disabled; enabled, it exchanges the secret that it always had."""
    registered = fleet.register()
    claimed = fleet.links.ClaimDevice(
        link_pb.ClaimDeviceRequest(
            claim_code=registered.claim_code,
            hardware_id=registered.device.hardware_id,
            nonce=NONCE,
        )
    )
    proof = link_pb.ExchangeSecretRequest(device_id=claimed.device_id, secret=claimed.secret)
    fleet.links.ExchangeSecret(proof)
    device_id = {"device_id": claimed.device_id}
    fleet.devices.DisableDevice(pb.DisableDeviceRequest(**device_id), metadata=fleet.person())
    with refused(StatusCode.PERMISSION_DENIED, "DEVICE_REVOKED"):
        fleet.links.ExchangeSecret(proof)

    request = pb.EnableDeviceRequest(**device_id)
    enabled = fleet.devices.EnableDevice(request, metadata=fleet.person())
    again = fleet.devices.EnableDevice(request, metadata=fleet.person())

    assert enabled.device.status == pb.Device.STATUS_CLAIMED
    assert again == enabled
    assert not enabled.claim_code
    assert fleet.links.ExchangeSecret(proof).token


def test_an_unclaimed_device_comes_back_with_a_fresh_code(fleet: Fleet) -> None:
    """The one of before is dead."""
    registered = fleet.register()
    device_id = {"device_id": registered.device.device_id}
    fleet.devices.DisableDevice(pb.DisableDeviceRequest(**device_id), metadata=fleet.person())

    enabled = fleet.devices.EnableDevice(
        pb.EnableDeviceRequest(**device_id), metadata=fleet.person()
    )

    assert enabled.device.status == pb.Device.STATUS_REGISTERED
    assert enabled.HasField("claim_expire_time")

    def claim(code: str) -> Any:
        return fleet.links.ClaimDevice(
            link_pb.ClaimDeviceRequest(
                claim_code=code, hardware_id=registered.device.hardware_id, nonce=NONCE
            )
        )

    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(registered.claim_code)
    assert claim(enabled.claim_code).secret
