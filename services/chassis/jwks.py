"""The signing keys that auth publishes, kept current and kept when auth is away."""

import asyncio
from typing import Any

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.chassis.errors import Unavailable
from services.chassis.logs import get_logger
from services.chassis.workers import Backoff, pause

_REFRESH_INTERVAL_S = 60.0
_REFRESH_GAP_S = 5.0
_FETCH_TIMEOUT_S = 3.0
_KEYS_MAX = 32

log = get_logger(__name__)


class JwksKeySource:
    """Reads the key set over HTTP: regularly, and when a token names a key that isn't known."""

    def __init__(self, url: str) -> None:
        """Read from this address."""
        self._url = url
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = False
        self._tried_at_s: float | None = None
        self._lock = asyncio.Lock()

    def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key under this id, None if no such key is published.

        Raises:
            Unavailable: the key set could not be read yet, so nobody can tell.
        """
        self._require_fetched()
        return self._keys.get(kid)

    async def check(self) -> None:
        """Raise Unavailable until the key set was read once: a readiness check."""
        self._require_fetched()

    async def refresh(self) -> None:
        """Read the key set, unless somebody just did: forged key ids must not become a flood."""
        async with self._lock:
            now_s = asyncio.get_running_loop().time()
            if self._tried_at_s is not None and now_s - self._tried_at_s < _REFRESH_GAP_S:
                return
            self._tried_at_s = now_s
            await self._try_fetch()

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the keys current: the body of a worker."""
        backoff = Backoff(max_s=_REFRESH_GAP_S)
        while not stopping.is_set():
            async with self._lock:
                fetched = await self._try_fetch()
            if fetched:
                backoff.reset()
            await pause(stopping, _REFRESH_INTERVAL_S if fetched else backoff.next_s())

    def _require_fetched(self) -> None:
        if not self._fetched:
            raise Unavailable("The keys that verify tokens are not available yet.")

    async def _try_fetch(self) -> bool:
        try:
            document = await self._fetch()
        except (aiohttp.ClientError, TimeoutError, ValueError) as err:
            # The keys read last stay in use: while auth is down, valid tokens go on working.
            log.warning("jwks_unavailable", url=self._url, error=str(err) or type(err).__name__)
            return False
        keys = _read_keys(document)
        if not keys:
            log.warning("jwks_empty", url=self._url)
            return False
        if keys.keys() != self._keys.keys():
            log.info("jwks_changed", kids=sorted(keys))
        self._keys = keys
        self._fetched = True
        return True

    async def _fetch(self) -> Any:
        timeout = aiohttp.ClientTimeout(total=_FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, raise_for_status=True) as response,
        ):
            return await response.json(content_type=None)


def _read_keys(document: Any) -> dict[str, Ed25519PublicKey]:
    keys: dict[str, Ed25519PublicKey] = {}
    entries = document.get("keys") if isinstance(document, dict) else None
    for entry in (entries if isinstance(entries, list) else [])[:_KEYS_MAX]:
        try:
            key = jwt.PyJWK(entry, algorithm="EdDSA").key
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        kid = entry.get("kid")
        if isinstance(key, Ed25519PublicKey) and isinstance(kid, str):
            keys[kid] = key
    return keys
