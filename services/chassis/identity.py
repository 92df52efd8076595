"""Who is calling, what they may see, and by what a request of theirs is known again.

Standard library only, so that domain code may use it.
"""

import contextlib
import contextvars
import enum
import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from services.chassis.errors import PermissionDenied, RequestIdReused, Unauthenticated


class Role(enum.StrEnum):
    """What a person may do."""

    MASTER = "master"
    COMPANY_ADMIN = "company_admin"
    MANAGER = "manager"
    DRIVER = "driver"
    HELPER = "helper"


class Restriction(enum.StrEnum):
    """What a person has to do before their tokens open everything again."""

    TWO_FACTOR_ENROLLMENT = "two_factor_enrollment"


class CallerKind(enum.StrEnum):
    """What sort of caller stands behind a call."""

    ANONYMOUS = "anonymous"
    USER = "user"
    API_KEY = "api_key"
    """A machine that calls what people call, as far as its key's scopes go."""
    DEVICE = "device"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The companies whose rows a read may touch; repositories take one for every query."""

    company_id: uuid.UUID | None
    """The only company in the scope, or None for every company."""

    @classmethod
    def company(cls, company_id: uuid.UUID) -> Self:
        """Limit to one company."""
        return cls(company_id)

    @classmethod
    def everything(cls) -> Self:
        """Span all companies: for operators and for work that no tenant asked for."""
        return cls(None)

    def includes(self, company_id: uuid.UUID) -> bool:
        """Tell whether rows of this company are in the scope."""
        return self.company_id is None or self.company_id == company_id


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified identity behind a call."""

    kind: CallerKind
    subject: str
    role: Role | None
    company_id: uuid.UUID | None
    session_id: uuid.UUID | None
    expires_at_s: int
    restriction: Restriction | None = None
    """With one, the token opens only the methods that say so."""
    scopes: frozenset[str] = frozenset()
    """What an API key may call; of other callers nothing."""

    @property
    def scope(self) -> TenantScope:
        """The companies that the caller may see."""
        if self.kind is CallerKind.SERVICE or self.role is Role.MASTER:
            return TenantScope.everything()
        if self.kind is CallerKind.ANONYMOUS:
            raise Unauthenticated("This needs a caller who has signed in.")
        # A missing company must never widen the scope, which is what passing None on would do.
        if self.company_id is None:
            raise PermissionDenied("The caller belongs to no company.")
        return TenantScope.company(self.company_id)

    @property
    def user_id(self) -> uuid.UUID:
        """The person behind the call.

        Raises:
            PermissionDenied: the caller is not a person.
        """
        return self._id_of(CallerKind.USER)

    @property
    def principal_id(self) -> uuid.UUID:
        """The person or the API key behind the call: by which it is known whose something is.

        Raises:
            PermissionDenied: the caller is neither.
        """
        if self.kind is CallerKind.API_KEY:
            return uuid.UUID(self.subject)
        return self.user_id

    @property
    def device_id(self) -> uuid.UUID:
        """The device behind the call.

        Raises:
            PermissionDenied: the caller is not a device.
        """
        return self._id_of(CallerKind.DEVICE)

    def _id_of(self, kind: CallerKind) -> uuid.UUID:
        if self.kind is not kind:
            raise PermissionDenied(
                f"This is for callers of kind {kind}, and the caller is of kind {self.kind}."
            )
        return uuid.UUID(self.subject)


@dataclass(frozen=True, slots=True)
class CreationRequest:
    """By what a repeated creation is recognised: whose it is, its id, and what it asks for."""

    caller_id: uuid.UUID
    request_id: uuid.UUID
    digest: bytes

    @classmethod
    def of(cls, caller_id: uuid.UUID, request_id: uuid.UUID, content: Sequence[str]) -> Self:
        """Digest what is asked for: equal contents have equal digests."""
        digest = hashlib.sha256(json.dumps(list(content)).encode()).digest()
        return cls(caller_id, request_id, digest)

    def require_same(self, digest: bytes) -> None:
        """Make sure that an earlier request under this id asked for the same.

        Raises:
            RequestIdReused: it didn't.
        """
        if digest != self.digest:
            raise RequestIdReused(self.request_id)


ANONYMOUS = Caller(CallerKind.ANONYMOUS, "", None, None, None, 0)

_caller: contextvars.ContextVar[Caller] = contextvars.ContextVar("caller", default=ANONYMOUS)


def current_caller() -> Caller:
    """Return who made the call that is being served; anonymous outside of one."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """Declare who is calling, for the rest of the running task."""
    _caller.set(caller)


@contextlib.contextmanager
def acting_as(caller: Caller) -> Iterator[None]:
    """Run a block as this caller: for work outside of a call, and for tests."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
