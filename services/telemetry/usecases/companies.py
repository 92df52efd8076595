"""Follows companies: what the database holds of them, and what uploads find in memory."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from services.telemetry.domain.batches import TimeWindow
from services.telemetry.domain.companies import CompanyFacts, CompanyStanding
from services.telemetry.ports.companies import CompanyHints, CompanyProjection
from services.telemetry.ports.general import Clock

_OVERLAP = timedelta(seconds=60)
"""For transactions that took long to commit, and clocks that differ."""


class CompaniesInMemory:
    """The companies of the devices whose facts are kept, one object each."""

    def __init__(
        self, widest: TimeWindow, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._widest = widest
        self._monotonic = monotonic
        # The facts about devices hold them: what no device needs any more goes by itself.
        self._known: WeakValueDictionary[uuid.UUID, CompanyFacts] = WeakValueDictionary()

    def __contains__(self, company_id: uuid.UUID) -> bool:
        """Tell whether uploads may need a company's facts."""
        return company_id in self._known

    def of(self, company_id: uuid.UUID, standing: CompanyStanding | None) -> CompanyFacts:
        """Return the facts about a company; one of which nothing is known is not limited."""
        facts = self._known.get(company_id)
        if facts is None:
            facts = CompanyFacts(company_id, self._widest)
            self._known[company_id] = facts
        if standing is not None:
            self._follow(facts, standing)
        return facts

    def follow(self, standing: CompanyStanding) -> None:
        """Take in how a company stands, if anybody needs to know."""
        facts = self._known.get(standing.company_id)
        if facts is not None:
            self._follow(facts, standing)

    def _follow(self, facts: CompanyFacts, standing: CompanyStanding) -> None:
        facts.follow(standing, self._widest, self._monotonic())


class FollowCompanies:
    """Brings the projection up to what companies says, and the memory up to the projection."""

    def __init__(
        self,
        projection: CompanyProjection,
        memory: CompaniesInMemory,
        hints: CompanyHints,
        clock: Clock,
    ) -> None:
        self._projection = projection
        self._memory = memory
        self._hints = hints
        self._clock = clock
        self._looked_at: datetime | None = None

    async def take_in(self, standing: CompanyStanding) -> bool:
        """Hear how a company stands; tell whether there is something to be erased now."""
        if await self._projection.apply(standing, self._clock()):
            self._memory.follow(standing)
            await self._hints.announce(standing.company_id)
        return standing.state.gone

    async def look_at(self, company_id: uuid.UUID) -> None:
        """Read how a company stands, since another replica was told of a change."""
        if company_id in self._memory:
            standing = await self._projection.find(company_id)
            if standing is not None:
                self._memory.follow(standing)

    async def catch_up(self) -> None:
        """Read what changed since the last time, for hints that got lost."""
        now = self._clock()
        for standing in await self._projection.changed_since((self._looked_at or now) - _OVERLAP):
            self._memory.follow(standing)
        self._looked_at = now
