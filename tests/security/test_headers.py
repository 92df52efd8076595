"""Headers from outside: none makes a caller somebody else, and none breaks a call."""

import socket
import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import httpx
import pytest
from dashtrack.users.v1 import user_service_pb2 as users
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.listeners import IDENTITY_HEADERS
from services.chassis.identity import Role
from tests.fixtures.effort import EFFORT, timeout_s
from tests.fixtures.tokens import TokenMint
from tests.fixtures.two_tenants import TwoTenants
from tests.security.conftest import FrontDoor

pytestmark = pytest.mark.timeout(timeout_s())
LIST_USERS = "/dashtrack.users.v1.UserService/ListUsers"
_PATIENCE_S = 20


def answer(front_door: FrontDoor, lines: Sequence[bytes]) -> tuple[int, bytes]:
    """Send a request line and headers as they are; return the status and the rest."""
    host, _, port = front_door.gateway.target.partition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE_S) as connection:
        connection.sendall(b"\r\n".join([*lines, b"connection: close", b"", b""]))
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


ODD = (
    b"qg$: x",
    b"a'b`c|~!#%&*+^: x",
    b"x-text: caf\xc3\xa9",
    b"x-text: \xff\xfe",
    b"x-text: a\tb",
    b"x-empty:",
    b"x-bin: !!!",
    b"x-bin: aGk",
    b"x-bin: a,b",
    b"authorization-bin: aGk=",
    b"grpc-trace-bin: xx!",
    b"grpc-status-details-bin: ---",
    b"grpc-encoding: gzip",
    b"grpc-encoding: zstd",
    b"grpc-encoding: \xff",
    b"grpc-accept-encoding: \xff",
    b"grpc-previous-rpc-attempts: many",
    b"grpc-retry-pushback-ms: soon",
    b"grpc-status: 7",
    b"grpc-message: no",
    b"grpc-timeout: soon",
    b"te: gzip",
    b"content-encoding: br",
    b"user-agent: caf\xc3\xa9",
    b"cookie: a=\xc3\xa9",
    b"accept: \xff",
    b"accept-encoding: \xff",
    b"traceparent: \xff",
    b"tracestate: caf\xc3\xa9",
    b"expect: 100-continue",
    b"upgrade: h2c",
    b"x-http-method-override: DELETE",
    b"x-original-url: /v1/companies",
    b"x-rewrite-url: /v1/companies",
    b"x-forwarded-proto: gopher",
    b"x-forwarded-host: evil.example",
    b"x-forwarded-for: \xff",
    b"x-request-id: \xff",
    b"forwarded: for=127.0.0.1;host=evil",
)


@pytest.mark.parametrize("line", ODD)
def test_odd_headers_change_nothing(
    front_door: FrontDoor, world: TwoTenants, token_mint: TokenMint, line: bytes
) -> None:
    """What HTTP allows and gRPC doesn't is the client's business, and no error of the server."""
    token = token_mint.user(Role.MASTER)
    request = [
        b"GET /v1/users?pageSize=1 HTTP/1.1",
        b"host: x",
        b"authorization: Bearer " + token.encode(),
    ]

    status, body = answer(front_door, [*request, line])

    assert (status, b'"users"' in body) == (200, True), body


@pytest.mark.parametrize(
    "line",
    [
        b":path: /v1/companies",
        b":authority: evil",
        b"x_user_id: 7",
        b"a b: c",
        b"x-text: a\x00b",
        b"content-length: -1",
        b"content-length: 5, 6",
        b"transfer-encoding: chunked\r\ncontent-length: 5",
    ],
)
def test_malformed_headers_are_the_clients_mistake(
    front_door: FrontDoor, token_mint: TokenMint, line: bytes
) -> None:
    """Whatever two parsers could read differently is refused."""
    token = token_mint.user(Role.MASTER)
    request = [b"GET /v1/users HTTP/1.1", b"host: x", b"authorization: Bearer " + token.encode()]

    status, _ = answer(front_door, [*request, line])

    assert status == 400


TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
names = st.text(TOKEN_CHARACTERS, min_size=1, max_size=30)
values = st.binary(max_size=60).map(
    lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip()
)
PROTOCOL = frozenset(
    {"content-length", "transfer-encoding", "host", "connection", "authorization", "upgrade"}
)


@settings(
    max_examples=30 * EFFORT,
    deadline=None,
    derandomize=EFFORT == 1,
    suppress_health_check=[*HealthCheck],
)
@given(headers=st.lists(st.tuples(names, values), min_size=1, max_size=8))
def test_no_header_breaks_a_call(
    front_door: FrontDoor, token_mint: TokenMint, headers: list[tuple[str, bytes]]
) -> None:
    """Any name and any value that HTTP knows."""
    token = token_mint.user(Role.MASTER).encode()
    lines = [name.encode() + b": " + value for name, value in headers if name not in PROTOCOL]

    status, body = answer(
        front_door,
        [
            b"GET /v1/users?pageSize=1 HTTP/1.1",
            b"host: x",
            b"authorization: Bearer " + token,
            *lines,
        ],
    )

    # An underscore in a name is refused by itself.
    assert status in ({200} if "_" not in "".join(name for name, _ in headers) else {200, 400}), (
        body
    )


