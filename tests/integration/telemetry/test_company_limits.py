"""Plans and suspensions as managers and boards meet them, on two replicas of the service."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import pytest
from dashtrack.device.v1 import device_link_service_pb2 as link_pb
from dashtrack.device.v1.reading_batch_pb2 import SensorColumn
from dashtrack.telemetry.v1 import device_service_pb2 as pb
from grpc import StatusCode

from services.telemetry.settings import TelemetrySettings
from tests.fixtures.company_directory import (
    ACTIVE,
    DELETED,
    DELETING,
    SUSPENDED,
    ScriptedDirectory,
)
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.refusals import Refusal, refusal_of, refused
from tests.fixtures.serving import settings_for
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import CLAIM_KEY, Board, Fleet, batch_of

NONCE = bytes(16)


@pytest.fixture(scope="module")
def telemetry_settings(
    telemetry_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    directory: ScriptedDirectory,
) -> TelemetrySettings:
    """The settings of a service that asks the test's directory."""
    return settings_for(
        TelemetrySettings,
        telemetry_database,
        nats_server,
        token_authority,
        companies_target=directory.target,
        claim_key=CLAIM_KEY,
        suspended_retry_s=123,
    )


@pytest.fixture
def company_id(directory: ScriptedDirectory) -> uuid.UUID:
    """A company without limits."""
    return directory.add()


def outcome_of(fleet: Fleet, board: Board, **fields: Any) -> Refusal:
    """Upload a batch and return how it was refused: with OK if it wasn't."""
    try:
        fleet.upload(board, batch_of(1.0, **fields))
    except grpc.RpcError as err:
        return refusal_of(err)
    return Refusal(StatusCode.OK)


def told(directory: ScriptedDirectory, company_id: uuid.UUID, state: Any, **quotas: int) -> None:
    """Have companies say how the company stands from now on."""
    directory.set(company_id, state, **quotas)
    directory.announce(company_id)


def with_sensors(count: int, *, first: int = 0) -> dict[str, Any]:
    """Fields of a batch of so many sensors."""
    keys = (f"s{number}" for number in range(first, first + count))
    return {"sensors": [SensorColumn(key=key, values=[1.0]) for key in keys]}


def test_simultaneous_registrations_never_exceed_the_quota(
    fleet: Fleet, second_replica: Fleet, directory: ScriptedDirectory
) -> None:
    """Of twelve at once on two replicas, three succeed; the others are told the facts."""
    directory.set(fleet.company_id, devices_max=3)

    def attempt(number: int) -> str:
        try:
            (fleet, second_replica)[number % 2].register()
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            assert refusal.code is StatusCode.FAILED_PRECONDITION
            assert refusal.metadata == {"quota": "devices", "limit": "3", "used": "3"}
            return refusal.reason
        return ""

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(attempt, range(12)))

    assert sorted(outcomes) == [""] * 3 + ["QUOTA_EXCEEDED"] * 9


def test_managers_of_a_suspended_company_are_told(
    fleet: Fleet, directory: ScriptedDirectory
) -> None:
    """Suspended, it gets no devices; on its way out, it is not there any more."""
    directory.set(fleet.company_id, SUSPENDED)
    with refused(StatusCode.FAILED_PRECONDITION, "COMPANY_SUSPENDED"):
        fleet.register()
    for state in (DELETING, DELETED):
        directory.set(fleet.company_id, state)
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            fleet.register()


def test_suspension_reaches_every_replica_and_ends(
    fleet: Fleet, second_replica: Fleet, directory: ScriptedDirectory
) -> None:
    """Boards are asked to come back, wherever they ask; once it is over nothing is missing."""
    board = fleet.board()
    replicas = (fleet, second_replica)
    for seq, replica in enumerate(replicas):
        replica.upload(board, batch_of(1.0, seq=seq))

    told(directory, fleet.company_id, SUSPENDED)

    for replica in replicas:
        refusal = eventually(partial(suspended, replica, board), "the suspension")
        assert refusal.code is StatusCode.UNAVAILABLE
        assert refusal.retry_after_s == 123
        assert refusal.metadata == {"company_id": str(fleet.company_id)}
    told(directory, fleet.company_id, ACTIVE)
    for seq, replica in enumerate(replicas, start=2):
        eventually(partial(stored, replica, board, seq), "the resumption")


def stored(fleet: Fleet, board: Board, seq: int) -> bool:
    """Tell whether a batch was acknowledged."""
    return outcome_of(fleet, board, seq=seq).code is StatusCode.OK


def suspended(fleet: Fleet, board: Board) -> Refusal | None:
    """Return how an upload was refused, once it is for a suspension."""
    refusal = outcome_of(fleet, board, seq=9999)
    return refusal if refusal.reason == "COMPANY_SUSPENDED" else None


