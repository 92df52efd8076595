"""A flood of logins delays nobody but itself."""

from typing import Any

import grpc
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceStub

from tests.fixtures.auth_service import FIRST_MASTER_PASSWORD, MakeSite, new_email
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import refusal_of

FLOOD_SIZE = 24


def test_a_flood_is_refused_and_the_rest_is_served(make_auth_site: MakeSite) -> None:
    """What doesn't fit the queue is told when to come back; sessions go on being refreshed."""
    tight: dict[str, Any] = {"password_threads": 1, "password_queue_max": 2}
    slow: dict[str, Any] = {"argon2_memory_kib": 16_384, "argon2_passes": 8}
    with (
        make_auth_site().serve(**tight, **slow) as service,
        grpc.insecure_channel(service.target) as channel,
    ):
        # The generated stubs are typed for grpc.aio; over this channel they are synchronous.
        stub: Any = AuthServiceStub(channel)  # type: ignore[arg-type]
        first = pb.LoginRequest(email=FIRST_MASTER_EMAIL, password=FIRST_MASTER_PASSWORD)
        session = stub.Login(first)
        flood = [
            stub.Login.future(pb.LoginRequest(email=new_email(), password="x"))
            for _ in range(FLOOD_SIZE)
        ]
        refresh = pb.RefreshSessionRequest(refresh_token=session.refresh_token)
        refreshed = stub.RefreshSession(refresh)
        refusals = [refusal_of(call.exception()) for call in flood]

        assert refreshed.user_id == session.user_id
        assert stub.Login(first).user_id == session.user_id

    reasons = [refusal.reason for refusal in refusals]
    assert set(reasons) == {"CREDENTIALS_INVALID", "LOGIN_THROTTLED"}
    assert all(refusal.retry_after_s for refusal in refusals if refusal.reason == "LOGIN_THROTTLED")
