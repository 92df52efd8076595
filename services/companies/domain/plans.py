"""Plans: what the companies on them may use."""

import dataclasses
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from services.chassis.errors import EditConflict, invalid_field
from services.companies.domain.errors import PlanRetired
from services.companies.domain.names import checked_name
from services.companies.domain.quotas import NO_LIMITS, Quotas

PLAN_ID_DEFAULT = "standard"
"""The plan of a company for which nobody names one."""

_PLAN_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan to be added, as asked for."""

    plan_id: str
    display_name: str = ""
    quotas: Quotas = NO_LIMITS
    retired: bool = False
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class PlanEdit:
    """New values for a plan: None leaves what is there."""

    display_name: str | None = None
    retired: bool | None = None
    quotas: Mapping[str, int] = field(default_factory=dict)
    """The quotas that change, by name."""
    etag: str = ""
    """What the caller saw last; empty to overwrite whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan, as of one version; changes make new versions."""

    plan_id: str
    display_name: str
    quotas: Quotas
    retired: bool
    version: int
    create_time: datetime
    update_time: datetime

    @classmethod
    def create(cls, new: NewPlan, now: datetime) -> Self:
        """Make the first version of a plan.

        Raises:
            InvalidArgument: a field breaks a rule.
        """
        if not _PLAN_ID.fullmatch(new.plan_id):
            raise invalid_field("plan.plan_id", "Small letters, digits and hyphens are needed.")
        return cls(
            plan_id=new.plan_id,
            display_name=checked_name("plan.display_name", new.display_name or new.plan_id),
            quotas=new.quotas.checked("plan.quotas"),
            retired=new.retired,
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
        """What a creation of this plan asks for, by which a repeated one is recognised."""
        quotas = map(str, dataclasses.astuple(self.quotas))
        return [self.plan_id, self.display_name, str(self.retired), *quotas]

    def require_open(self) -> None:
        """Make sure that a further company may have the plan.

        Raises:
            PlanRetired: it may not.
        """
        if self.retired:
            raise PlanRetired(self.plan_id)

    def edited(self, edit: PlanEdit, now: datetime) -> Self:
        """Return the version after an edit: this one if the edit changes nothing.

        Raises:
            EditConflict: the edit was made on another version.
            InvalidArgument: a field breaks a rule, or everybody's plan is to be retired.
        """
        if edit.etag and edit.etag != self.etag:
            raise EditConflict("Somebody changed this plan meanwhile.")
        retired = self.retired if edit.retired is None else edit.retired
        if retired and self.plan_id == PLAN_ID_DEFAULT:
            raise invalid_field("plan.retired", "Companies get this plan when none is named.")
        name = edit.display_name
        changed = dataclasses.replace(
            self,
            display_name=(
                self.display_name
                if name is None
                else checked_name("plan.display_name", name or self.plan_id)
            ),
            quotas=dataclasses.replace(self.quotas, **edit.quotas).checked("plan.quotas"),
            retired=retired,
        )
        if changed == self:
            return self
        return dataclasses.replace(changed, version=self.version + 1, update_time=now)
