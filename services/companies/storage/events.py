"""Events in the outbox."""

from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.ids import new_id
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event
from services.companies.codec.events import encode_company_changed
from services.companies.domain.companies import Company

COMPANY_CHANGED_SUBJECT = "events.companies.changed"


class OutboxCompanyEvents:
    """Events that are stored with the change and published after the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def announce(self, company: Company) -> None:
        """Store the event that tells how a company stands."""
        event_id = new_id()
        payload = encode_company_changed(event_id, company)
        await append_event(self._session, EventRecord(event_id, COMPANY_CHANGED_SUBJECT, payload))
