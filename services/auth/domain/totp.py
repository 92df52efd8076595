"""Authenticators: time-based one-time passwords (RFC 6238), and codes for when one is lost."""

import base64
import hmac
import secrets
import struct
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote, urlencode

CONFIRMATIONS_MAX = 5
"""Wrong codes after which a secret is forgotten that wasn't confirmed: a session alone, without the
password that enrolling takes, must not be enough to guess one."""

BACKUP_CODES = 10
BACKUP_CODE_SIZE_BYTES = 5
"""40 random bits: each guess costs an attempt of the login throttle."""

_ISSUER = "DashTrack"
_SECRET_SIZE_BYTES = 20
_DIGITS = 6
_STEP_S = 30
_STEPS_LATE_OR_EARLY = 1


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody offers as their second factor: one of the two, or nothing."""

    totp_code: str = field(default="", repr=False)
    backup_code: str = field(default="", repr=False)

    @property
    def is_missing(self) -> bool:
        """Whether nothing is offered."""
        return not self.totp_code and not self.backup_code


@dataclass(frozen=True, slots=True)
class Totp:
    """A person's authenticator."""

    user_id: uuid.UUID
    secret: bytes = field(repr=False)
    confirmed_at: datetime | None = None
    """When it was shown to have the secret; until then logins don't ask for it."""
    last_step: int = 0
    """The time step of the last code that was accepted: it and earlier ones are refused."""
    failures: int = 0
    """How many wrong codes were to confirm it."""

    def accepted(self, code: str, now: datetime) -> "Totp | None":
        """Return the authenticator after a code was accepted; None if it is not."""
        digits = "".join(code.split())
        current = int(now.timestamp()) // _STEP_S
        for step in range(current - _STEPS_LATE_OR_EARLY, current + _STEPS_LATE_OR_EARLY + 1):
            right = hmac.compare_digest(totp_code(self.secret, step).encode(), digits.encode())
            if right and step > self.last_step:
                return replace(self, last_step=step)
        return None

    def missed(self) -> "Totp | None":
        """Return the authenticator after a wrong code was to confirm it; None if that is enough."""
        failures = self.failures + 1
        return replace(self, failures=failures) if failures < CONFIRMATIONS_MAX else None


@dataclass(frozen=True, slots=True)
class TotpEnrollment:
    """What an authenticator is told."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)


def new_totp(user_id: uuid.UUID) -> Totp:
    """Make an authenticator's secret."""
    return Totp(user_id, secrets.token_bytes(_SECRET_SIZE_BYTES))


def enrollment(totp: Totp, email: str) -> TotpEnrollment:
    """Write down what an authenticator is told."""
    secret = base64.b32encode(totp.secret).decode()
    query = {"secret": secret, "issuer": _ISSUER, "digits": _DIGITS, "period": _STEP_S}
    label = quote(f"{_ISSUER}:{email}", safe=":@")
    return TotpEnrollment(f"otpauth://totp/{label}?{urlencode(query)}", secret)


def totp_code(secret: bytes, step: int) -> str:
    """Calculate the code of a time step (RFC 4226 over RFC 6238's counter)."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"


def backup_digest_text(user_id: uuid.UUID, spelled_code: str) -> str:
    """Say what the keyed hash of a backup code is made of."""
    return f"backup:{user_id}:{spelled_code}"
