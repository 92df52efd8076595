"""What the use cases need of stored numbers."""

import uuid
from typing import Protocol

from services.auth.domain.figures import FigureMoments, SecurityFigures


class FigureReader(Protocol):
    """Counts how people log in."""

    async def read(self, company_id: uuid.UUID, moments: FigureMoments) -> SecurityFigures:
        """Count what there is of one company: nothing if nobody knows it."""
