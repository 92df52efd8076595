"""What companies hears from other services."""

from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker
from services.companies.codec.people import decode_person_change
from services.companies.usecases.people import CONSUMER as PEOPLE_CONSUMER
from services.companies.usecases.people import ApplyPersonChange

USER_CHANGED_SUBJECT = "events.users.changed"


def people_consumer(messaging: Messaging, apply_change: ApplyPersonChange) -> Worker:
    """Make the worker that follows what happens to people."""

    async def on_user_changed(event: Event) -> None:
        change = decode_person_change(event.payload)
        if change is not None:
            await apply_change(change)

    return messaging.consumer(PEOPLE_CONSUMER, USER_CHANGED_SUBJECT, on_user_changed)
