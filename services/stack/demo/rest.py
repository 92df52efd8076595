"""A small client of the REST API, as anybody outside would write one."""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

_PATIENCE_S = 30.0
_LATER = {429, 503}
_PAUSE_S = 0.5


class Refused(Exception):
    """The API said no; `reason` is what programs may branch on."""

    def __init__(self, call: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"{call}: {status} {reason}: {message}")
        self.status = status
        self.reason = reason


class Rest:
    """Calls the API and waits where it is told to come back later."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(
        self, method: str, path: str, body: object = None, *, token: str = "", **query: str
    ) -> Any:
        """Make a call and return its JSON.

        Raises:
            Refused: The API said no, or was not there for long.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        give_in_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                async with self._session.request(
                    method, self._url + path, json=body, params=query, headers=headers
                ) as response:
                    if response.ok:
                        return await response.json()
                    refusal = await _refusal(f"{method} {path}", response)
            except aiohttp.ClientError as err:
                refusal = Refused(f"{method} {path}", 503, "UNAVAILABLE", str(err))
            if refusal.status not in _LATER or time.monotonic() > give_in_s:
                raise refusal
            await asyncio.sleep(_PAUSE_S)

    async def create(self, path: str, body: Mapping[str, object], *, token: str) -> Any:
        """Create something once, however often the request has to be made."""
        return await self.call("POST", path, {**body, "requestId": str(uuid.uuid4())}, token=token)

    async def everything(self, path: str, name: str, *, token: str, **query: str) -> list[Any]:
        """Return the items of all pages of a list."""
        items: list[Any] = []
        page_token = ""
        while True:
            page = await self.call(
                "GET", path, token=token, pageSize="1000", pageToken=page_token, **query
            )
            items += page[name]
            page_token = page["nextPageToken"]
            if not page_token:
                return items

    async def log_in(self, credentials: Mapping[str, str]) -> Any:
        """Open a session with an e-mail address and a password."""
        return await self.call("POST", "/v1/auth:login", dict(credentials))


async def _refusal(call: str, response: aiohttp.ClientResponse) -> Refused:
    text = await response.text()
    reason = response.headers.get("x-dashtrack-reason", response.reason or "")
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.strip()
    return Refused(call, response.status, reason, message)
