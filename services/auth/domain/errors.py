"""The ways in which proving who one is can fail."""

import enum
import uuid

from services.chassis.errors import DomainError, FieldViolation, Kind


class CredentialsInvalid(DomainError):
    """No such person, a wrong password or no access: deliberately not saying which."""

    kind = Kind.UNAUTHENTICATED
    reason = "CREDENTIALS_INVALID"

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class LoginThrottled(DomainError):
    """Too many attempts, or more at once than there is time to check."""

    kind = Kind.EXHAUSTED
    reason = "LOGIN_THROTTLED"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many attempts; try again later.", retry_after_s=retry_after_s)


class RefreshTokenInvalid(DomainError):
    """The refresh token was never issued, has expired, or belongs to a session that has ended."""

    kind = Kind.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid; log in again.")


class RefreshTokenReused(DomainError):
    """The refresh token was spent before, so two parties hold it: the session has been ended."""

    kind = Kind.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_REUSED"

    def __init__(self) -> None:
        super().__init__("The refresh token was used before; its session was ended.")


class SessionNotFound(DomainError):
    """The person has no such session; whether somebody else has it is not said."""

    kind = Kind.NOT_FOUND
    reason = "SESSION_NOT_FOUND"

    def __init__(self, session_id: uuid.UUID) -> None:
        super().__init__("There is no such session.", session_id=str(session_id))


class InvitationInvalid(DomainError):
    """The invitation was never sent, was used, or has expired."""

    kind = Kind.PRECONDITION
    reason = "INVITATION_INVALID"

    def __init__(self) -> None:
        super().__init__("The invitation is unknown, used or expired.")


class ResetCodeInvalid(DomainError):
    """No code of this account's works like that: deliberately not saying why."""

    kind = Kind.PRECONDITION
    reason = "RESET_CODE_INVALID"

    def __init__(self) -> None:
        super().__init__("The code is wrong, used or expired; ask for another one.")


class TwoFactorRequired(DomainError):
    """The password is right, and a code of the authenticator is missing."""

    kind = Kind.UNAUTHENTICATED
    reason = "TWO_FACTOR_REQUIRED"

    def __init__(self) -> None:
        super().__init__("A code of the authenticator, or a backup code, is needed.")


class TwoFactorInvalid(DomainError):
    """The code of the authenticator, or the backup code, is wrong or was used before."""

    kind = Kind.UNAUTHENTICATED
    reason = "TWO_FACTOR_INVALID"

    def __init__(self) -> None:
        super().__init__("The code is wrong or was used before.")


class TotpEnabled(DomainError):
    """The person has an authenticator already."""

    kind = Kind.PRECONDITION
    reason = "TOTP_ENABLED"

    def __init__(self) -> None:
        super().__init__("There is an authenticator already; disable it first.")


class TotpNotEnrolled(DomainError):
    """The person has no authenticator."""

    kind = Kind.PRECONDITION
    reason = "TOTP_NOT_ENROLLED"

    def __init__(self) -> None:
        super().__init__("There is no authenticator.")


class Weakness(enum.StrEnum):
    """What is wrong with a password."""

    TOO_SHORT = "TOO_SHORT"
    COMMON = "COMMON"
    GUESSABLE = "GUESSABLE"


class TwoFactorMandatory(DomainError):
    """The company wants everybody of this role to have a second factor."""

    kind = Kind.PRECONDITION
    reason = "TWO_FACTOR_MANDATORY"

    def __init__(self) -> None:
        super().__init__("Your company wants you to have an authenticator.")


class CompanySuspended(DomainError):
    """The person has proved who they are, and their company is suspended or being deleted."""

    kind = Kind.DENIED
    reason = "COMPANY_SUSPENDED"

    def __init__(self, company_id: uuid.UUID) -> None:
        super().__init__("The company is suspended.", company_id=str(company_id))


class PasswordTooWeak(DomainError):
    """The password would be guessed."""

    kind = Kind.INVALID
    reason = "PASSWORD_TOO_WEAK"

    def __init__(self, field: str, weakness: Weakness, description: str) -> None:
        violations = [FieldViolation(field, description)]
        super().__init__(description, violations=violations, weakness=weakness.value)


class ServiceCredentialsInvalid(DomainError):
    """No such service, or not its secret."""

    kind = Kind.UNAUTHENTICATED
    reason = "SERVICE_CREDENTIALS_INVALID"

    def __init__(self) -> None:
        super().__init__("The service or its secret is wrong.")


class CompanyNotFound(DomainError):
    """No such company in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "COMPANY_NOT_FOUND"

    def __init__(self, company_id: uuid.UUID) -> None:
        super().__init__("There is no such company.", company_id=str(company_id))
