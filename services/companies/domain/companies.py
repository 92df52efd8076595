"""Companies: the tenants of the platform."""

import dataclasses
import enum
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from services.chassis.errors import EditConflict
from services.companies.domain.deletions import Deletion
from services.companies.domain.demands import (
    NO_DEMANDS,
    USUAL_ALERTS,
    AlertDefaults,
    SecuritySettings,
    checked_alert_defaults,
    checked_security,
)
from services.companies.domain.errors import (
    CompanyDeleting,
    CompanyNotFound,
    CompanyNotSuspended,
)
from services.companies.domain.locales import checked_language_code, checked_time_zone
from services.companies.domain.names import checked_name, checked_remark
from services.companies.domain.plans import Plan
from services.companies.domain.quotas import NO_LIMITS, Quotas


class CompanyState(enum.StrEnum):
    """Whether a company may be worked with."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class NewCompany:
    """A company to be added, as asked for; empty fields get their defaults."""

    display_name: str
    time_zone: str = ""
    language_code: str = ""
    plan_id: str = ""
    security: SecuritySettings = NO_DEMANDS
    alert_defaults: AlertDefaults = USUAL_ALERTS
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class CompanyEdit:
    """New values for a company: None leaves what is there, an empty text sets the default."""

    display_name: str | None = None
    time_zone: str | None = None
    language_code: str | None = None
    plan_id: str | None = None
    security: Mapping[str, Any] = field(default_factory=dict)
    """The security settings that change, by name."""
    alert_defaults: Mapping[str, Any] = field(default_factory=dict)
    """The alert defaults that change, by name."""
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """Since when a company is suspended, and why: as it was given, or nothing."""

    suspend_time: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A tenant, as of one version; changes make new versions."""

    company_id: uuid.UUID
    display_name: str
    time_zone: str
    language_code: str
    state: CompanyState = CompanyState.ACTIVE
    plan_id: str
    plan_version: int
    """The version of the plan that the quotas are of."""
    quotas: Quotas
    security: SecuritySettings
    alert_defaults: AlertDefaults
    suspension: Suspension | None = None
    deletion: Deletion | None = None
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewCompany, plan: Plan, *, company_id: uuid.UUID, now: datetime) -> Self:
        """Make the first version of a company.

        Raises:
            InvalidArgument: a field breaks a rule.
        """
        return cls(
            company_id=company_id,
            display_name=checked_name("company.display_name", new.display_name),
            time_zone=checked_time_zone(new.time_zone),
            language_code=checked_language_code(new.language_code),
            plan_id=plan.plan_id,
            plan_version=plan.version,
            quotas=plan.quotas,
            security=checked_security(new.security),
            alert_defaults=checked_alert_defaults(new.alert_defaults),
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
        demands = [dataclasses.asdict(self.security), dataclasses.asdict(self.alert_defaults)]
        names = [self.display_name, self.time_zone, self.language_code, self.plan_id]
        return [*names, *(json.dumps(demand, sort_keys=True) for demand in demands)]

    def require_changeable(self) -> None:
        """Make sure that something about the company, or of it, may still be changed.

        Raises:
            CompanyDeleting: it is being deleted.
            CompanyNotFound: it was.
        """
        if self.state is CompanyState.DELETING:
            raise CompanyDeleting(self.company_id)
        if self.state is CompanyState.DELETED:
            raise CompanyNotFound(self.company_id)

    def edited(self, edit: CompanyEdit, now: datetime, plan: Plan | None = None) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Args:
            edit: what to change.
            now: the time.
            plan: the plan that the edit names.

        Raises:
            EditConflict: the edit was made on another version.
            InvalidArgument: a field breaks a rule.
        """
        if edit.etag and edit.etag != self.etag:
            raise EditConflict("Somebody changed this company meanwhile.")
        name, zone, language = edit.display_name, edit.time_zone, edit.language_code
        changes: dict[str, Any] = {}
        if name is not None:
            changes["display_name"] = checked_name("company.display_name", name)
        if zone is not None:
            changes["time_zone"] = checked_time_zone(zone)
        if language is not None:
            changes["language_code"] = checked_language_code(language)
        if edit.security:
            security = dataclasses.replace(self.security, **edit.security)
            changes["security"] = checked_security(security)
        if edit.alert_defaults:
            defaults = dataclasses.replace(self.alert_defaults, **edit.alert_defaults)
            changes["alert_defaults"] = checked_alert_defaults(defaults)
        return self._changed(now, **changes, **_of_plan(plan))

    def on_plan(self, plan: Plan, now: datetime) -> Self:
        """Return the version with what the plan allows by now."""
        return self._changed(now, **_of_plan(plan))

    def suspended(self, reason: str, now: datetime) -> Self:
        """Return the version that is shut out; a suspended one stays as it is, reason included.

        Raises:
            InvalidArgument: the reason can't be shown.
        """
        if self.state is CompanyState.SUSPENDED:
            return self
        suspension = Suspension(now, checked_remark("reason", reason))
        return self._changed(now, state=CompanyState.SUSPENDED, suspension=suspension)

    def resumed(self, now: datetime) -> Self:
        """Return the version that may be worked with again; an active one stays as it is."""
        return self._changed(now, state=CompanyState.ACTIVE, suspension=None)

    def deleting(self, now: datetime) -> Self:
        """Return the version whose deletion has begun; one that is deleted already stays.

        Raises:
            CompanyNotSuspended: people and devices still work with it.
        """
        if self.deletion is not None:
            return self
        if self.state is not CompanyState.SUSPENDED:
            raise CompanyNotSuspended(self.company_id)
        return self._changed(now, state=CompanyState.DELETING, deletion=Deletion.begin(now))

    def asked_again(self, now: datetime) -> Self:
        """Return the version with which the services are asked again to erase."""
        if self.deletion is None:
            return self
        return self._changed(now, deletion=dataclasses.replace(self.deletion, ask_time=now))

    def reported(self, service: str, now: datetime) -> Self:
        """Return the company with what a service has reported: itself if that is no news.

        It is the same version, since nobody else has to hear of it.
        """
        if self.deletion is None:
            return self
        deletion = self.deletion.reported(service, now)
        return self if deletion == self.deletion else dataclasses.replace(self, deletion=deletion)

    def deleted(self, now: datetime) -> Self:
        """Return what is left of the company: its id and the times of its deletion."""
        if self.deletion is None:
            return self
        return self._changed(
            now,
            display_name="",
            time_zone="",
            language_code="",
            state=CompanyState.DELETED,
            plan_id="",
            plan_version=0,
            quotas=NO_LIMITS,
            security=NO_DEMANDS,
            alert_defaults=USUAL_ALERTS,
            suspension=None,
            deletion=dataclasses.replace(self.deletion, complete_time=now),
        )

    def _changed(self, now: datetime, **changes: Any) -> Self:
        changed = dataclasses.replace(self, **changes)
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)


def _of_plan(plan: Plan | None) -> Mapping[str, Any]:
    if plan is None:
        return {}
    return {"plan_id": plan.plan_id, "plan_version": plan.version, "quotas": plan.quotas}
