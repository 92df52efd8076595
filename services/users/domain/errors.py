"""What can go wrong with people."""

import uuid

from services.chassis.errors import (
    DomainError,
    FieldViolation,
    InvalidArgument,
    Kind,
    PermissionDenied,
)
from services.chassis.identity import Role


class UserNotFound(DomainError):
    """No person with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "USER_NOT_FOUND"

    def __init__(self, user_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such person.", user_id=str(user_id))


class EmailTaken(DomainError):
    """Somebody on the platform has this address already."""

    kind = Kind.ALREADY_EXISTS
    reason = "EMAIL_TAKEN"

    def __init__(self) -> None:
        """Keep the address out of the error: errors are logged."""
        super().__init__("Another person has this e-mail address.")


class RoleNotGrantable(PermissionDenied):
    """The caller may neither give this role nor manage people who have it."""

    reason = "ROLE_NOT_GRANTABLE"

    def __init__(self, role: Role) -> None:
        """Name the role that is out of the caller's hands."""
        super().__init__("Your role may not give or manage this role.", role=role.value)


class OwnAccount(DomainError):
    """Nobody changes their own role or decides about their own access."""

    kind = Kind.PRECONDITION
    reason = "OWN_ACCOUNT"

    def __init__(self) -> None:
        """Point to somebody else."""
        super().__init__("Somebody else has to do this to your account.")


class CompanyRequired(InvalidArgument):
    """Every role but master belongs to a company."""

    reason = "COMPANY_REQUIRED"

    def __init__(self) -> None:
        """Point at the field."""
        message = "Every role but master belongs to a company."
        super().__init__(message, violations=[FieldViolation("user.company_id", message)])


class CompanyNotFound(DomainError):
    """No company with this id is in the caller's reach."""

    kind = Kind.NOT_FOUND
    reason = "COMPANY_NOT_FOUND"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the id that was asked for."""
        super().__init__("There is no such company.", company_id=str(company_id))


class CompanySuspended(DomainError):
    """The company stands still until it is resumed: it gets no more people."""

    kind = Kind.PRECONDITION
    reason = "COMPANY_SUSPENDED"

    def __init__(self, company_id: uuid.UUID) -> None:
        """Name the company."""
        super().__init__("The company is suspended.", company_id=str(company_id))


class UserDeleted(DomainError):
    """The person is deleted, and stays as they were until they are undeleted or purged."""

    kind = Kind.PRECONDITION
    reason = "USER_DELETED"

    def __init__(self, user_id: uuid.UUID) -> None:
        """Name the person."""
        super().__init__("This person is deleted; undelete them first.", user_id=str(user_id))


class FirstMasterKept(DomainError):
    """The first administrator is never deleted: the next start would add them again."""

    kind = Kind.PRECONDITION
    reason = "FIRST_MASTER"

    def __init__(self) -> None:
        """Point to what is possible."""
        super().__init__("The first administrator can be deactivated, not deleted.")


class UserDeactivated(DomainError):
    """Whoever has no access is invited to nothing."""

    kind = Kind.PRECONDITION
    reason = "USER_DEACTIVATED"

    def __init__(self, user_id: uuid.UUID) -> None:
        """Name the person."""
        super().__init__("This person is deactivated; reactivate them.", user_id=str(user_id))


class InvitationThrottled(DomainError):
    """The person was invited a moment ago."""

    kind = Kind.EXHAUSTED
    reason = "INVITATION_THROTTLED"

    def __init__(self, retry_after_s: float) -> None:
        """Say when the next invitation may be sent."""
        super().__init__("The last invitation is quite new.", retry_after_s=retry_after_s)
