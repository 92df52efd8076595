"""Teams, and people's times in them."""

import dataclasses
import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.errors import EditConflict
from services.companies.domain.errors import CompanyRequired
from services.companies.domain.names import checked_name


class TeamRole(enum.StrEnum):
    """What a person is in a team."""

    LEAD = "lead"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class NewTeam:
    """A team to be added, as asked for."""

    company_id: uuid.UUID | None
    display_name: str
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class TeamEdit:
    """New values for a team; what is None stays as it is."""

    display_name: str | None = None
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A part of a company, as of one version; changes make new versions."""

    team_id: uuid.UUID
    company_id: uuid.UUID
    display_name: str
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewTeam, *, team_id: uuid.UUID, now: datetime) -> Self:
        """Make a team.

        Raises:
            CompanyRequired: it has no company.
            InvalidArgument: the name breaks a rule.
        """
        if new.company_id is None:
            raise CompanyRequired("team.company_id")
        return cls(
            team_id=team_id,
            company_id=new.company_id,
            display_name=checked_name("team.display_name", new.display_name),
            version=1,
            create_time=now,
            update_time=now,
        )

    @property
    def etag(self) -> str:
        """A text that differs from version to version."""
        return str(self.version)

    @property
    def asked_for(self) -> Sequence[str]:
        """What a creation of this team asks for, by which a repeated one is recognised."""
        return [str(self.company_id), self.display_name]

    def require_current(self, etag: str) -> None:
        """Make sure that a caller who names a version has seen this one.

        Raises:
            EditConflict: they saw another one.
        """
        if etag and etag != self.etag:
            raise EditConflict("Somebody changed this team meanwhile.")

    def edited(self, edit: TeamEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            InvalidArgument: the name breaks a rule.
        """
        self.require_current(edit.etag)
        if edit.display_name is None:
            return self
        name = checked_name("team.display_name", edit.display_name)
        if name == self.display_name:
            return self
        return dataclasses.replace(
            self, display_name=name, version=self.version + 1, update_time=now
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A person's time in a team with one role; history is made of these."""

    membership_id: uuid.UUID
    company_id: uuid.UUID
    team_id: uuid.UUID
    team_name: str
    """What the team was called at the beginning: the team may be gone when this is read."""
    user_id: uuid.UUID | None
    """None once the person was erased."""
    role: TeamRole
    start_time: datetime
    end_time: datetime | None = None

    @classmethod
    def begin(
        cls,
        team: Team,
        user_id: uuid.UUID,
        role: TeamRole,
        *,
        membership_id: uuid.UUID,
        now: datetime,
    ) -> Self:
        """Begin a person's time in a team."""
        return cls(
            membership_id=membership_id,
            company_id=team.company_id,
            team_id=team.team_id,
            team_name=team.display_name,
            user_id=user_id,
            role=role,
            start_time=now,
        )

    def ended(self, now: datetime) -> Self:
        """Return it as it is once it has ended.

        Clocks of replicas differ: it ends no sooner than it began all the same.
        """
        return dataclasses.replace(self, end_time=max(now, self.start_time))


@dataclass(frozen=True, slots=True)
class MembershipQuery:
    """What is asked of the history; what is None doesn't matter."""

    company_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = None
    current_only: bool = False

    def matches(self, membership: Membership) -> bool:
        """Tell whether the list holds a membership of the scope."""
        return (
            self.company_id in {None, membership.company_id}
            and self.team_id in {None, membership.team_id}
            and self.user_id in {None, membership.user_id}
            and not (self.current_only and membership.end_time)
        )
