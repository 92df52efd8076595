"""How a company's people log in, for those who make dashboards of it."""

import uuid
from datetime import timedelta

from services.auth.domain.figures import FigureMoments, SecurityFigures
from services.auth.domain.tokens import Lifetimes
from services.auth.ports import Clock
from services.auth.ports.figures import FigureReader

_ACTIVE_WITHIN = timedelta(minutes=15)
_LAST_DAY = timedelta(days=1)


class GetSecurityFigures:
    """Counts sessions, accounts and failed logins of a company."""

    def __init__(self, reader: FigureReader, lifetimes: Lifetimes, clock: Clock) -> None:
        self._reader = reader
        self._lifetimes = lifetimes
        self._clock = clock

    async def __call__(self, company_id: uuid.UUID) -> SecurityFigures:
        """Count."""
        now = self._clock()
        moments = FigureMoments(
            now=now,
            used_since=now - self._lifetimes.refresh_token,
            active_since=now - _ACTIVE_WITHIN,
            opened_since=now - _LAST_DAY,
            failed_since=now - _LAST_DAY,
        )
        return await self._reader.read(company_id, moments)
