"""Where a call comes from and what program makes it, as far as that can be known."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import unquote

UNKNOWN_ADDRESS = "unknown"
"""What stands for the address of a call that doesn't show one."""

_FORWARDED_FOR = "x-forwarded-for"
_USER_AGENT = "user-agent"
_IPV6_NETWORK_BITS = 64


def client_address(
    metadata: Iterable[tuple[str, str | bytes]], peer: str, proxies_trusted: int
) -> str:
    """Return the address that a call is counted under, and recorded with.

    Each trusted proxy appends the address that it was called from, so the client's own is that far
    from the end; whatever comes before it is the client's invention. Of an IPv6 address only the
    network counts, since whoever has one address of it has them all.
    """
    values = [value for key, value in metadata if key == _FORWARDED_FOR and isinstance(value, str)]
    hops = [hop.strip() for hop in ",".join(values).split(",") if hop.strip()]
    if proxies_trusted and len(hops) >= proxies_trusted:
        return _normalised(hops[-proxies_trusted])
    return _normalised(_peer_host(peer))


def user_agent(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Return what the client says it is, empty if it doesn't say."""
    values = (value for key, value in metadata if key == _USER_AGENT)
    return next((value for value in values if isinstance(value, str)), "")


def _peer_host(peer: str) -> str:
    """Take the host from gRPC's `ipv4:127.0.0.1:15051` or `ipv6:[::1]:15051`."""
    _, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]")


def _normalised(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN_ADDRESS
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed, _IPV6_NETWORK_BITS), strict=False))
