"""What auth hears from other services."""

from collections.abc import Callable

from services.auth import codec
from services.auth.usecases import companies, people
from services.auth.usecases.companies import ApplyCompanyChange
from services.auth.usecases.people import ApplyPersonChange
from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker

COMPANY_CHANGED_SUBJECT = "events.companies.changed"
USER_CHANGED_SUBJECT = "events.users.changed"


def people_consumer(
    messaging: Messaging, apply_change: ApplyPersonChange, on_applied: Callable[[], None]
) -> Worker:
    """Make the worker that follows what happens to people, and says when there may be mail."""

    async def on_user_changed(event: Event) -> None:
        await apply_change(codec.decode_user_changed(event.payload))
        on_applied()

    return messaging.consumer(people.CONSUMER, USER_CHANGED_SUBJECT, on_user_changed)


def companies_consumer(
    messaging: Messaging, apply_change: ApplyCompanyChange, on_applied: Callable[[], None]
) -> Worker:
    """Make the worker that follows what happens to companies, and says when to look after it."""

    async def on_company_changed(event: Event) -> None:
        await apply_change(codec.decode_company_changed(event.payload))
        on_applied()

    return messaging.consumer(companies.CONSUMER, COMPANY_CHANGED_SUBJECT, on_company_changed)
