"""How a board's requests reach the gateway: HTTP with protobuf bodies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

MEDIA_TYPE = "application/x-protobuf"
REQUEST_TIMEOUT_S = 15.0
"""Longer than the gateway gives an upload, so that its answer is the one that counts."""


class NoReply(Exception):
    """The gateway could not be reached, or the connection broke before it answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the gateway answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""


class Transport(Protocol):
    """Carries a board's requests."""

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the answer.

        Raises:
            NoReply: There was none; the request may have arrived all the same.

        """
        ...


class HttpTransport:
    """Carries requests over one shared client session; boards keep their own connections in it."""

    def __init__(self, session: aiohttp.ClientSession, gateway_url: str) -> None:
        self._session = session
        self._gateway_url = gateway_url.rstrip("/")

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the answer; see `Transport.post`."""
        try:
            async with self._session.post(
                self._gateway_url + path,
                data=body,
                headers={"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE, **headers},
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
                allow_redirects=False,
            ) as response:
                lower_case = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, await response.read(), lower_case)
        except (TimeoutError, aiohttp.ClientError, OSError) as err:
            raise NoReply(str(err) or type(err).__name__) from err
