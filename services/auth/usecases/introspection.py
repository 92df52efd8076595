"""Telling who can't verify tokens whether one is good."""

from dataclasses import dataclass

from services.auth.ports.api_keys import ExaminedToken, TokenExaminer
from services.chassis.identity import Caller, TenantScope


@dataclass(frozen=True, slots=True)
class IntrospectToken:
    """Tells what a token says."""

    examine: TokenExaminer

    async def __call__(self, caller: Caller, token: str) -> ExaminedToken | None:
        """Return what a token says; None if it is not good, or not of the caller's company."""
        found = await self.examine(token)
        if found is None:
            return None
        company_id, scope = found.holder.company_id, caller.scope
        if scope == TenantScope.everything():
            return found
        return found if company_id is not None and scope.includes(company_id) else None
