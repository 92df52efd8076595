"""Uploads that are refused, each for a reason that tells the board what to do."""

import gzip
import uuid
from functools import partial

import grpc
import pytest
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch
from dashtrack.telemetry.v1 import device_service_pb2 as device_pb
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.refusals import refused
from tests.fixtures.telemetry_storage import DAY_MS, now_ms
from tests.fixtures.tokens import TokenMint, bearer
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import TIMEOUT_S, Board, Fleet, batch_of


@pytest.mark.parametrize("days", [-401, 2])
def test_a_batch_outside_of_the_window_is_refused(fleet: Fleet, days: int) -> None:
    """It is neither clamped nor stored."""
    board = fleet.board()
    start_ms = now_ms() + days * DAY_MS

    with refused(StatusCode.INVALID_ARGUMENT, "BATCH_TIME_OUT_OF_WINDOW") as refusal:
        fleet.upload(board, batch_of(1.0, start_unix_ms=start_ms))

    assert refusal.metadata["t0"] == str(start_ms)
    assert fleet.latest(board) == {}


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"", "", "BATCH_EMPTY"),
        (b"", "gzip", "BATCH_EMPTY"),
        (b"\xff\xff", "", "BATCH_MALFORMED"),
        (b"{}", "", "BATCH_MALFORMED"),
        (batch_of(1.0).SerializeToString(), "gzip", "CONTENT_ENCODING_INVALID"),
        (batch_of(1.0).SerializeToString(), "br", "CONTENT_ENCODING_INVALID"),
        (b"x" * 65_537, "", "BATCH_TOO_LARGE"),
        (gzip.compress(b"x" * 65_537), "gzip", "BATCH_TOO_LARGE"),
        (batch_of(*[0.0] * 10_001).SerializeToString(), "", "BATCH_TOO_LARGE"),
        (batch_of(1.0, start_uptime_ms=1).SerializeToString(), "", "UPTIME_REQUIRED"),
    ],
    ids=[
        "nothing",
        "nothing-zipped",
        "garbage",
        "json",
        "not-zipped",
        "brotli",
        "large",
        "bomb",
        "many",
        "uptime",
    ],
)
def test_bad_bodies_are_refused_for_a_reason(
    fleet: Fleet, body: bytes, encoding: str, reason: str
) -> None:
    """Each tells the board whether to quarantine, split or send more."""
    with refused(StatusCode.INVALID_ARGUMENT, reason):
        fleet.send(fleet.board(), body, content_encoding=encoding)


def test_typed_uploads_are_held_to_the_same_rules(fleet: Fleet) -> None:
    """Too many readings are too large, not an invalid argument, over gRPC as well."""
    board = fleet.board()
    for batch, reason in (
        (batch_of(*[0.0] * 10_001), "BATCH_TOO_LARGE"),
        (batch_of(1.0, boot_id=0), "BATCH_MALFORMED"),
        (ReadingBatch(), "BATCH_EMPTY"),
    ):
        with refused(StatusCode.INVALID_ARGUMENT, reason):
            fleet.links.UploadBatch(batch, metadata=bearer(board.token))


def test_a_disabled_device_is_shut_out(fleet: Fleet, second_replica: Fleet) -> None:
    """On every replica, within seconds."""
    board = fleet.board()
    for seq, replica in enumerate((fleet, second_replica)):
        replica.upload(board, batch_of(1.0, seq=seq))
    request = device_pb.DisableDeviceRequest(device_id=str(board.device_id))
    fleet.devices.DisableDevice(request, metadata=fleet.person(), timeout=TIMEOUT_S)

    def shut_out(replica: Fleet) -> bool:
        try:
            replica.upload(board, batch_of(2.0, seq=9))
        except grpc.RpcError as err:
            return bool(err.code() is StatusCode.PERMISSION_DENIED)
        return False

    for replica in (fleet, second_replica):
        eventually(partial(shut_out, replica), "the device to be shut out")
    with refused(StatusCode.PERMISSION_DENIED, "DEVICE_REVOKED"):
        fleet.upload(board, batch_of(3.0, seq=10))


def test_a_token_of_an_unknown_device_is_refused(fleet: Fleet, token_mint: TokenMint) -> None:
    """A genuine signature doesn't make a device."""
    device_id = uuid.uuid4()
    stranger = Board(device_id, fleet.company_id, token_mint.device(fleet.company_id, device_id))

    with refused(StatusCode.PERMISSION_DENIED, "DEVICE_REVOKED"):
        fleet.upload(stranger, batch_of(1.0))


def test_people_do_not_upload(fleet: Fleet, token_mint: TokenMint) -> None:
    """The device route is for devices."""
    person = Board(uuid.uuid4(), fleet.company_id, token_mint.user(Role.MASTER))

    with refused(StatusCode.PERMISSION_DENIED, "TOKEN_AUDIENCE"):
        fleet.upload(person, batch_of(1.0))
