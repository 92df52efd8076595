"""What this service knows of people: what they may do, and nothing personal."""

import uuid
from dataclasses import dataclass

from services.chassis.identity import Role
from services.companies.domain.fleet_errors import UserDeactivated


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How a person stood at one version of theirs."""

    user_id: uuid.UUID
    company_id: uuid.UUID
    role: Role
    active: bool
    version: int

    def require_active(self) -> None:
        """Make sure that the person has access.

        Raises:
            UserDeactivated: they don't.
        """
        if not self.active:
            raise UserDeactivated(self.user_id)


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What users says of a person after a change."""

    event_id: uuid.UUID
    person: Person
    purged: bool
