"""Verification of access tokens: EdDSA alone, and a dictionary look-up for those seen before."""

import math
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.chassis.errors import TokenAudience, TokenExpired, TokenInvalid, TokenRevoked
from services.chassis.identity import Caller, CallerKind, Restriction, Role

AUDIENCE_API = "dashtrack-api"
AUDIENCE_API_KEY = "dashtrack-api-key"
"""Of its own: who does not know of scopes must refuse the token, not take it for a person's."""
AUDIENCE_DEVICE = "dashtrack-device"
AUDIENCE_SERVICE = "dashtrack-service"

_KIND_BY_AUDIENCE = {
    AUDIENCE_API: CallerKind.USER,
    AUDIENCE_API_KEY: CallerKind.API_KEY,
    AUDIENCE_DEVICE: CallerKind.DEVICE,
    AUDIENCE_SERVICE: CallerKind.SERVICE,
}
_ALGORITHM = "EdDSA"
_REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti"]
_TOKEN_LENGTH_MAX = 4096
# Lenient decoders read other spellings of the same token too: one is enough.
_SPELLING = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_CACHE_SIZE = 50_000
# Clocks differ between machines. A token from further in the future than that is refused: it would
# outlive every revocation until then.
_CLOCK_SKEW_S = 30


class KeySource(Protocol):
    """Where the public keys that sign tokens come from."""

    def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key that is published under this id now; asked on every call, so no I/O.

        Raises:
            Unavailable: no keys were read yet.
        """

    async def refresh(self) -> None:
        """Read the published keys again, unless that was done a moment ago."""


class Revocations(Protocol):
    """What was revoked before it expired."""

    def covers(self, caller: Caller, issued_at_s: float) -> bool:
        """Tell whether a token was revoked; asked on every call, so no I/O."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a genuine token says."""

    caller: Caller
    kid: str
    issued_at_s: float


class TokenVerifier:
    """Tells whom a token belongs to."""

    def __init__(self, keys: KeySource, revocations: Revocations, *, issuer: str) -> None:
        """Trust tokens of this issuer that these keys signed."""
        self._keys = keys
        self._revocations = revocations
        self._issuer = issuer
        self._seen: LRUCache[str, VerifiedToken] = LRUCache(_CACHE_SIZE)

    def recall(self, token: str) -> VerifiedToken | None:
        """Return what a token seen before says, if it still holds; None for one not seen.

        Raises:
            DomainError: it was good once and no longer is.
        """
        verified = self._seen.get(token)
        if verified is None:
            return None
        self._check_current(verified)
        return verified

    async def verify(self, token: str) -> VerifiedToken:
        """Check a token in full.

        Raises:
            DomainError: it isn't good, or the keys to tell are not there yet.
        """
        kid = _key_id(token)
        key = self._keys.key(kid)
        if key is None:
            await self._keys.refresh()
            key = self._keys.key(kid)
        if key is None:
            raise TokenInvalid("The token is signed by a key that is not published.")
        verified = self._read(token, kid, key)
        self._check_current(verified)
        self._seen[token] = verified
        return verified

    def _read(self, token: str, kid: str, key: Ed25519PublicKey) -> VerifiedToken:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=list(_KIND_BY_AUDIENCE),
                issuer=self._issuer,
                leeway=_CLOCK_SKEW_S,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError as err:
            raise _expired() from err
        except jwt.InvalidAudienceError as err:
            raise TokenAudience("The token is for another audience.") from err
        except jwt.PyJWTError as err:
            raise TokenInvalid("The token is not genuine.") from err
        return _verified(claims, kid)

    def _check_current(self, verified: VerifiedToken) -> None:
        caller = verified.caller
        if caller.expires_at_s <= time.time():
            raise _expired()
        # A key is withdrawn because it leaked: what it signed is worth nothing from then on.
        if self._keys.key(verified.kid) is None:
            raise TokenInvalid("The key that signed the token was withdrawn.")
        if self._revocations.covers(caller, verified.issued_at_s):
            raise TokenRevoked("The token was revoked.")


def _key_id(token: str) -> str:
    if len(token) > _TOKEN_LENGTH_MAX:
        raise TokenInvalid("The token is too long.")
    if not _SPELLING.fullmatch(token):
        raise TokenInvalid("The token is malformed.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as err:
        raise TokenInvalid("The token is malformed.") from err
    kid = header.get("kid")
    if header.get("alg") != _ALGORITHM or not isinstance(kid, str):
        raise TokenInvalid("The token is not signed the way ours are.")
    return kid


def _verified(claims: dict[str, Any], kid: str) -> VerifiedToken:
    try:
        kind = _KIND_BY_AUDIENCE[claims["aud"]]
        role = _role(kind, claims)
        caller = Caller(
            kind=kind,
            subject=_subject(kind, claims),
            role=role,
            company_id=_company_id(kind, role, claims),
            session_id=_optional_id(claims, "sid"),
            expires_at_s=int(_time_s(claims, "exp")),
            restriction=_restriction(claims),
            scopes=_scopes(kind, claims),
        )
        return VerifiedToken(caller, kid, _time_s(claims, "iat"))
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise TokenInvalid("The token lacks claims or holds malformed ones.") from err


def _subject(kind: CallerKind, claims: dict[str, Any]) -> str:
    subject = str(claims["sub"])
    return subject if kind is CallerKind.SERVICE else str(uuid.UUID(subject))


def _role(kind: CallerKind, claims: dict[str, Any]) -> Role | None:
    if kind in {CallerKind.USER, CallerKind.API_KEY}:
        return Role(claims["role"])
    if kind is CallerKind.SERVICE and claims["role"] != "service":
        raise ValueError("a service's token with another role")
    return None


def _company_id(kind: CallerKind, role: Role | None, claims: dict[str, Any]) -> uuid.UUID | None:
    company_id = _optional_id(claims, "company_id")
    everywhere = kind is CallerKind.SERVICE or role is Role.MASTER
    if company_id is None and not everywhere:
        raise ValueError("a token of a member of no company")
    return company_id


def _time_s(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError(f"{name} is no time")
    return float(value)


def _restriction(claims: dict[str, Any]) -> Restriction | None:
    """Read what narrows a token; one that isn't known here narrows it to nothing."""
    value = claims.get("restriction")
    return None if value is None else Restriction(value)


def _scopes(kind: CallerKind, claims: dict[str, Any]) -> frozenset[str]:
    if kind is not CallerKind.API_KEY:
        return frozenset()
    scopes = claims["scopes"]
    if not isinstance(scopes, list):
        raise TypeError("scopes that are no list")
    return frozenset(map(str, scopes))


def _optional_id(claims: dict[str, Any], name: str) -> uuid.UUID | None:
    value = claims.get(name)
    return None if value is None else uuid.UUID(value)


def _expired() -> TokenExpired:
    return TokenExpired("The token has expired.")
