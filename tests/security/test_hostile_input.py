"""Whatever is sent is answered as the caller's mistake or done whole: never a failure of ours."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

import grpc
import httpx
import pytest
from dashtrack.options.v1 import options_pb2
from google.protobuf.message import Message
from grpc import StatusCode

from gateway.contract import Rpc as Route
from gateway.contract import load, public_rpcs
from services.chassis.identity import Role
from tests.fixtures.effort import timeout_s
from tests.fixtures.hostile import BROKEN, UNKNOWN, example, hostile
from tests.fixtures.refusals import refusal_of
from tests.fixtures.rpcs import RPCS, Rpc
from tests.fixtures.two_tenants import TwoTenants
from tests.security.conftest import FrontDoor

pytestmark = pytest.mark.timeout(timeout_s(120))

# Whose fault it is: gRPC's own words for a failure of the server.
FAULTS = frozenset(
    {
        StatusCode.INTERNAL,
        StatusCode.UNKNOWN,
        StatusCode.DATA_LOSS,
        StatusCode.UNIMPLEMENTED,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.UNAVAILABLE,
        StatusCode.CANCELLED,
    }
)
_STREAM_PATIENCE_S = 0.1
ROUTES: Mapping[str, Route] = {
    route.path: route for route in public_rpcs(load()) if route.binding and not route.raw
}


def token_for(world: TwoTenants, rpc: Rpc) -> str | None:
    """Issue a token that opens a method."""
    kinds: Mapping[str, str | None] = {
        "CALLER_PUBLIC": "nobody",
        "CALLER_DEVICE": "device",
        "CALLER_SERVICE": "service",
        "CALLER_USER": Role.MASTER,
    }
    caller = kinds[options_pb2.Caller.Name(rpc.access.caller)]
    assert caller is not None
    if caller is Role.MASTER and Role.MASTER not in rpc.roles:
        caller = next(iter(rpc.roles))
    return world.token(caller, world.own.company_id)


def ids_of(world: TwoTenants) -> dict[str, str]:
    """Name things that exist."""
    return {name: value for name, value in vars(world.own).items() if name.endswith("_id")}


def code_of(
    channel: grpc.Channel, rpc: Rpc, request: Message | bytes, token: str | None
) -> tuple[StatusCode, str]:
    """Call; return the status and the reason."""
    try:
        rpc.call(channel, request, token, stream_patience_s=_STREAM_PATIENCE_S)
    except grpc.RpcError as err:
        refusal = refusal_of(err)
        assert refusal.code is not None
        return refusal.code, refusal.reason
    return StatusCode.OK, ""


def count(world: TwoTenants, rpc: Rpc) -> int | None:
    """Count what a method creates, where it can be listed."""
    name = rpc.method.name.removeprefix("Create")
    listing = RPCS.get(f"/{rpc.service}/List{name}s")
    if listing is None or not rpc.method.name.startswith("Create"):
        return None
    total, page_token = 0, ""
    while True:
        request: Any = listing.new_request()
        request.page_size, request.page_token = 1000, page_token
        answer: Any = listing.call(
            world.services.channel(rpc.service), request, token_for(world, listing)
        )
        total += sum(len(value) for field, value in answer.ListFields() if field.is_repeated)
        page_token = answer.next_page_token
        if not page_token:
            return total


@pytest.mark.parametrize("path", RPCS)
def test_odd_values_are_refused_or_taken_whole(world: TwoTenants, path: str) -> None:
    """Every field of every request, with every value that its type can hold and nobody expects."""
    rpc, token, ids = RPCS[path], token_for(world, RPCS[path]), ids_of(world)
    channel = world.services.channel(rpc.service)
    before, taken, faults = count(world, rpc), 0, {}
    for name, request in hostile(lambda: example(rpc.new_request(), ids)):
        outcome = code_of(channel, rpc, request, token)
        taken += outcome[0] is StatusCode.OK
        if outcome[0] in FAULTS or (outcome[0] is not StatusCode.OK and not outcome[1]):
            faults[name] = outcome

    assert not faults
    if before is not None:
        # A repeated creation is the same one, which examples ask for by their request id.
        assert before <= count(world, rpc) <= before + taken  # type: ignore[operator]


@pytest.mark.parametrize("path", RPCS)
def test_bytes_that_are_no_message_are_refused(world: TwoTenants, path: str) -> None:
    """And fields that nobody knows are no reason to refuse anything."""
    rpc, token = RPCS[path], token_for(world, RPCS[path])
    channel = world.services.channel(rpc.service)

    for raw in BROKEN:
        code, reason = code_of(channel, rpc, raw, token)
        # Some are a message after all, of fields that this request doesn't have.
        assert code not in FAULTS, raw
        assert reason or code is StatusCode.OK, raw
    code, reason = code_of(channel, rpc, UNKNOWN, token)
    assert code not in FAULTS
    assert reason or code is StatusCode.OK


BODIES: Mapping[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1e999",
    "a text": b'"x"',
    "half": b'{"a": ',
    "more after it": b"{} {}",
    "a comment": b"{/* */}",
    "a mark before it": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"email": "\xff\xfe", "displayName": "\xc3\x28"}',
    "half a surrogate": b'{"email": "\\ud800", "displayName": "\\udfff\\ud800"}',
    "a NUL": b'{"email": "\\u0000", "displayName": "a\\u0000b"}',
    "a raw NUL": b'{"email": "\0"}',
    "keys twice": b'{"email": "a@example.com", "email": "b@example.com"}',
    "an empty key": b'{"": 1}',
    "a huge number": b'{"pageSize": ' + b"9" * 5000 + b"}",
    "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deep lists": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "many keys": b"{" + b",".join(b'"k%d": 1' % n for n in range(3000)) + b"}",
    "a large text": b'{"displayName": "' + b"x" * 60_000 + b'"}',
    "too large": b'{"displayName": "' + b"x" * 2_000_000 + b'"}',
    "a type": b'{"@type": "type.googleapis.com/google.protobuf.Any"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
}
CONTENT_TYPES = (
    "text/xml",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "",
    "x",
)


def assert_an_answer(response: httpx.Response, name: str) -> None:
    """Hold an answer to the shape that every answer has."""
    assert response.status_code < 500, (name, response.status_code, response.text[:500])
    if response.status_code >= 400:
        status = response.json()
        (info, *_) = status["details"]
        assert info["domain"] == "dashtrack", name
        assert info["reason"] == response.headers["x-dashtrack-reason"], name
        assert status["code"] > 0, name


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.bound.body])
def test_odd_bodies_are_refused_in_the_usual_shape(
    world: TwoTenants, front_door: FrontDoor, path: str
) -> None:
    """JSON that is none, that is deep, that is large, that says it is something else."""
    route, token = ROUTES[path], token_for(world, RPCS[path])
    url = filled(route, world)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    for name, body in BODIES.items():
        response = front_door.client.request(
            route.bound.verb,
            url,
            content=body,
            headers=headers | {"content-type": "application/json"},
        )
        assert_an_answer(response, name)
        if name == "too large":
            assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    for content_type in CONTENT_TYPES:
        response = front_door.client.request(
            route.bound.verb, url, content=b"{}", headers=headers | {"content-type": content_type}
        )
        assert_an_answer(response, content_type)


def filled(route: Route, world: TwoTenants) -> str:
    """Fill a path with ids of things that exist."""
    ids = ids_of(world)

    def value(match: re.Match[str]) -> str:
        return ids.get(match[1].rpartition(".")[2], str(uuid.UUID(int=7)))

    return re.sub(r"\{([^}]*)\}", value, route.bound.template)


QUERIES = (
    "pageSize=-1",
    "pageSize=99999999999999999999",
    "pageSize=1e3",
    "pageSize=%00",
    "pageSize=1&pageSize=2",
    "pageSize[]=1",
    "page_size=1&pageSize=2",
    "pageToken=" + "A" * 5000,
    "pageToken=%ff%fe",
    "pageToken=..%2f..%2f",
    "%ff=1",
    "=",
    "&&&",
    "a.b.c.d.e=1",
    "pageSize.x=1",
    "filter=" + "(" * 3000,
    "orderBy=" + "x" * 3000,
    "orderBy=%27%20or%201%3D1",
    "query=%00",
    "query=" + "%F0%9F%99%82" * 300,
    "companyId=%00",
    "companyId=../../x",
    "startTime=9999-99-99T99:99:99Z",
    "startTime=-0001-01-01T00:00:00Z",
    "endTime=9999-12-31T23:59:59.999999999Z",
    "updateMask=*",
    "updateMask=" + "a." * 1000,
    "access_token=x",
    "$alt=json",
    "callback=alert(1)",
)


@pytest.mark.parametrize(
    "path", [path for path, route in ROUTES.items() if route.bound.verb == "GET"]
)
def test_odd_queries_are_refused_in_the_usual_shape(
    world: TwoTenants, front_door: FrontDoor, path: str
) -> None:
    """Parameters out of range, doubled, unknown, endless."""
    if RPCS[path].method.server_streaming:
        # Those that are refused are; an endless answer to the others is none of this test's.
        return
    token = token_for(world, RPCS[path])
    headers = {"authorization": f"Bearer {token}"} if token else {}
    for query in QUERIES:
        url = httpx.URL(front_door.gateway.url).copy_with(
            raw_path=f"{filled(ROUTES[path], world)}?{query}".encode()
        )
        assert_an_answer(front_door.client.get(url, headers=headers), query)


def test_large_headers_reach_the_method(front_door: FrontDoor) -> None:
    """What the gateway lets through no service refuses, neither always nor at random."""
    for size in (8_000, 16_000, 30_000):
        for _ in range(10):
            response = front_door.client.get("/v1/users/me", headers={"x-note": "x" * size})
            assert response.headers["x-dashtrack-reason"] == "TOKEN_MISSING"
            response = front_door.client.post(
                "/v1/auth:login", headers={"x-note": "x" * size}, json={"email": "?"}
            )
            assert response.headers["x-dashtrack-reason"] == "INVALID_ARGUMENT"


SEGMENTS = (
    "%00",
    "%2e%2e%2f",
    "..;",
    "%ff",
    "a%0d%0ax: y",
    "{}",
    "*",
    "x" * 4000,
    "%E2%80%AE",
    "1;DROP",
    "::",
    "a:b:c",
)


@pytest.mark.parametrize(
    "path", [path for path, route in ROUTES.items() if "{" in route.bound.template]
)
def test_odd_ids_in_paths_are_refused_in_the_usual_shape(
    world: TwoTenants, front_door: FrontDoor, path: str
) -> None:
    """No text in the place of an id gets further than the check of ids."""
    route, token = ROUTES[path], token_for(world, RPCS[path])
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    for segment in SEGMENTS:
        raw = re.sub(r"\{[^}]*\}", lambda _, segment=segment: segment, route.bound.template)  # type: ignore[misc]
        url = httpx.URL(front_door.gateway.url).copy_with(raw_path=raw.encode())
        response = front_door.client.request(
            route.bound.verb, url, headers=headers, content=b"{}" if route.bound.body else b""
        )
        assert_an_answer(response, segment)
        assert response.status_code >= 400, segment
