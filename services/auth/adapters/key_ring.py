"""The signing keys in memory: signs with the one whose time it is, and knows what is published."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.auth.domain import keys
from services.auth.domain.keys import SigningKey
from services.auth.domain.tokens import Claims, IssuedToken, registered_claims
from services.auth.ports import Clock, Store
from services.chassis.errors import Unavailable

_REFRESH_GAP_S = 5.0


class Ed25519KeyGenerator:
    """Makes Ed25519 keys."""

    def generate(self, signs_from: datetime) -> SigningKey:
        """Make a new key."""
        private_key = Ed25519PrivateKey.generate()
        public_key = private_key.public_key().public_bytes_raw()
        return SigningKey(
            kid=keys.thumbprint(public_key),
            private_key=private_key.private_bytes_raw(),
            public_key=public_key,
            signs_from=signs_from,
        )


class KeyRing:
    """Signs tokens, and is the source of keys for the verification of auth's own callers."""

    def __init__(
        self, store: Store, clock: Clock, new_id: Callable[[], uuid.UUID], issuer: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._issuer = issuer
        self._keys: Sequence[SigningKey] = ()
        self._private_keys: dict[str, Ed25519PrivateKey] = {}
        self._public_keys: dict[str, tuple[SigningKey, Ed25519PublicKey]] = {}
        self._loaded_at_s: float | None = None
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the keys."""
        async with self._store.transaction() as tx:
            loaded = await tx.signing_keys.list_published(self._clock())
        self._private_keys = {
            key.kid: Ed25519PrivateKey.from_private_bytes(key.private_key) for key in loaded
        }
        self._public_keys = {
            key.kid: (key, Ed25519PublicKey.from_public_bytes(key.public_key)) for key in loaded
        }
        self._keys = loaded
        self._loaded_at_s = time.monotonic()

    def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key that is published under this id now.

        Raises:
            Unavailable: no keys were read yet.
        """
        if self._loaded_at_s is None:
            raise Unavailable("The keys that verify tokens are not available yet.")
        found = self._public_keys.get(kid)
        if found is None or not found[0].is_published(self._clock()):
            return None
        return found[1]

    async def refresh(self) -> None:
        """Read the keys again, unless that was done a moment ago."""
        async with self._lock:
            loaded_at_s = self._loaded_at_s
            if loaded_at_s is None or time.monotonic() - loaded_at_s >= _REFRESH_GAP_S:
                await self.load()

    def issue(self, claims: Claims, lifetime: timedelta) -> IssuedToken:
        """Sign these claims, and what every token claims of itself."""
        now = self._clock()
        own = registered_claims(self._issuer, self._new_id(), now, lifetime)
        key = keys.signer(self._keys, now)
        token = jwt.encode(
            {**claims, **own},
            self._private_keys[key.kid],
            algorithm="EdDSA",
            headers={"kid": key.kid},
        )
        return IssuedToken(token, datetime.fromtimestamp(int(own["exp"]), now.tzinfo))

    def json_web_key_set(self) -> bytes:
        """Return the published keys, as who verifies tokens reads them."""
        now = self._clock()
        return keys.json_web_key_set([key for key in self._keys if key.is_published(now)])
