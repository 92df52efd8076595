"""What the use cases need of stored plans; they are the platform's, not a company's."""

from collections.abc import Sequence
from typing import Protocol

from services.chassis.identity import CreationRequest
from services.companies.domain.plans import Plan


class PlanCatalog(Protocol):
    """Plans."""

    async def add(self, plan: Plan, request: CreationRequest | None = None) -> None:
        """Store a plan.

        Raises:
            PlanIdTaken: another plan has the id.
        """

    async def made_by(self, request: CreationRequest) -> Plan | None:
        """Find the plan that an earlier try of a request made, as it stands now.

        Further tries wait here until the transaction of the first has ended.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def get(self, plan_id: str) -> Plan:
        """Read a plan.

        Raises:
            PlanNotFound: none has the id.
        """

    async def get_for_change(self, plan_id: str) -> Plan:
        """Read a plan and keep others from changing it until the transaction ends.

        Raises:
            PlanNotFound: none has the id.
        """

    async def list_after(
        self, after: str | None, limit: int, *, show_retired: bool
    ) -> Sequence[Plan]:
        """Read plans in the order of their ids, from the first id greater than `after`."""

    async def save(self, plan: Plan) -> None:
        """Store the next version of a plan.

        Raises:
            EditConflict: the stored version is not the one before.
        """
