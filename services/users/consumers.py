"""What users hears from other services."""

import asyncio

from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker
from services.users import codec
from services.users.usecases.erasing import EraseCompanies

CONSUMER = "users-companies-changed"
COMPANY_CHANGED_SUBJECT = "events.companies.changed"


def companies_consumer(messaging: Messaging, erase: EraseCompanies, due: asyncio.Event) -> Worker:
    """Make the worker that follows companies, and says when there are people to be erased."""

    async def on_company_changed(event: Event) -> None:
        if await erase.follow(*codec.decode_company_changed(event.payload)):
            due.set()

    return messaging.consumer(CONSUMER, COMPANY_CHANGED_SUBJECT, on_company_changed)
