"""No forged token opens anything, wherever it is shown, and each is refused for a reason."""

import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from dashtrack.options.v1 import options_pb2
from grpc import StatusCode

from gateway.contract import Rpc as Route
from gateway.contract import load, public_rpcs
from tests.fixtures.forgeries import Forgery, forgeries, good_claims, signed
from tests.fixtures.refusals import refusal_of
from tests.fixtures.rpcs import RPCS
from tests.fixtures.tokens import TokenMint
from tests.fixtures.two_tenants import TwoTenants
from tests.gateway.calls import native_unary
from tests.security.conftest import FrontDoor

KINDS = {
    options_pb2.CALLER_USER: "user",
    options_pb2.CALLER_DEVICE: "device",
    options_pb2.CALLER_SERVICE: "service",
}
GUARDED = {
    path: KINDS[rpc.access.caller] for path, rpc in RPCS.items() if rpc.access.caller in KINDS
}
ROUTES = {route.path: route for route in public_rpcs(load()) if route.path in GUARDED}
# One method of each service takes the whole set, the others what looks at their own options too.
BRIEF = frozenset({"alg 'none'", "HS256 with the raw public key", "another key under our id"})
CODES = {"TOKEN_AUDIENCE": StatusCode.PERMISSION_DENIED}


def first_of_each(paths: Mapping[str, str]) -> list[str]:
    """Pick a method of each proto service and kind of caller."""
    picked: dict[tuple[str, str], str] = {}
    for path, kind in paths.items():
        picked.setdefault((path.split("/")[1], kind), path)
    return list(picked.values())


@pytest.fixture(scope="module")
def forged(token_mint: TokenMint) -> Mapping[str, Mapping[str, Forgery]]:
    """Every forgery, by kind of caller and name."""
    return {kind: forgeries(token_mint, kind) for kind in KINDS.values()}


def refusals(call: Any, named: Mapping[str, Forgery]) -> dict[str, tuple[Any, str]]:
    """Show each token; return the answers that are not the refusal that it deserves."""
    wrong = {}
    for name, forgery in named.items():
        try:
            call(forgery.token)
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            expected = CODES.get(refusal.reason, StatusCode.UNAUTHENTICATED)
            if refusal.code is expected and refusal.reason in forgery.reasons:
                continue
            wrong[name] = (refusal.code, refusal.reason)
        else:
            wrong[name] = (StatusCode.OK, "")
    return wrong


