"""Companies: the tenants of the platform."""

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.chassis.errors import EditConflict
from services.companies.domain.locales import checked_language_code, checked_time_zone
from services.companies.domain.names import checked_name


@dataclass(frozen=True, slots=True)
class NewCompany:
    """A company to be added, as asked for; empty fields get their defaults."""

    display_name: str
    time_zone: str = ""
    language_code: str = ""
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class CompanyEdit:
    """New values for a company: None leaves what is there, an empty text sets the default."""

    display_name: str | None = None
    time_zone: str | None = None
    language_code: str | None = None
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A tenant, as of one version; changes make new versions."""

    company_id: uuid.UUID
    display_name: str
    time_zone: str
    language_code: str
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewCompany, *, company_id: uuid.UUID, now: datetime) -> Self:
        """Make the first version of a company.

        Raises:
            InvalidArgument: a field breaks a rule.
        """
        return cls(
            company_id=company_id,
            display_name=checked_name("company.display_name", new.display_name),
            time_zone=checked_time_zone(new.time_zone),
            language_code=checked_language_code(new.language_code),
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
        """What a creation of this company asks for, by which a repeated one is recognised."""
        return [self.display_name, self.time_zone, self.language_code]

    def edited(self, edit: CompanyEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            InvalidArgument: a field breaks a rule.
        """
        if edit.etag and edit.etag != self.etag:
            raise EditConflict("Somebody changed this company meanwhile.")
        name, zone, language = edit.display_name, edit.time_zone, edit.language_code
        changed = dataclasses.replace(
            self,
            display_name=(
                self.display_name if name is None else checked_name("company.display_name", name)
            ),
            time_zone=self.time_zone if zone is None else checked_time_zone(zone),
            language_code=(
                self.language_code if language is None else checked_language_code(language)
            ),
        )
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)
