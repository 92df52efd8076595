"""What telemetry tells the other services, by its outbox."""

import uuid
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.ids import new_id
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event
from services.telemetry.codec.companies import encode_erased

COMPANY_ERASED_SUBJECT = "events.telemetry.company_erased"


async def announce_erased(session: AsyncSession, company_id: uuid.UUID, now: datetime) -> None:
    """Store the event that tells that nothing of a company is left."""
    event_id = new_id()
    payload = encode_erased(event_id, company_id, now)
    await append_event(session, EventRecord(event_id, COMPANY_ERASED_SUBJECT, payload))
