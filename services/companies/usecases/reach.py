"""How far a caller reaches."""

import uuid

from services.chassis.identity import Caller, Role, TenantScope
from services.companies.ports.store import UnitOfWork

_ON_VEHICLES = frozenset({Role.DRIVER, Role.HELPER})


async def scope_of_list(
    work: UnitOfWork, caller: Caller, company_id: uuid.UUID | None
) -> TenantScope:
    """Return what a list is made of: one company's, or all that the caller reaches.

    Raises:
        CompanyNotFound: the company is none of those that the caller reaches.
    """
    if company_id is None:
        return caller.scope
    await work.companies.get(caller.scope, company_id)
    return TenantScope.company(company_id)


def limited_to(caller: Caller) -> uuid.UUID | None:
    """Return the person whose own vehicle alone the caller sees: None if there is no such limit."""
    return caller.user_id if caller.role in _ON_VEHICLES else None