def test_each_forgery_is_one_change_away_from_a_good_token(
    world: TwoTenants, token_mint: TokenMint
) -> None:
    """Or the tests below would prove nothing."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": token_mint.kid}
    for path in first_of_each(GUARDED):
        good = Forgery(signed(token_mint, header, good_claims(GUARDED[path])))
        rpc = RPCS[path]
        channel = world.services.channel(rpc.service)

        answer = refusals(partial(rpc.call, channel, rpc.new_request()), {"good": good})

        assert answer["good"][0] is not StatusCode.UNAUTHENTICATED, path


@pytest.mark.parametrize("path", first_of_each(GUARDED))
def test_services_believe_no_forgery(
    world: TwoTenants, path: str, forged: Mapping[str, Mapping[str, Forgery]]
) -> None:
    """Whoever gets past the gateway has gained nothing."""
    rpc = RPCS[path]
    channel = world.services.channel(rpc.service)

    assert not refusals(partial(rpc.call, channel, rpc.new_request()), forged[GUARDED[path]])


@pytest.mark.parametrize("path", GUARDED)
def test_no_method_is_left_open(
    world: TwoTenants, path: str, forged: Mapping[str, Mapping[str, Forgery]]
) -> None:
    """Every method of the protos, internal ones too, checks what it is shown."""
    rpc = RPCS[path]
    channel = world.services.channel(rpc.service)
    brief = {name: found for name, found in forged[GUARDED[path]].items() if name in BRIEF}

    assert len(brief) == len(BRIEF)
    assert not refusals(partial(rpc.call, channel, rpc.new_request()), brief)


@pytest.mark.parametrize("path", first_of_each({path: GUARDED[path] for path in ROUTES}))
def test_the_gateway_lets_no_forgery_in_over_grpc(
    front_door: FrontDoor, path: str, forged: Mapping[str, Mapping[str, Forgery]]
) -> None:
    """Native clients get the status and the reason."""
    with grpc.insecure_channel(front_door.gateway.target) as channel:
        assert not refusals(
            lambda token: native_unary(channel, path, b"", {"authorization": f"Bearer {token}"}),
            forged[GUARDED[path]],
        )


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.binding])
def test_the_gateway_lets_no_forgery_in_over_rest(
    front_door: FrontDoor, path: str, forged: Mapping[str, Mapping[str, Forgery]]
) -> None:
    """REST clients get the status and the reason, whatever the request is otherwise."""
    whole_set = path in first_of_each({path: GUARDED[path] for path in ROUTES})
    wrong = {}
    for name, forgery in forged[GUARDED[path]].items():
        if not whole_set and name not in BRIEF:
            continue
        response = send(front_door, ROUTES[path], {"authorization": f"Bearer {forgery.token}"})
        reason = response.headers.get("x-dashtrack-reason", "")
        status = 403 if reason == "TOKEN_AUDIENCE" else 401
        if response.status_code != status or reason not in forgery.reasons:
            wrong[name] = (response.status_code, reason)

    assert not wrong


def send(
    front_door: FrontDoor,
    route: Route,
    headers: Mapping[str, str] | list[tuple[str, str]],
    **more: Any,
) -> httpx.Response:
    """Call a method over REST about things that don't exist."""
    template = re.sub(r"\{[^}]*\}", str(uuid.UUID(int=7)), route.bound.template)
    content_type = ("content-type", "application/x-protobuf" if route.raw else "application/json")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return front_door.client.request(
        route.bound.verb,
        template,
        headers=[content_type, *pairs],
        content=b"{}" if route.bound.body and not route.raw else b"",
        **more,
    )


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.binding])
def test_a_token_counts_in_the_authorization_header_alone(
    front_door: FrontDoor, token_mint: TokenMint, path: str
) -> None:
    """Cookies, other headers and other schemes open nothing: they leak, or are sent unasked."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": token_mint.kid}
    token = signed(token_mint, header, good_claims(GUARDED[path]))
    for name, value in {
        "cookie": f"access_token={token}; authorization=Bearer {token}",
        "x-authorization": f"Bearer {token}",
        "proxy-authorization": f"Bearer {token}",
        "x-access-token": token,
        "authorization": token,
        "grpc-metadata-authorization": f"Bearer {token}",
    }.items():
        response = send(front_door, ROUTES[path], {name: value})
        reason = response.headers["x-dashtrack-reason"]
        assert (response.status_code, reason) in {(401, "TOKEN_MISSING"), (401, "TOKEN_INVALID")}, (
            name
        )


@pytest.mark.parametrize("scheme", ["Basic ", "Digest ", "Bearer", "Token ", ""])
def test_other_schemes_are_refused_by_services(
    world: TwoTenants, token_mint: TokenMint, scheme: str
) -> None:
    """A good token behind the wrong word is no bearer token."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": token_mint.kid}
    token = signed(token_mint, header, good_claims("user"))
    channel = world.services.channel("dashtrack.users.v1.UserService")

    with pytest.raises(grpc.RpcError) as raised:
        native_unary(
            channel,
            "/dashtrack.users.v1.UserService/GetCurrentUser",
            b"",
            {"authorization": f"{scheme}{token}"},
        )

    assert refusal_of(raised.value).reason in {"TOKEN_INVALID", "TOKEN_MISSING"}


@pytest.mark.parametrize("order", ["good first", "bad first", "twice the same", "two good ones"])
@pytest.mark.parametrize("entrance", ["gateway", "service"])
def test_two_authorizations_are_one_too_many(
    world: TwoTenants, front_door: FrontDoor, token_mint: TokenMint, order: str, entrance: str
) -> None:
    """Who checks the first and who checks the last must never mean different callers."""
    header = {"alg": "EdDSA", "typ": "JWT", "kid": token_mint.kid}
    good, other = (signed(token_mint, header, good_claims("user")) for _ in range(2))
    bad = signed(TokenMint(token_mint.kid), header, good_claims("user"))
    shown = {
        "good first": (good, bad),
        "bad first": (bad, good),
        "twice the same": (good, good),
        "two good ones": (good, other),
    }[order]
    metadata = tuple(("authorization", f"Bearer {token}") for token in shown)
    path = "/dashtrack.users.v1.UserService/ListUsers"
    channel = world.services.channel("dashtrack.users.v1.UserService")
    if entrance == "gateway":
        response = send(front_door, ROUTES[path], list(metadata))
        assert (response.status_code, response.headers["x-dashtrack-reason"]) == (
            401,
            "TOKEN_INVALID",
        )
        return
    method: Any = channel.unary_unary(path)

    with pytest.raises(grpc.RpcError) as raised:
        method(b"", metadata=metadata, timeout=20)

    refusal = refusal_of(raised.value)
    assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
