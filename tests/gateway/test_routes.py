"""Every RPC is reached in every form, by those alone who may call it."""

import time
import uuid
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2

from gateway import contract
from gateway.contract import Rpc
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.calls import (
    RAW,
    authorization,
    native_call,
    native_unary,
    rest_call,
    token_for,
    web_call,
    wrong_token_for,
)
from tests.gateway.envoy import RunningGateway

RPCS = contract.public_rpcs(contract.load())
PRIVATE = [rpc for rpc in RPCS if not rpc.public]
INTERNAL = [
    "/dashtrack.auth.internal.v1.TokenService/IssueServiceToken",
    "/dashtrack.auth.internal.v1.TokenService/IssueDeviceToken",
    "/dashtrack.companies.internal.v1.DirectoryService/CheckVehicle",
]


def label(rpc: Rpc) -> str:
    """Name a test by its RPC."""
    return rpc.label


def reason(packed: bytes) -> str:
    """Return the reason in a serialized status."""
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(packed).details[0].Unpack(info)
    return info.reason


def native_reason(error: Any) -> str:
    """Return the reason that a native client finds."""
    return reason(dict(error.trailing_metadata())["grpc-status-details-bin"])


def ask(rpc: Rpc, services: Services, rest: httpx.Client, token: str | None) -> httpx.Response:
    """Call an RPC over REST."""
    call = rest_call(rpc, services) if not rpc.raw else None
    headers = authorization(token)
    if call is not None:
        return call.send(rest, headers)
    assert rpc.binding is not None
    return rest.post(
        rpc.binding.template, content=b"\x08\x01", headers=headers | {"content-type": RAW}
    )