def test_compressed_messages_of_grpc_still_pass(
    front_door: FrontDoor, world: TwoTenants, token_mint: TokenMint
) -> None:
    """Native clients may compress, and say so in a header of gRPC's own."""
    metadata = (("authorization", f"Bearer {token_mint.user(Role.MASTER)}"),)
    request = users.ListUsersRequest(query="a" * 100)
    with grpc.insecure_channel(
        front_door.gateway.target, compression=grpc.Compression.Gzip
    ) as channel:
        call: Any = channel.unary_unary(
            LIST_USERS,
            request_serializer=users.ListUsersRequest.SerializeToString,
            response_deserializer=users.ListUsersResponse.FromString,
        )
        assert list(call(request, metadata=metadata, timeout=_PATIENCE_S).users) == []


CLAIMING = (
    *IDENTITY_HEADERS,
    "x-dashtrack-scope",
    "x-dashtrack-session-id",
    "x-dashtrack-tenant",
    "x-envoy-internal",
    "x-envoy-external-address",
    "x-tenant-id",
    "x-real-ip",
    "x-authenticated-user",
    "x-remote-user",
    "remote-user",
    "grpc-company-id",
)


@pytest.mark.parametrize("name", CLAIMING)
@pytest.mark.parametrize("entrance", ["rest", "grpc", "service"])
def test_no_header_makes_a_caller_somebody_else(
    world: TwoTenants, front_door: FrontDoor, token_mint: TokenMint, name: str, entrance: str
) -> None:
    """A manager who claims to be a master of another company sees their own people alone."""
    token = world.token(Role.MANAGER, world.own.company_id)
    for value in ("master", world.foreign.company_id, str(uuid.UUID(int=1)), "true"):
        headers = {"authorization": f"Bearer {token}", name: value}
        if entrance == "rest":
            response = front_door.client.get("/v1/users", headers=headers)
            assert response.status_code == httpx.codes.OK
            companies = {user["companyId"] for user in response.json()["users"]}
        else:
            target = front_door.gateway.target
            if entrance == "grpc":
                with grpc.insecure_channel(target) as channel:
                    companies = listed(channel, headers)
            else:
                companies = listed(world.services.channel("dashtrack.users.v1"), headers)
        assert companies == {world.own.company_id}


def listed(channel: grpc.Channel, headers: dict[str, str]) -> set[str]:
    """List people over gRPC; return whose they are."""
    call: Any = channel.unary_unary(
        LIST_USERS, response_deserializer=users.ListUsersResponse.FromString
    )
    answer = call(b"", metadata=tuple(headers.items()), timeout=_PATIENCE_S)
    return {user.company_id for user in answer.users}


@pytest.mark.parametrize(
    "authority", ["evil.example", "127.0.0.1:1", "auth", "localhost", "x" * 200]
)
def test_the_authority_decides_nothing(
    front_door: FrontDoor, world: TwoTenants, token_mint: TokenMint, authority: str
) -> None:
    """A host header neither chooses a service nor opens or closes anything."""
    with_token = {"authorization": f"Bearer {token_mint.user(Role.MASTER)}", "host": authority}

    assert front_door.client.get("/v1/users", headers=with_token).status_code == httpx.codes.OK
    refused = front_door.client.get("/v1/users", headers={"host": authority})
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    admin = front_door.client.get("/config_dump", headers=with_token)
    assert admin.status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize(
    "path",
    [
        "/dashtrack.auth.internal.v1.TokenService/IssueServiceToken",
        "/dashtrack.companies.internal.v1.DirectoryService/GetCompanyStanding",
        "/v1/../dashtrack.auth.internal.v1.TokenService/ListRevocations",
        "/dashtrack.auth.internal.v1.TokenService%2fListRevocations",
        "//dashtrack.auth.internal.v1.TokenService/ListRevocations",
        "/dashtrack.auth.v1.AuthService/../dashtrack.auth.internal.v1.TokenService/ListRevocations",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/config_dump",
        "/quitquitquit",
        "/stats",
    ],
)
@pytest.mark.parametrize(
    "content_type", ["application/grpc", "application/json", "application/grpc-web+proto"]
)
def test_the_inside_is_not_reached_from_outside(
    front_door: FrontDoor, token_mint: TokenMint, path: str, content_type: str
) -> None:
    """Internal methods and Envoy's own pages have no route, whatever token is shown."""
    for token in (token_mint.service("telemetry"), token_mint.user(Role.MASTER)):
        url = httpx.URL(front_door.gateway.url).copy_with(raw_path=path.encode())
        response = front_door.client.post(
            url,
            content=bytes(5),
            headers={"authorization": f"Bearer {token}", "content-type": content_type},
        )
        # Native gRPC says it in a header, with status 200.
        refused = response.headers.get("grpc-status", "0") != "0"
        assert response.status_code in {400, 404} or refused, response.text
        assert response.headers["x-dashtrack-reason"] in {"ROUTE_NOT_FOUND", "INVALID_ARGUMENT"}
