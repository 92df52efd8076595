"""Companies as rows and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from services.chassis.identity import Role
from services.companies.domain.companies import Company, CompanyState, Suspension
from services.companies.domain.deletions import Deletion, DeletionStep
from services.companies.domain.demands import AlertDefaults, SecuritySettings
from services.companies.domain.quotas import Quotas
from services.companies.domain.search import folded, sort_name
from services.companies.storage.tables.companies import CompanyRow

D = TypeVar("D")

_PLAIN = (
    *("company_id", "display_name", "time_zone", "language_code", "plan_id", "plan_version"),
    *("version", "create_time", "update_time"),
)


def company_values(company: Company) -> dict[str, Any]:
    """Return the values of a company's row."""
    suspension, deletion = company.suspension, company.deletion
    return {name: getattr(company, name) for name in _PLAIN} | {
        "state": company.state.value,
        "quotas": dataclasses.asdict(company.quotas),
        "security": dataclasses.asdict(company.security),
        "alert_defaults": dataclasses.asdict(company.alert_defaults),
        "suspend_time": suspension and suspension.suspend_time,
        "suspend_reason": suspension and suspension.reason,
        "deletion_request_time": deletion and deletion.request_time,
        "deletion_ask_time": deletion and deletion.ask_time,
        "deletion_complete_time": deletion and deletion.complete_time,
        "sort_name": sort_name(company.display_name),
        "search_text": folded(company.display_name),
    }


def company_of(row: CompanyRow, steps: Sequence[DeletionStep]) -> Company:
    """Return the company that a row holds."""
    security = read_document(SecuritySettings, row.security)
    alerts = read_document(AlertDefaults, row.alert_defaults)
    return Company(
        **{name: getattr(row, name) for name in _PLAIN},
        state=CompanyState(row.state),
        quotas=read_document(Quotas, row.quotas),
        security=dataclasses.replace(
            security, two_factor_roles=tuple(map(Role, security.two_factor_roles))
        ),
        alert_defaults=dataclasses.replace(alerts, emails=tuple(alerts.emails)),
        suspension=_suspension(row),
        deletion=_deletion(row, steps),
    )


def read_document(kind: type[D], document: Mapping[str, Any]) -> D:
    """Read what this version knows of a document; what it lacks is as it is by default."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in document.items() if name in names})


def _suspension(row: CompanyRow) -> Suspension | None:
    if row.suspend_time is None:
        return None
    return Suspension(row.suspend_time, row.suspend_reason or "")


def _deletion(row: CompanyRow, steps: Sequence[DeletionStep]) -> Deletion | None:
    if row.deletion_request_time is None or row.deletion_ask_time is None:
        return None
    return Deletion(
        request_time=row.deletion_request_time,
        ask_time=row.deletion_ask_time,
        steps=tuple(steps),
        complete_time=row.deletion_complete_time,
    )
