"""What keys of machines need from the outside; every query takes the scope it is asked in."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.auth.domain.api_keys import ApiKey
from services.chassis.identity import Caller, CreationRequest, TenantScope


@dataclass(frozen=True, slots=True)
class ExaminedToken:
    """What a token that is good now says."""

    holder: Caller
    issued_at_s: float


TokenExaminer = Callable[[str], Awaitable[ExaminedToken | None]]
"""Judges a token as every service does; None if it is not good."""


class ApiKeyRepository(Protocol):
    """Keys of machines. What is outside the scope does not exist."""

    async def add(
        self, scope: TenantScope, api_key: ApiKey, request: CreationRequest | None
    ) -> None:
        """Store a key, and the request that makes it."""

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> ApiKey | None:
        """Find the key that an earlier try of a request made, as it stands now.

        Raises:
            RequestIdReused: the earlier request asked for something else.
        """

    async def lock(self, scope: TenantScope, key_id: uuid.UUID) -> ApiKey | None:
        """Return a key and keep it from changing until the transaction ends."""

    async def lock_live_of(
        self, scope: TenantScope, creator_id: uuid.UUID, now: datetime
    ) -> Sequence[ApiKey]:
        """Return the keys that somebody made and that work, all locked."""

    async def list_before(
        self, scope: TenantScope, before: uuid.UUID | None, limit: int
    ) -> Sequence[ApiKey]:
        """Return keys, the highest id (the newest) first; `before` is where a page ended."""

    async def count_live(
        self, scope: TenantScope, company_id: uuid.UUID | None, now: datetime
    ) -> int:
        """Count the keys of a company, or of none, that work; keep others from adding any."""

    async def save(self, scope: TenantScope, api_key: ApiKey) -> None:
        """Store a changed key."""

    async def remove_some(self, scope: TenantScope, limit: int) -> int:
        """Erase some keys of the scope; tell how many: 0 once there are none left."""

    async def prune(self, scope: TenantScope, ended_before: datetime) -> None:
        """Forget keys that ended long ago."""
