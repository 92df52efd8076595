"""The errors that callers are told about; standard library only, so that domain code may use them.

A service subclasses `DomainError` (or one of the general errors below) with facts: the class says
what kind of failure it is and its machine-readable reason, the instance says what it happened to.
"""

import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


class Kind(enum.Enum):
    """What sort of failure an error is; decides the status code that the caller sees."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    INVALID = "invalid"
    PRECONDITION = "precondition"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    CONFLICT = "conflict"
    EXHAUSTED = "exhausted"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request and what is wrong with it."""

    field: str
    description: str


class DomainError(Exception):
    """A failure that the caller is told about, with a reason that programs can act on."""

    kind: ClassVar[Kind]
    reason: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
        **metadata: str,
    ) -> None:
        """Say what happened in words, and the facts that programs need.

        Args:
            message: for people; it is sent to the caller, so it holds nothing secret.
            violations: the request fields at fault, if any are.
            retry_after_s: when trying again is likely to help.
            metadata: facts by name, such as the id that was not found.
        """
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.metadata = metadata
        self.headers: Mapping[str, str] = {}
        """What is said beside the error in headers, for those who read no more than those."""


class InvalidArgument(DomainError):
    """The request is malformed, whatever the state of the system."""

    kind = Kind.INVALID
    reason = "INVALID_ARGUMENT"


def invalid_field(field: str, description: str) -> InvalidArgument:
    """Make the error about one field of a request."""
    return InvalidArgument(description, violations=[FieldViolation(field, description)])


class UpdateMaskInvalid(InvalidArgument):
    """The update mask names something that does not exist or cannot be changed."""

    reason = "UPDATE_MASK_INVALID"

    def __init__(self, path: str) -> None:
        """Name the path at fault."""
        message = "This field does not exist or cannot be changed."
        super().__init__(message, violations=[FieldViolation(path, message)], path=path)


class RequestIdReused(DomainError):
    """The request id belongs to an earlier request that asked for something else."""

    kind = Kind.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: uuid.UUID) -> None:
        """Name the request id."""
        message = "This request_id was used for a different request."
        super().__init__(message, request_id=str(request_id))


class Unauthenticated(DomainError):
    """The caller did not prove who it is."""

    kind = Kind.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class TokenMissing(Unauthenticated):
    """The call needs a bearer token and carries none."""

    reason = "TOKEN_MISSING"


class TokenInvalid(Unauthenticated):
    """The token is malformed, forged, or signed by a key that is no longer published."""

    reason = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    """The token was good once and is past its expiry."""

    reason = "TOKEN_EXPIRED"


class TokenRevoked(Unauthenticated):
    """The token, its session or its subject was revoked before the expiry."""

    reason = "TOKEN_REVOKED"


class PermissionDenied(DomainError):
    """The caller is known and may not do this."""

    kind = Kind.DENIED
    reason = "PERMISSION_DENIED"


class TwoFactorEnrollmentRequired(PermissionDenied):
    """The token is that of a person who has to enrol a second factor before anything else."""

    reason = "TWO_FACTOR_ENROLLMENT_REQUIRED"

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("Enrol an authenticator, confirm it, and refresh the session.")


class ScopeMissing(PermissionDenied):
    """The API key was not given the scope that the method needs."""

    reason = "SCOPE_MISSING"

    def __init__(self, scope: str) -> None:
        """Name the scope."""
        super().__init__("The API key lacks the scope that this call needs.", scope=scope)


class ApiKeyRefused(PermissionDenied):
    """The method is for people, whatever scopes an API key has."""

    reason = "API_KEY_REFUSED"

    def __init__(self) -> None:
        """Point to people."""
        super().__init__("This call is for people; no API key opens it.")


class TokenAudience(PermissionDenied):
    """The token is genuine and meant for another kind of caller than the method serves."""

    reason = "TOKEN_AUDIENCE"


class Unavailable(DomainError):
    """Something that the call needs is away for the moment; trying again helps."""

    kind = Kind.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = 1.0,
        **metadata: str,
    ) -> None:
        """Say what is away and when to try again."""
        super().__init__(message, violations=violations, retry_after_s=retry_after_s, **metadata)


class DeadlineExceeded(DomainError):
    """The time that a call may take has passed; whether it had an effect is not known."""

    kind = Kind.EXPIRED
    reason = "DEADLINE_EXCEEDED"


class EditConflict(DomainError):
    """Somebody else changed the same thing meanwhile; read it again and repeat the edit."""

    kind = Kind.CONFLICT
    reason = "EDIT_CONFLICT"


class QuotaExceeded(DomainError):
    """The company has as many of something as its plan allows, and waiting doesn't change that."""

    kind = Kind.PRECONDITION
    reason = "QUOTA_EXCEEDED"

    def __init__(self, quota: str, *, limit: int, used: int) -> None:
        """Name what there may be no more of, in the plural, and how many there may be and are."""
        message = f"The plan allows {limit} {quota}, and there are {used}."
        super().__init__(message, quota=quota, limit=str(limit), used=str(used))


def require_quota(quota: str, *, limit: int, used: int) -> None:
    """Make sure that one more is allowed; a limit of 0 is none.

    Raises:
        QuotaExceeded: there are as many as there may be.
    """
    if limit and used >= limit:
        raise QuotaExceeded(quota, limit=limit, used=used)
