"""The registry as people see it, and claiming as boards do it."""

import uuid
from typing import Any

import pytest
from dashtrack.companies.v1 import vehicle_service_pb2
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceStub
from dashtrack.device.v1 import device_link_service_pb2 as link_pb
from dashtrack.telemetry.v1 import device_service_pb2 as pb
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from grpc import StatusCode, insecure_channel

from services.chassis.identity import Role
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import TokenMint, bearer
from tests.integration.telemetry.conftest import Board, Fleet, batch_of

NONCE = bytes(range(16))


def claim(fleet: Fleet, registered: pb.RegisterDeviceResponse, **other: Any) -> Any:
    """Claim a board the way it does itself."""
    wanted = {
        "claim_code": registered.claim_code,
        "hardware_id": registered.device.hardware_id,
        "nonce": NONCE,
    } | other
    return fleet.links.ClaimDevice(link_pb.ClaimDeviceRequest(**wanted))


def exchange(fleet: Fleet, device_id: str, secret: str) -> Any:
    """Exchange a secret for a token."""
    return fleet.links.ExchangeSecret(
        link_pb.ExchangeSecretRequest(device_id=device_id, secret=secret)
    )


def test_a_board_goes_all_the_way_from_registration_to_upload(fleet: Fleet) -> None:
    """Register, claim, exchange, upload."""
    registered = fleet.register(display_name="Van 7")
    claimed = claim(fleet, registered)
    exchanged = exchange(fleet, claimed.device_id, claimed.secret)
    board = Board(uuid.UUID(claimed.device_id), fleet.company_id, exchanged.token)

    fleet.upload(board, batch_of(1.0))

    assert exchanged.expires_in_s > 0
    device = fleet.devices.GetDevice(
        pb.GetDeviceRequest(device_id=claimed.device_id), metadata=fleet.person()
    )
    assert device.status == pb.Device.STATUS_CLAIMED
    assert device.display_name == "Van 7"
    assert device.company_id == str(fleet.company_id)


def test_the_http_twins_speak_protobuf(fleet: Fleet) -> None:
    """The same over plain bodies, held to the same rules."""

    def post(method: str, request: Message) -> HttpBody:
        body = HttpBody(content_type="application/x-protobuf", data=request.SerializeToString())
        answer: HttpBody = getattr(fleet.bodies, method)(body)
        assert answer.content_type == "application/x-protobuf"
        return answer

    registered = fleet.register()
    request = link_pb.ClaimDeviceRequest(
        claim_code=registered.claim_code.lower().replace("-", ""),
        hardware_id=registered.device.hardware_id,
        nonce=NONCE,
    )
    claimed = link_pb.ClaimDeviceResponse.FromString(post("Claim", request).data)
    proof = link_pb.ExchangeSecretRequest(device_id=claimed.device_id, secret=claimed.secret)
    exchanged = link_pb.ExchangeSecretResponse.FromString(post("Exchange", proof).data)
    assert exchanged.token

    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        post("Claim", link_pb.ClaimDeviceRequest(claim_code="short", nonce=b"x"))
    assert {"claim_code", "nonce", "hardware_id"} <= refusal.fields
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        fleet.bodies.Exchange(HttpBody(data=b"\xff"))


def test_a_lost_answer_does_not_brick_a_board(fleet: Fleet) -> None:
    """The same nonce gets the same secret until it is used, and never again."""
    registered = fleet.register()

    first, second = claim(fleet, registered), claim(fleet, registered)
    assert (first.device_id, first.secret) == (second.device_id, second.secret)

    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, registered, nonce=b"another nonce 16")
    exchange(fleet, first.device_id, first.secret)
    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, registered)
    assert exchange(fleet, first.device_id, first.secret).token


def test_a_claim_code_is_for_its_board_only(fleet: Fleet) -> None:
    """Neither another board nor another code opens it."""
    registered = fleet.register()

    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, registered, hardware_id="another")
    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, registered, claim_code="0000-0000-0000-0000")
    assert claim(fleet, registered).secret


def test_a_wrong_secret_opens_nothing(fleet: Fleet) -> None:
    """Nor does any secret of a device that is unknown or not claimed yet."""
    registered = fleet.register()
    with refused(StatusCode.UNAUTHENTICATED, "DEVICE_SECRET_INVALID"):
        exchange(fleet, registered.device.device_id, "0" * 43)
    claimed = claim(fleet, registered)
    for device_id, secret in (
        (claimed.device_id, "x" + claimed.secret[1:] + "x"),
        (str(uuid.uuid4()), claimed.secret),
    ):
        with refused(StatusCode.UNAUTHENTICATED, "DEVICE_SECRET_INVALID"):
            exchange(fleet, device_id, secret)


def test_a_disabled_device_stays_out(fleet: Fleet) -> None:
    """Its secret is told apart from a wrong one; its claim code is dead; doing it twice is fine."""
    claimed_one, fresh = fleet.register(), fleet.register()
    claimed = claim(fleet, claimed_one)
    for device in (claimed_one.device, fresh.device, fresh.device):
        disabled = fleet.devices.DisableDevice(
            pb.DisableDeviceRequest(device_id=device.device_id), metadata=fleet.person()
        )
        assert disabled.status == pb.Device.STATUS_DISABLED

    with refused(StatusCode.PERMISSION_DENIED, "DEVICE_REVOKED"):
        exchange(fleet, claimed.device_id, claimed.secret)
    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, fresh)