@pytest.mark.parametrize("rpc", RPCS, ids=label)
def test_rest_reaches_the_rpc_with_the_message_that_was_meant(
    rpc: Rpc, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Path, query and body of a REST call become the request, without a loss."""
    response = ask(rpc, services, rest, token_for(rpc, token_mint))

    assert response.status_code == httpx.codes.OK, response.text
    (call,) = services.calls
    assert (call.owner, call.path) == (rpc.owner, rpc.path)
    expected = (
        services.message(rpc.input_type, content_type=RAW, data=b"\x08\x01")
        if rpc.raw
        else rest_call(rpc, services).message
    )
    assert call.request == expected


@pytest.mark.parametrize("rpc", RPCS, ids=label)
def test_grpc_reaches_the_rpc(
    rpc: Rpc, services: Services, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """Native gRPC passes unchanged."""
    body = services.message(rpc.input_type).SerializeToString()

    with grpc.insecure_channel(gateway.target) as channel:
        answers = native_call(channel, rpc, body, authorization(token_for(rpc, token_mint)))

    assert answers == [b""]
    assert [call.path for call in services.calls] == [rpc.path]


@pytest.mark.parametrize("rpc", RPCS, ids=label)
def test_grpc_web_reaches_the_rpc(
    rpc: Rpc, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A browser's gRPC arrives as gRPC."""
    answer = web_call(rest, rpc, b"", authorization(token_for(rpc, token_mint)))

    assert (answer.http_status, answer.grpc_status, answer.messages) == (200, 0, [b""])
    assert [call.path for call in services.calls] == [rpc.path]


@pytest.mark.parametrize("rpc", PRIVATE, ids=label)
def test_without_a_token_nothing_private_is_reached(
    rpc: Rpc, services: Services, rest: httpx.Client, gateway: RunningGateway
) -> None:
    """All three forms are refused before a service sees the call."""
    over_rest = ask(rpc, services, rest, None)
    over_web = web_call(rest, rpc, b"")
    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_call(channel, rpc, b"", {})

    assert over_rest.status_code == httpx.codes.UNAUTHORIZED
    assert over_rest.json()["details"][0]["reason"] == "TOKEN_MISSING"
    assert (over_web.grpc_status, reason(over_web.details)) == (16, "TOKEN_MISSING")
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert native_reason(raised.value) == "TOKEN_MISSING"
    assert services.calls == []


@pytest.mark.parametrize("rpc", PRIVATE, ids=label)
def test_a_token_of_another_kind_of_caller_is_denied(
    rpc: Rpc,
    services: Services,
    rest: httpx.Client,
    gateway: RunningGateway,
    token_mint: TokenMint,
) -> None:
    """A device's token opens nothing of people's, and the other way round."""
    wrong = wrong_token_for(rpc, token_mint)

    over_rest = ask(rpc, services, rest, wrong)
    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_call(channel, rpc, b"", authorization(wrong))

    assert over_rest.status_code == httpx.codes.FORBIDDEN
    assert over_rest.json()["details"][0]["reason"] == "TOKEN_AUDIENCE"
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert native_reason(raised.value) == "TOKEN_AUDIENCE"
    assert services.calls == []


@pytest.mark.parametrize("rpc", [rpc for rpc in PRIVATE if rpc.scope], ids=label)
def test_an_api_keys_token_gets_past_the_gateway(
    rpc: Rpc, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Where people's does; scopes are the services' business."""
    token = token_mint.api_key(Role.MANAGER, [], uuid.uuid4())

    answer = ask(rpc, services, rest, token)

    assert answer.is_success
    assert [call.path for call in services.calls] == [rpc.path]


@pytest.mark.parametrize("path", INTERNAL)
def test_internal_services_are_unreachable(
    path: str,
    services: Services,
    rest: httpx.Client,
    gateway: RunningGateway,
    token_mint: TokenMint,
) -> None:
    """What is for services is not there for the outside, not even with a service's token."""
    headers = authorization(token_mint.service("users"))

    over_rest = rest.post(path, json={}, headers=headers)
    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_unary(channel, path, b"", headers)

    assert over_rest.status_code == httpx.codes.NOT_FOUND
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert native_reason(raised.value) == "ROUTE_NOT_FOUND"
    assert services.calls == []


@pytest.mark.parametrize(
    "claims",
    [{"iss": "somebody"}, {"aud": "dashtrack-service"}, {"exp": None}],
    ids=["issuer", "audience", "no-expiry"],
)
def test_genuine_tokens_with_wrong_claims_open_nothing(
    claims: dict[str, Any], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A good signature alone is not enough."""
    token = token_mint.user(Role.MASTER, **claims)

    response = rest.get("/v1/me", headers=authorization(token))

    assert response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
    assert services.calls == []


def test_issue_times_have_fractions(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A token says to the microsecond when it was issued, and the gateway takes that."""
    token = token_mint.user(Role.MASTER, iat=time.time() - 0.25)

    response = rest.get("/v1/me", headers=authorization(token))

    assert response.status_code == httpx.codes.OK
    assert len(services.calls) == 1


def test_a_token_that_somebody_else_signed_is_invalid(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Neither an unknown key nor a known key's name under another key is accepted."""
    for mint in (TokenMint(), TokenMint(kid=token_mint.kid)):
        response = rest.get("/v1/me", headers=authorization(mint.user(Role.MASTER)))

        assert response.status_code == httpx.codes.UNAUTHORIZED
        assert response.headers["x-dashtrack-reason"] == "TOKEN_INVALID"
    assert services.calls == []


def test_a_token_in_the_query_is_no_token(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """URLs end up in logs: `?access_token=` is refused, with or without a header beside it."""
    token = token_mint.user(Role.MASTER)

    for headers in ({}, authorization(token)):
        response = rest.get("/v1/me", params={"access_token": token}, headers=headers)
        assert response.status_code == httpx.codes.BAD_REQUEST
    assert services.calls == []


def test_health_of_each_service_is_public(gateway: RunningGateway, services: Services) -> None:
    """The standard health check is answered by the service that a header names, or by auth."""
    check = "/grpc.health.v1.Health/Check"

    with grpc.insecure_channel(gateway.target) as channel:
        for service in ("auth", "users", "companies", "telemetry"):
            headers = {"x-dashtrack-service": service}
            assert native_unary(channel, check, b"", headers) == b"\x08\x01"
        assert native_unary(channel, check) == b"\x08\x01"


def test_reflection_is_public(gateway: RunningGateway, services: Services) -> None:
    """Generic clients find out what is there."""
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    with grpc.insecure_channel(gateway.target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "dashtrack.auth.v1.AuthService" in database.get_services()


def test_identity_headers_from_outside_never_reach_a_service(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A caller is who its token says; headers that claim something are taken away."""
    spoofed = {
        "x-user-id": str(uuid.uuid4()),
        "x-dashtrack-role": "master",
        "x-company-id": "x",
        "x-jwt-payload": "e30",
        "x-envoy-internal": "true",
        "x-envoy-original-path": "/v1/admin",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-force-trace": "true",
        "baggage": "role=master",
        "x-forwarded-client-cert": "By=x",
    }
    headers = authorization(token_mint.user(Role.MANAGER)) | spoofed

    assert rest.get("/v1/me", headers=headers).status_code == httpx.codes.OK

    (call,) = services.calls
    arrived = call.metadata
    assert not {name for name, value in spoofed.items() if arrived.get(name) == value}
    assert "x-envoy-internal" not in arrived
