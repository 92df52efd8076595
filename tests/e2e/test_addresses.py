"""The address that a session shows, and that guesses are counted under, is the real one."""

import secrets

import httpx
import pytest

from services.chassis.identity import Role
from tests.fixtures.platform import PASSWORD, Member, Platform

pytestmark = pytest.mark.timeout(120)

CLAIMS = (
    {"x-forwarded-for": "203.0.113.7"},
    {"x-forwarded-for": "203.0.113.7, 127.0.0.1"},
    {"x-forwarded-for": "203.0.113.7, 198.51.100.1, 192.0.2.1"},
    {"x-real-ip": "203.0.113.7"},
    {"forwarded": "for=203.0.113.7"},
    {"x-envoy-external-address": "203.0.113.7"},
    {"x-client-ip": "203.0.113.7", "true-client-ip": "203.0.113.7"},
)


@pytest.fixture(scope="module")
def member(platform: Platform) -> Member:
    """Somebody who logs in from here."""
    return platform.member(Role.MASTER, None)


def shown(platform: Platform, member: Member, claim: dict[str, str]) -> str:
    """Log in; return the address that the session shows."""
    credentials = {"email": member.address, "password": PASSWORD}
    opened = platform.call("POST", "/v1/auth:login", credentials, token="", headers=claim)
    sessions = platform.call("GET", "/v1/auth/sessions", token=opened["accessToken"])["sessions"]
    (current,) = (session for session in sessions if session["current"])
    return str(current["address"])


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_a_session_shows_where_it_was_opened(
    platform: Platform, member: Member, claim: dict[str, str]
) -> None:
    """Not where the client says it is."""
    # Of a caller on its own machine the gateway says the machine's address.
    assert shown(platform, member, claim) == shown(platform, member, {})


def test_guesses_from_invented_addresses_are_counted_as_one_clients(platform: Platform) -> None:
    """Whoever says to be somewhere else each time is throttled like anybody."""
    credentials = {"email": f"{secrets.token_hex(8)}@example.com", "password": "a guess"}

    def guess() -> httpx.Response:
        claim = {"x-forwarded-for": f"203.0.113.{secrets.randbelow(256)}"}
        return platform.client.post("/v1/auth:login", json=credentials, headers=claim)

    reasons = [guess().headers["x-dashtrack-reason"] for _ in range(11)]

    assert reasons == ["CREDENTIALS_INVALID"] * 10 + ["LOGIN_THROTTLED"]
