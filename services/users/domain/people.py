"""People and the rules about them: what holds, who may manage whom."""

import dataclasses
import enum
import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from services.chassis.errors import EditConflict, UpdateMaskInvalid, invalid_field
from services.chassis.identity import Caller, Role, TenantScope
from services.users.domain.errors import (
    CompanyRequired,
    InvitationThrottled,
    RoleNotGrantable,
    UserDeactivated,
    UserDeleted,
    UserNotFound,
)

DISPLAY_NAME_LENGTH_MAX = 100
LANGUAGE_CODES = ("en", "pt")
LANGUAGE_CODE_DEFAULT = "en"
_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class Status(enum.StrEnum):
    """Where a person is in their life with the platform."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


_MANAGED_ROLES: Mapping[Role | None, frozenset[Role]] = {
    Role.MASTER: frozenset(Role),
    Role.COMPANY_ADMIN: frozenset({Role.COMPANY_ADMIN, Role.MANAGER, Role.DRIVER, Role.HELPER}),
    Role.MANAGER: frozenset({Role.DRIVER, Role.HELPER}),
}


def require_manageable(caller: Caller, role: Role) -> None:
    """Make sure that the caller may give this role, and change people who have it.

    Raises:
        RoleNotGrantable: it may not.
    """
    if role not in _MANAGED_ROLES.get(caller.role, frozenset()):
        raise RoleNotGrantable(role)


@dataclass(frozen=True, slots=True)
class UserEdit:
    """New values for a person; what is None stays as it is."""

    display_name: str | None = None
    role: Role | None = None
    language_code: str | None = None
    phone_number: str | None = None
    """Empty to have none."""
    email: str | None = None
    """The address that the caller believes the person to have: it cannot be changed."""
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be added, as asked for."""

    email: str
    display_name: str
    role: Role
    company_id: uuid.UUID | None
    language_code: str = LANGUAGE_CODE_DEFAULT
    phone_number: str = ""
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, as of one version; changes make new versions."""

    user_id: uuid.UUID
    company_id: uuid.UUID | None
    email: str
    display_name: str
    role: Role
    language_code: str
    phone_number: str
    """In E.164; empty if none is known."""
    status: Status
    version: int
    create_time: datetime
    update_time: datetime
    invite_time: datetime
    """When an invitation was last asked for."""
    email_verified: bool = False
    """Whether the person has proven to read mail at the address."""
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    """When a deleted person is erased."""

    @classmethod
    def create(cls, new: NewUser, *, user_id: uuid.UUID, now: datetime) -> Self:
        """Make the first version of a person.

        Raises:
            CompanyRequired: the role belongs to a company, and there is none.
            InvalidArgument: a field breaks a rule.
        """
        if new.role is Role.MASTER and new.company_id is not None:
            raise invalid_field("user.company_id", "A master belongs to no company.")
        if new.role is not Role.MASTER and new.company_id is None:
            raise CompanyRequired
        return cls(
            user_id=user_id,
            company_id=new.company_id,
            email=normalised_email(new.email),
            display_name=_checked_display_name(new.display_name),
            role=new.role,
            language_code=_checked_language_code(new.language_code),
            phone_number=_checked_phone_number(new.phone_number),
            status=Status.ACTIVE,
            version=1,
            create_time=now,
            update_time=now,
            invite_time=now,
        )

    @property
    def etag(self) -> str:
        """A text that differs from version to version."""
        return str(self.version)

    @property
    def has_access(self) -> bool:
        """Whether the person may log in."""
        return self.status is Status.ACTIVE and self.delete_time is None

    @property
    def asked_for(self) -> Sequence[str]:
        """What a creation of this person asks for, by which a repeated one is recognised."""
        profile = [self.language_code, self.phone_number]
        return [self.email, self.display_name, self.role.value, str(self.company_id), *profile]

    def within(self, scope: TenantScope) -> bool:
        """Tell whether the scope includes the person; only the widest includes masters."""
        if self.company_id is None:
            return scope == TenantScope.everything()
        return scope.includes(self.company_id)

    def edited(self, edit: UserEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            UpdateMaskInvalid: the edit would change the e-mail address.
            CompanyRequired: a master would get a role that belongs to a company.
            UserDeleted: nothing changes about a deleted person.
            InvalidArgument: a field breaks a rule.
        """
        self._require_undeleted()
        if edit.etag and edit.etag != self.etag:
            message = "Somebody changed this person meanwhile."
            raise EditConflict(message)
        if edit.email is not None and normalised_email(edit.email) != self.email:
            raise UpdateMaskInvalid("email")
        role = self.role if edit.role is None else edit.role
        if role is Role.MASTER and self.company_id is not None:
            raise invalid_field("user.role", "A person of a company does not become a master.")
        if role is not Role.MASTER and self.company_id is None:
            raise CompanyRequired
        name, language, phone = edit.display_name, edit.language_code, edit.phone_number
        changed = dataclasses.replace(
            self,
            display_name=self.display_name if name is None else _checked_display_name(name),
            role=role,
            language_code=(
                self.language_code if language is None else _checked_language_code(language)
            ),
            phone_number=self.phone_number if phone is None else _checked_phone_number(phone),
        )
        return self._followed_by(changed, now)

    def addressed(self, from_email: str, to_email: str, now: datetime) -> Self:
        """Return the version with an address that its owner has proven: this one if it has it.

        Raises:
            UserDeleted: the person is deleted.
            EditConflict: the change was asked for when the person had another address.
        """
        self._require_undeleted()
        email = normalised_email(to_email)
        if self.email not in {email, normalised_email(from_email)}:
            message = "The person has another address meanwhile."
            raise EditConflict(message)
        changed = dataclasses.replace(self, email=email, email_verified=True)
        return self._followed_by(changed, now)

    def deactivated(self, now: datetime) -> Self:
        """Return the version without access: this one if it has none.

        Raises:
            UserDeleted: the person is deleted.
        """
        self._require_undeleted()
        return self._followed_by(dataclasses.replace(self, status=Status.DEACTIVATED), now)

    def reactivated(self, now: datetime) -> Self:
        """Return the version with access: this one if it has it.

        Raises:
            UserDeleted: the person is deleted.
        """
        self._require_undeleted()
        return self._followed_by(dataclasses.replace(self, status=Status.ACTIVE), now)

    def invited_again(self, now: datetime, interval: timedelta) -> Self:
        """Return the version that is sent a fresh invitation.

        Raises:
            UserDeleted: the person is deleted.
            UserDeactivated: the person is deactivated.
            InvitationThrottled: the last invitation is newer than the interval.
        """
        self._require_undeleted()
        if self.status is not Status.ACTIVE:
            raise UserDeactivated(self.user_id)
        wait = self.invite_time + interval - now
        if wait > timedelta(0):
            raise InvitationThrottled(wait.total_seconds())
        return self._followed_by(dataclasses.replace(self, invite_time=now), now)

    def deleted(self, now: datetime, kept: timedelta) -> Self:
        """Return the version that is kept for so long: this one if it is deleted already."""
        if self.delete_time is not None:
            return self
        changed = dataclasses.replace(self, delete_time=now, purge_time=now + kept)
        return self._followed_by(changed, now)

    def undeleted(self, now: datetime) -> Self:
        """Return the version that is back: this one if it is not deleted.

        Raises:
            UserNotFound: the time to have them back is over.
        """
        if self.purge_time is not None and self.purge_time <= now:
            raise UserNotFound(self.user_id)
        return self._followed_by(dataclasses.replace(self, delete_time=None, purge_time=None), now)

    def purged(self, now: datetime) -> Self:
        """Return the last version, which says nothing personal."""
        changed = dataclasses.replace(
            self, email="", email_verified=False, display_name="", language_code="", phone_number=""
        )
        return self._followed_by(changed, now)

    def _require_undeleted(self) -> None:
        if self.delete_time is not None:
            raise UserDeleted(self.user_id)

    def _followed_by(self, changed: Self, now: datetime) -> Self:
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)


@dataclass(frozen=True, slots=True)
class PeopleCount:
    """How many people of a company have a role and a status."""

    role: Role
    status: Status
    people: int


def normalised_email(email: str) -> str:
    """Return the one spelling of an address under which it is stored and compared."""
    return email.strip().lower()


def _checked_display_name(display_name: str) -> str:
    name = display_name.strip()
    if not 1 <= len(name) <= DISPLAY_NAME_LENGTH_MAX:
        raise invalid_field("user.display_name", "1 to 100 characters are needed.")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise invalid_field("user.display_name", "Control characters are not allowed.")
    return name


def _checked_language_code(language_code: str) -> str:
    if language_code not in LANGUAGE_CODES:
        raise invalid_field("user.language_code", "The languages are `en` and `pt`.")
    return language_code


def _checked_phone_number(phone_number: str) -> str:
    if phone_number and not _PHONE_NUMBER.fullmatch(phone_number):
        raise invalid_field("user.phone_number", "A number in E.164 is needed: +351912345678.")
    return phone_number
