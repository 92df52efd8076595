"""The internal side of auth as other services see it, on real servers."""

import asyncio
import uuid
from typing import Any

import jwt
import nats
import pytest
from dashtrack.auth.internal.v1 import token_service_pb2 as pb
from grpc import StatusCode

from tests.fixtures.auth_service import TELEMETRY_SECRET
from tests.fixtures.nats import NatsServer
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import bearer


def claims_of(token: str) -> dict[str, Any]:
    """Read a token without verifying it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def revocations_after(tokens_stub: Any, metadata: Any, position: str) -> pb.ListRevocationsResponse:
    """Read on from a position."""
    answer: pb.ListRevocationsResponse = tokens_stub.ListRevocations(
        pb.ListRevocationsRequest(after=position), metadata=metadata
    )
    return answer


def newest_position(tokens_stub: Any, metadata: Any) -> str:
    """Read to the end."""
    page = revocations_after(tokens_stub, metadata, "")
    while page.more:
        page = revocations_after(tokens_stub, metadata, page.next_position)
    return page.next_position


def test_a_service_gets_a_short_token(tokens_stub: Any) -> None:
    """For its secret."""
    request = pb.IssueServiceTokenRequest(service="telemetry", secret=TELEMETRY_SECRET)

    issued = tokens_stub.IssueServiceToken(request)

    claims = claims_of(issued.token)
    assert (claims["aud"], claims["sub"]) == ("dashtrack-service", "telemetry")
    assert claims["role"] == "service"
    assert claims["exp"] - int(claims["iat"]) == 600
    assert issued.expire_time.seconds == claims["exp"]


@pytest.mark.parametrize(
    ("service", "secret"), [("telemetry", "wrong"), ("nobody", TELEMETRY_SECRET)]
)
def test_a_wrong_secret_gets_none(tokens_stub: Any, service: str, secret: str) -> None:
    """Nor does a service that nobody knows."""
    with refused(StatusCode.UNAUTHENTICATED, "SERVICE_CREDENTIALS_INVALID"):
        tokens_stub.IssueServiceToken(pb.IssueServiceTokenRequest(service=service, secret=secret))


def test_a_device_gets_a_token_for_a_day(tokens_stub: Any, as_telemetry: Any) -> None:
    """It says which device and whose."""
    device_id, company_id = str(uuid.uuid4()), str(uuid.uuid4())
    request = pb.IssueDeviceTokenRequest(device_id=device_id, company_id=company_id)

    claims = claims_of(tokens_stub.IssueDeviceToken(request, metadata=as_telemetry).token)

    assert (claims["aud"], claims["sub"]) == ("dashtrack-device", device_id)
    assert claims["company_id"] == company_id
    assert claims["exp"] - int(claims["iat"]) == 86_400


def test_only_services_get_at_the_internal_side(people: Any, tokens_stub: Any) -> None:
    """A person's token is good, and for something else."""
    _, session = people.join()
    request = pb.IssueDeviceTokenRequest(device_id=str(uuid.uuid4()), company_id=str(uuid.uuid4()))

    with refused(StatusCode.PERMISSION_DENIED, "TOKEN_AUDIENCE"):
        tokens_stub.IssueDeviceToken(request, metadata=bearer(session.access_token))
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"):
        tokens_stub.ListRevocations(pb.ListRevocationsRequest())


def test_a_revoked_device_is_listed_once(tokens_stub: Any, as_telemetry: Any) -> None:
    """After the position that was read before, and not after the next."""
    before = newest_position(tokens_stub, as_telemetry)
    device_id = str(uuid.uuid4())
    request = pb.RevokeSubjectRequest(subject=device_id)
    tokens_stub.RevokeSubject(request, metadata=as_telemetry)

    page = revocations_after(tokens_stub, as_telemetry, before)
    following = revocations_after(tokens_stub, as_telemetry, page.next_position)

    (revocation,) = page.revocations
    assert revocation.subject == device_id
    life_s = revocation.expire_time.seconds - revocation.revoke_time.seconds
    assert life_s >= 86_400
    assert not following.revocations
    assert following.next_position == page.next_position


def test_a_token_that_follows_a_revocation_is_younger(tokens_stub: Any, as_telemetry: Any) -> None:
    """However soon it is issued: who is let in again is let in at once."""
    before = newest_position(tokens_stub, as_telemetry)
    device_id = str(uuid.uuid4())
    request = pb.IssueDeviceTokenRequest(device_id=device_id, company_id=str(uuid.uuid4()))
    older = claims_of(tokens_stub.IssueDeviceToken(request, metadata=as_telemetry).token)
    tokens_stub.RevokeSubject(pb.RevokeSubjectRequest(subject=device_id), metadata=as_telemetry)
    younger = claims_of(tokens_stub.IssueDeviceToken(request, metadata=as_telemetry).token)

    (revocation,) = revocations_after(tokens_stub, as_telemetry, before).revocations
    revoked_at_s = revocation.revoke_time.ToMicroseconds() / 1e6
    assert older["iat"] < revoked_at_s < younger["iat"]


def test_revocations_are_listed_in_order(tokens_stub: Any, as_telemetry: Any) -> None:
    """Oldest first, and with no more to come."""
    before = newest_position(tokens_stub, as_telemetry)
    subjects = [str(uuid.uuid4()) for _ in range(5)]
    for subject in subjects:
        tokens_stub.RevokeSubject(pb.RevokeSubjectRequest(subject=subject), metadata=as_telemetry)

    page = revocations_after(tokens_stub, as_telemetry, before)

    assert [revocation.subject for revocation in page.revocations] == subjects
    assert not page.more


@pytest.mark.parametrize("position", ["-1", "x", "1.0"])
def test_a_made_up_position_is_refused(tokens_stub: Any, as_telemetry: Any, position: str) -> None:
    """The field at fault is named."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        revocations_after(tokens_stub, as_telemetry, position)

    assert refusal.fields == {"after"}


@pytest.mark.parametrize("subject", ["", "x", "0" * 32])
def test_a_malformed_subject_is_refused(tokens_stub: Any, as_telemetry: Any, subject: str) -> None:
    """By the contract."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        tokens_stub.RevokeSubject(pb.RevokeSubjectRequest(subject=subject), metadata=as_telemetry)


async def test_a_revocation_is_hinted_at(
    tokens_stub: Any, as_telemetry: Any, nats_server: NatsServer, auth_service: ServedService
) -> None:
    """So that nobody has to wait for the next regular pull."""
    client = await nats.connect(
        nats_server.url, user=nats_server.user, password=nats_server.password
    )
    try:
        hints = await client.subscribe("dashtrack.revoked")
        await client.flush()
        request = pb.RevokeSubjectRequest(subject=str(uuid.uuid4()))
        await asyncio.to_thread(tokens_stub.RevokeSubject, request, metadata=as_telemetry)
        hint = await hints.next_msg(timeout=20)
    finally:
        await client.close()

    assert hint.data == b""
