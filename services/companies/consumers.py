"""What companies hears from other services."""

from collections.abc import Callable

from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker
from services.companies.codec.events import decode_company_erased
from services.companies.usecases.deletions import NoteErased

CONSUMER = "companies-erasures"
COMPANY_ERASED_SUBJECTS = "events.*.company_erased"


def erasure_consumer(
    messaging: Messaging, note_erased: NoteErased, on_noted: Callable[[], None]
) -> Worker:
    """Make the worker that hears which service has erased which company.

    It needs no inbox: a report that comes twice is no news the second time.
    """

    async def on_company_erased(event: Event) -> None:
        # The subject says who speaks; NATS lets each service speak for itself alone.
        service = event.subject.split(".")[1]
        await note_erased(decode_company_erased(event.payload), service)
        on_noted()

    return messaging.consumer(CONSUMER, COMPANY_ERASED_SUBJECTS, on_company_erased)
