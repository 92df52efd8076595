"""Answers which device was on which vehicle when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.chassis.identity import Caller, TenantScope
from services.telemetry.domain.devices import Assignment
from services.telemetry.domain.errors import CompanyNotFound, TimeRangeInvalid
from services.telemetry.ports.registry import AssignmentPlace, AssignmentQuery, Registry


@dataclass(frozen=True, slots=True)
class AssignmentPage:
    """A part of a list, and where the next part starts: None on the last."""

    assignments: Sequence[Assignment]
    next_after: AssignmentPlace | None


class AssignmentUseCases:
    """The questions about assignments."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def list_assignments(self, caller: Caller, query: AssignmentQuery) -> AssignmentPage:
        """Return a page of the assignments in the caller's reach, newest first."""
        scope = caller.scope
        if query.company_id is not None:
            if not scope.includes(query.company_id):
                raise CompanyNotFound(query.company_id)
            scope = TenantScope.company(query.company_id)
        if None not in (query.start_ms, query.end_ms) and query.start_ms >= query.end_ms:  # type: ignore[operator]
            raise TimeRangeInvalid("end_time must be after start_time.")
        async with self._registry.begin() as work:
            if query.device_id is not None:
                await work.devices.get(scope, query.device_id)
            # One more than asked for tells whether there is a next page.
            asked = replace(query, limit=query.limit + 1)
            found = await work.assignments.list_newest(scope, asked)
        page = found[: query.limit]
        if len(found) <= query.limit:
            return AssignmentPage(page, None)
        return AssignmentPage(page, AssignmentPlace(page[-1].start_at, page[-1].device_id))