def test_a_retried_registration_finds_the_device_and_gets_a_fresh_code(fleet: Fleet) -> None:
    """The answer that was lost had the only copy of the code."""
    request = pb.RegisterDeviceRequest(
        device=pb.Device(hardware_id=uuid.uuid4().hex), request_id=str(uuid.uuid4())
    )
    first, second = (
        fleet.devices.RegisterDevice(request, metadata=fleet.person()) for _ in range(2)
    )

    assert first.device == second.device
    assert first.claim_code != second.claim_code
    with refused(StatusCode.UNAUTHENTICATED, "CLAIM_CODE_INVALID"):
        claim(fleet, first)
    claim(fleet, second)
    # Once the board has claimed itself, there is nothing left to claim.
    third = fleet.devices.RegisterDevice(request, metadata=fleet.person())
    assert (third.device.status, third.claim_code) == (pb.Device.STATUS_CLAIMED, "")

    request.device.display_name = "Something else"
    with refused(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        fleet.devices.RegisterDevice(request, metadata=fleet.person())


def test_a_board_is_registered_once(
    fleet: Fleet, token_mint: TokenMint, foreign_company_id: uuid.UUID
) -> None:
    """Over all companies, since it can belong to one only."""
    hardware_id = uuid.uuid4().hex
    fleet.register(hardware_id=hardware_id)
    foreigner = bearer(token_mint.user(Role.MANAGER, foreign_company_id))
    request = pb.RegisterDeviceRequest(device=pb.Device(hardware_id=hardware_id))

    for caller in (fleet.person(), foreigner):
        with refused(StatusCode.ALREADY_EXISTS, "HARDWARE_ID_TAKEN"):
            fleet.devices.RegisterDevice(request, metadata=caller)


def test_a_device_goes_to_a_company_and_a_vehicle_that_exist(
    fleet: Fleet, companies_service: ServedService, foreign_company_id: uuid.UUID
) -> None:
    """Asked of the companies service."""
    device: dict[str, Any] = {"hardware_id": uuid.uuid4().hex}
    with insecure_channel(companies_service.target) as channel:
        vehicles: Any = VehicleServiceStub(channel)  # type: ignore[arg-type]
        vehicle = vehicles.CreateVehicle(
            vehicle_service_pb2.CreateVehicleRequest(
                vehicle=vehicle_service_pb2.Vehicle(plate="DT 1", display_name="Van")
            ),
            metadata=fleet.person(),
        )

    with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
        fleet.register(vehicle_id=str(uuid.uuid4()), **device)
    with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
        fleet.register(company_id=str(foreign_company_id), **device)
    for company_id, code, reason in (
        (str(uuid.uuid4()), StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"),
        ("", StatusCode.INVALID_ARGUMENT, "COMPANY_REQUIRED"),
    ):
        with refused(code, reason):
            fleet.devices.RegisterDevice(
                pb.RegisterDeviceRequest(device=pb.Device(company_id=company_id, **device)),
                metadata=fleet.person(Role.MASTER),
            )

    assert fleet.register(vehicle_id=vehicle.vehicle_id, **device).device.vehicle_id


def test_devices_are_listed_page_by_page(fleet: Fleet) -> None:
    """Oldest first, each once, and only the company's own."""
    made = [fleet.register().device.device_id for _ in range(5)]
    found: list[str] = []
    request = pb.ListDevicesRequest(page_size=2)
    while True:
        page = fleet.devices.ListDevices(request, metadata=fleet.person())
        found.extend(device.device_id for device in page.devices)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert found == made
    request.page_token = "made up"
    with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
        fleet.devices.ListDevices(request, metadata=fleet.person())


@pytest.mark.parametrize("method", ["GetDevice", "DisableDevice"])
def test_foreign_devices_are_not_found(
    fleet: Fleet, token_mint: TokenMint, foreign_company_id: uuid.UUID, method: str
) -> None:
    """Exactly as those that don't exist."""
    device_id = fleet.register().device.device_id
    foreigner = bearer(token_mint.user(Role.COMPANY_ADMIN, foreign_company_id))
    request = getattr(pb, f"{method}Request")

    for wanted, caller in ((device_id, foreigner), (str(uuid.uuid4()), fleet.person())):
        with refused(StatusCode.NOT_FOUND, "DEVICE_NOT_FOUND") as refusal:
            getattr(fleet.devices, method)(request(device_id=wanted), metadata=caller)
        assert refusal.metadata == {"device_id": wanted}


@pytest.mark.parametrize("role", [Role.DRIVER, Role.HELPER])
def test_drivers_and_helpers_keep_out_of_the_registry(fleet: Fleet, role: Role) -> None:
    """The contract names the roles."""
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        fleet.devices.ListDevices(pb.ListDevicesRequest(), metadata=fleet.person(role))
