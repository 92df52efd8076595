"""What companies hears from other services."""

from collections.abc import Callable

from services.chassis.audit.entries import acting, note_resource
from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker
from services.companies.codec.events import decode_company_erased
from services.companies.codec.people import decode_person_change
from services.companies.usecases.deletions import NoteErased
from services.companies.usecases.people import CONSUMER as PEOPLE_CONSUMER
from services.companies.usecases.people import ApplyPersonChange

ERASURE_CONSUMER = "companies-erasures"
COMPANY_ERASED_SUBJECTS = "events.*.company_erased"
USER_CHANGED_SUBJECT = "events.users.changed"


def erasure_consumer(
    messaging: Messaging, note_erased: NoteErased, on_noted: Callable[[], None]
) -> Worker:
    """Make the worker that hears which service has erased which company.

    It needs no inbox: a report that comes twice is no news the second time.
    """

    async def on_company_erased(event: Event) -> None:
        # The subject says who speaks; NATS lets each service speak for itself alone.
        service = event.subject.split(".")[1]
        company_id = decode_company_erased(event.payload)
        with acting("companies", "NoteErased"):
            note_resource("company", company_id, company_id)
            await note_erased(company_id, service)
        on_noted()

    return messaging.consumer(ERASURE_CONSUMER, COMPANY_ERASED_SUBJECTS, on_company_erased)


def people_consumer(messaging: Messaging, apply_change: ApplyPersonChange) -> Worker:
    """Make the worker that follows what happens to people."""

    async def on_user_changed(event: Event) -> None:
        change = decode_person_change(event.payload)
        if change is not None:
            with acting("companies", "FollowUser"):
                note_resource("user", change.person.user_id, change.person.company_id)
                await apply_change(change)

    return messaging.consumer(PEOPLE_CONSUMER, USER_CHANGED_SUBJECT, on_user_changed)