def test_boards_of_a_suspended_company_can_neither_claim_nor_exchange(
    fleet: Fleet, directory: ScriptedDirectory
) -> None:
    """They are told the same as when they upload, and what they hold goes on working after."""
    waiting, claimed = fleet.register(), fleet.register()
    claim = fleet.links.ClaimDevice(claim_of(claimed))
    proof = link_pb.ExchangeSecretRequest(device_id=claim.device_id, secret=claim.secret)

    told(directory, fleet.company_id, SUSPENDED)

    def refused_exchange() -> bool:
        try:
            fleet.links.ExchangeSecret(proof)
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            assert (refusal.code, refusal.retry_after_s) == (StatusCode.UNAVAILABLE, 123)
            return refusal.reason == "COMPANY_SUSPENDED"
        return False

    eventually(refused_exchange, "the suspension")
    with refused(StatusCode.UNAVAILABLE, "COMPANY_SUSPENDED"):
        fleet.links.ClaimDevice(claim_of(waiting))
    with refused(StatusCode.UNAUTHENTICATED, "DEVICE_SECRET_INVALID"):
        fleet.links.ExchangeSecret(
            link_pb.ExchangeSecretRequest(device_id=claim.device_id, secret="0" * 43)
        )
    told(directory, fleet.company_id, ACTIVE)
    eventually(lambda: not refused_exchange(), "the resumption")
    assert fleet.links.ClaimDevice(claim_of(waiting)).secret


def claim_of(registered: pb.RegisterDeviceResponse) -> link_pb.ClaimDeviceRequest:
    """Ask for a board's secret."""
    return link_pb.ClaimDeviceRequest(
        claim_code=registered.claim_code,
        hardware_id=registered.device.hardware_id,
        nonce=NONCE,
    )


def test_the_upload_rate_is_limited_in_each_replica(
    fleet: Fleet, directory: ScriptedDirectory
) -> None:
    """What is too much is refused with an honest time and the state of the limit."""
    board = fleet.board()
    told(directory, fleet.company_id, ACTIVE, uploads_per_minute_max=3)
    fleet.upload(board, batch_of(1.0))

    def exceeded() -> Any:
        try:
            fleet.upload(board, batch_of(1.0, seq=time.time_ns() % 2**32))
        except grpc.RpcError as err:
            return err
        return None

    err = eventually(exceeded, "the limit")

    refusal = refusal_of(err)
    assert (refusal.code, refusal.reason) == (
        StatusCode.RESOURCE_EXHAUSTED,
        "UPLOAD_RATE_EXCEEDED",
    )
    assert refusal.metadata == {"limit": "3", "quota": "uploads"}
    assert refusal.retry_after_s is not None
    assert 0 < refusal.retry_after_s <= 60
    trailers: dict[str, str] = dict(err.trailing_metadata())
    assert trailers["x-ratelimit-limit"] == "3"
    assert trailers["x-ratelimit-remaining"] == "0"
    assert trailers["x-ratelimit-reset"] == trailers["retry-after"]


def test_sensors_are_counted_over_all_uploads_and_replicas(
    fleet: Fleet, second_replica: Fleet, directory: ScriptedDirectory
) -> None:
    """Those of before the limit count; the batch that exceeds it leaves nothing behind."""
    board = fleet.board()
    fleet.upload(board, batch_of(1.0, **with_sensors(2)))
    folded(fleet, board)
    told(directory, fleet.company_id, ACTIVE, sensors_per_device_max=3, retention_d=1)
    for replica in (fleet, second_replica):
        eventually(partial(window_of_a_day, replica, board), "the new plan")

    with refused(StatusCode.FAILED_PRECONDITION, "QUOTA_EXCEEDED") as refusal:
        fleet.upload(board, batch_of(1.0, seq=1, **with_sensors(4)))
    assert refusal.metadata == {"quota": "sensors", "limit": "3", "used": "2"}

    second_replica.upload(board, batch_of(1.0, seq=2, **with_sensors(1, first=2)))
    for replica in (fleet, second_replica):
        with refused(StatusCode.FAILED_PRECONDITION, "QUOTA_EXCEEDED"):
            replica.upload(board, batch_of(1.0, seq=3, **with_sensors(1, first=3)))
        replica.upload(board, batch_of(1.0, seq=4, **with_sensors(3)))
    assert fleet.latest(board).keys() == {"s0", "s1", "s2"}


def window_of_a_day(fleet: Fleet, board: Board) -> bool:
    """Tell whether a batch of yesterday is refused, as it is by the plan's retention."""
    old = {"start_unix_ms": int(time.time() * 1000) - 86_400_000 - 60_000}
    outcome = outcome_of(fleet, board, seq=time.time_ns() % 2**32, **with_sensors(2), **old)
    return outcome.reason == "BATCH_TIME_OUT_OF_WINDOW"


def folded(fleet: Fleet, board: Board) -> None:
    """Wait until the registry shows the upload, which is when its newest values are folded."""
    request = pb.GetDeviceRequest(device_id=str(board.device_id))
    eventually(
        lambda: fleet.devices.GetDevice(request, metadata=fleet.person()).HasField(
            "last_upload_time"
        ),
        "the folding",
    )


def test_the_plan_shortens_how_far_back_readings_may_lie(
    fleet: Fleet, directory: ScriptedDirectory
) -> None:
    """The board is told the bound, and puts the batch aside."""
    board = fleet.board()
    old = {"start_unix_ms": int(time.time() * 1000) - 3 * 86_400_000}
    fleet.upload(board, batch_of(1.0, **old))
    told(directory, fleet.company_id, ACTIVE, retention_d=2)

    def refusal() -> Refusal | None:
        outcome = outcome_of(fleet, board, seq=1, **old)
        return None if outcome.code is StatusCode.OK else outcome

    refused_now = eventually(refusal, "the shorter window")
    assert (refused_now.code, refused_now.reason) == (
        StatusCode.INVALID_ARGUMENT,
        "BATCH_TIME_OUT_OF_WINDOW",
    )
