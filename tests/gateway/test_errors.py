"""An error looks the same whoever answers it: a service or the gateway, in every form."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.contract import Rpc
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Context, Services
from tests.gateway.calls import authorization, native_unary, web_call
from tests.gateway.envoy import RunningGateway
from tests.gateway.golden import assert_golden

ME = "dashtrack.users.v1.UserService/GetCurrentUser"
KEPT_HEADERS = ("content-type", "retry-after", "x-dashtrack-reason")


def shown(response: httpx.Response) -> dict[str, Any]:
    """Return what of a response is promised."""
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.json()}


def failing(code: grpc.StatusCode, reason: str, retry_after_s: int | None = None) -> Any:
    """Make an answer that fails as services do."""

    async def answer(_: Message, context: Context) -> Message:
        status = status_pb2.Status(code=code.value[0], message="So it is.")
        info = error_details_pb2.ErrorInfo(
            reason=reason, domain="dashtrack", metadata={"user_id": "7"}
        )
        status.details.add().Pack(info)
        metadata: list[tuple[str, str | bytes]] = [("x-dashtrack-reason", reason)]
        if retry_after_s is not None:
            delay = duration_pb2.Duration(seconds=retry_after_s)
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            metadata.append(("retry-after", str(retry_after_s)))
        metadata += rpc_status.to_status(status).trailing_metadata
        await context.abort(code, status.message, tuple(metadata))
        raise AssertionError

    return answer


def by_the_gateway(rest: httpx.Client, mint: TokenMint) -> dict[str, Callable[[], httpx.Response]]:
    """Return a request for each error of the gateway's own that needs nothing broken."""
    user = authorization(mint.user(Role.MASTER))
    return {
        "no token": lambda: rest.get("/v1/me"),
        "expired token": lambda: rest.get(
            "/v1/me", headers=authorization(mint.expired(Role.MASTER))
        ),
        "forged token": lambda: rest.get(
            "/v1/me", headers=authorization(TokenMint().user(Role.MASTER))
        ),
        "no token at all": lambda: rest.get("/v1/me", headers=authorization("x.y.z")),
        "other scheme": lambda: rest.get("/v1/me", headers={"authorization": "Basic YTpi"}),
        "service's token": lambda: rest.get("/v1/me", headers=authorization(mint.service("users"))),
        "unknown path": lambda: rest.get("/v1/nothing"),
        "wrong verb": lambda: rest.delete("/v1/me", headers=user),
        "large body": lambda: rest.post("/v1/auth:login", content=b"{" + b" " * 9000 + b"}"),
        "large headers": lambda: rest.get("/v1/me", headers=user | {"x-large": "x" * 40_000}),
        "malformed JSON": lambda: rest.post("/v1/auth:login", content=b'{"email": 3}'),
        "unknown parameter": lambda: rest.get("/v1/users", params={"nme": "x"}, headers=user),
        "escaped slash": lambda: rest.get("/v1/users%2fme", headers=user),
        "underscore in a header's name": lambda: rest.get("/v1/me", headers=user | {"x_a": "b"}),
        "metrics of nothing": lambda: rest.get("/metrics/nothing"),
    }


def test_errors_of_the_gateway_over_rest(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Each refusal has its status, its reason and the shape of `google.rpc.Status`."""
    requests = by_the_gateway(rest, token_mint)

    assert_golden("errors_gateway.json", {name: shown(send()) for name, send in requests.items()})
    assert services.calls == []


def test_errors_of_services_over_rest(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A service's status, details, reason and time to wait reach a REST client."""
    headers = authorization(token_mint.user(Role.MASTER))
    found = {}
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        retry_after_s = 7 if code.name in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"} else None
        services.answers[ME] = failing(code, f"REASON_OF_{code.name}", retry_after_s)
        found[code.name] = shown(rest.get("/v1/me", headers=headers))

    assert_golden("errors_services.json", found)


def test_errors_of_services_over_grpc_web(
    rpcs: list[Rpc], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A browser's gRPC client finds the same status and reason."""
    rpc = next(rpc for rpc in rpcs if rpc.label == ME)
    services.answers[ME] = failing(grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")

    answer = web_call(rest, rpc, b"", authorization(token_mint.user(Role.MASTER)))

    assert (answer.http_status, answer.grpc_status) == (200, code_pb2.NOT_FOUND)
    assert status_pb2.Status.FromString(answer.details).message == "So it is."


@pytest.mark.parametrize(
    ("path", "body", "code", "reason"),
    [
        ("/dashtrack.users.v1.UserService/GetCurrentUser", b"", "UNAUTHENTICATED", "TOKEN_MISSING"),
        ("/dashtrack.auth.v1.AuthService/Nothing", b"", "UNIMPLEMENTED", "ROUTE_NOT_FOUND"),
        ("/nothing.Nothing/Nothing", b"", "UNIMPLEMENTED", "ROUTE_NOT_FOUND"),
        (
            "/dashtrack.auth.v1.AuthService/Login",
            b"\n\x80\x50" + b"x" * 0x2800,
            "INVALID_ARGUMENT",
            "REQUEST_TOO_LARGE",
        ),
    ],
)
def test_errors_of_the_gateway_over_grpc(
    path: str, body: bytes, code: str, reason: str, gateway: RunningGateway
) -> None:
    """A native client gets a status that its library understands, details included."""
    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_unary(channel, path, body)

    error: Any = raised.value
    assert error.code().name == code
    # It raises if code or message differ between the two.
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason, "dashtrack")


def test_a_deadline_of_the_clients_is_kept(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A call that takes too long ends with 504, and the service knew the deadline."""

    async def sleep(_: Message, __: Context) -> Message:
        await asyncio.sleep(20)
        raise AssertionError

    services.answers[ME] = sleep
    headers = authorization(token_mint.user(Role.MASTER)) | {"grpc-timeout": "200m"}

    response = rest.get("/v1/me", headers=headers)

    assert response.status_code == httpx.codes.GATEWAY_TIMEOUT
    assert response.json()["code"] == code_pb2.DEADLINE_EXCEEDED
    assert services.calls[0].time_remaining_s <= 0.2


def test_calls_without_a_deadline_get_the_contracts(
    services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """No call waits for ever: a service always has a deadline to pass on."""
    rest.get("/v1/me", headers=authorization(token_mint.user(Role.MASTER)))

    assert 9.0 < services.calls[0].time_remaining_s <= 10.0
