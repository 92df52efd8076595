"""Where a call comes from."""

import pytest

from services.auth.domain import sessions
from services.chassis.addresses import UNKNOWN_ADDRESS, client_address, user_agent

FORWARDED = "x-forwarded-for"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        (["203.0.113.7"], 1, "203.0.113.7"),
        (["10.0.0.1, 203.0.113.7"], 1, "203.0.113.7"),
        (["10.0.0.1", "203.0.113.7"], 1, "203.0.113.7"),
        (["10.0.0.1, 203.0.113.7, 198.51.100.1"], 2, "203.0.113.7"),
        (["203.0.113.7"], 0, "127.0.0.1"),
        (["203.0.113.7"], 2, "127.0.0.1"),
        ([], 1, "127.0.0.1"),
        (["nonsense"], 1, UNKNOWN_ADDRESS),
        (["::ffff:203.0.113.7"], 1, "203.0.113.7"),
        (["2001:db8:1:2:3:4:5:6"], 1, "2001:db8:1:2::/64"),
    ],
)
def test_the_address_is_what_the_trusted_proxy_saw(
    forwarded: list[str], proxies: int, expected: str
) -> None:
    """What a client writes into the header itself counts for nothing."""
    metadata = [(FORWARDED, value) for value in forwarded]

    assert client_address(metadata, "ipv4:127.0.0.1:40000", proxies) == expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:192.0.2.1:1234", "192.0.2.1"),
        ("ipv6:[2001:db8::1]:1234", "2001:db8::/64"),
        ("ipv6:%5B2001:db8::1%5D:1234", "2001:db8::/64"),
        ("unix:/run/socket", UNKNOWN_ADDRESS),
    ],
)
def test_without_a_proxy_it_is_the_peer(peer: str, expected: str) -> None:
    """In each of the forms that gRPC writes it in."""
    assert client_address([], peer, 1) == expected


def test_a_program_may_say_what_it_is() -> None:
    """The first text counts; without one nothing is known."""
    assert user_agent([("accept", "*/*"), ("user-agent", "curl/8.5.0")]) == "curl/8.5.0"
    assert user_agent([("user-agent", b"\xff")]) == ""
    assert user_agent([]) == ""


def test_the_core_of_auth_means_the_same_by_unknown() -> None:
    """Auth's domain can't import the adapter, so it spells the word itself."""
    assert sessions.UNKNOWN_ADDRESS == UNKNOWN_ADDRESS
