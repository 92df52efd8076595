"""Whatever a client sends, it is told what is wrong: its mistakes are no errors of the server."""

import random
import uuid

import grpc
import httpx
import pytest

from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.calls import RAW, authorization, native_unary
from tests.gateway.envoy import RunningGateway

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
PATHS = (
    "/",
    "//",
    "/v1/me?%",
    "/v1/users?a.b.c=1&=",
    "/v1/users?pageSize=",
    "/v1/users/a:b:c",
    "/v1/users/%00",
    "/v1/users/x:deactivate",
    "/v1/auth:login",
    "/v1/telemetry",
    "/v1/telemetry/",
    "/v1/readings:watch",
    "/dashtrack.users.v1.UserService/GetUser",
    "/dashtrack.device.v1.DeviceLinkHttpService/Upload",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/docs/",
    "/openapi.json",
)
CONTENT_TYPES = (
    None,
    RAW,
    "application/json",
    "application/grpc",
    "application/grpc-status",
    "APPLICATION/GRPC",
    "multipart/form-data",
    "text/plain; charset=utf-16",
)
BODIES = (b"", b"{}", b"[", b"\xff" * 50, b"x" * 70_000, b'{"a":' + b"[" * 2000, b"\0\0\0\0\0")
HEADERS = {
    "accept": "text/event-stream",
    "content-encoding": "gzip",
    "expect": "100-continue",
    "grpc-encoding": "gzip",
    "grpc-timeout": "soon",
    "te": "trailers",
    "x-grpc-web": "1",
}


@pytest.mark.parametrize("seed", range(10))
def test_malformed_requests_are_the_clients_mistake(
    seed: int, services: Services, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """Any combination of verb, path, type, headers and body is answered below 500."""
    chance = random.Random(seed)
    tokens = (None, "x", token_mint.user(Role.MASTER), token_mint.device(uuid.uuid4()))
    with httpx.Client() as client:
        for _ in range(40):
            method, path = chance.choice(METHODS), chance.choice(PATHS)
            headers = authorization(chance.choice(tokens))
            headers |= {name: text for name, text in HEADERS.items() if chance.random() < 0.1}
            content_type = chance.choice(CONTENT_TYPES)
            if content_type:
                headers["content-type"] = content_type
            response = client.request(
                method,
                httpx.URL(gateway.url).copy_with(raw_path=path.encode()),
                headers=headers,
                content=chance.choice(BODIES) if method not in {"GET", "HEAD"} else b"",
            )
            assert response.status_code < 500, (method, path, headers, response.text)


@pytest.mark.parametrize("timeout", ["soon", "-1S", "1", "123456789S", "1S; x"])
def test_a_malformed_deadline_is_no_deadline(
    timeout: str, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """It is dropped, and the contract's is given instead."""
    headers = authorization(token_mint.user(Role.MASTER)) | {"grpc-timeout": timeout}

    assert rest.get("/v1/me", headers=headers).status_code == httpx.codes.OK
    assert 9.0 < services.calls[0].time_remaining_s <= 10.0


def test_rest_paths_have_nothing_for_grpc(
    services: Services, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """A gRPC call to a REST path is to a method that doesn't exist."""
    headers = authorization(token_mint.user(Role.MASTER))

    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_unary(channel, "/v1/auth:login", b"", headers)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert services.calls == []
