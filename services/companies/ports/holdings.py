"""What the use cases need of everything that a company has here."""

from typing import Protocol

from services.chassis.identity import TenantScope


class HoldingsRepository(Protocol):
    """All rows of a company but its own."""

    async def erase_some(self, scope: TenantScope, limit: int) -> int:
        """Erase some of what the scope includes; tell how many: 0 once there is nothing left."""
