"""What auth hears from other services."""

from collections.abc import Callable

from services.auth import codec
from services.auth.codec.audit import decode_act
from services.auth.usecases import audit_sealing, companies, people
from services.auth.usecases.audit_sealing import SealAct
from services.auth.usecases.companies import ApplyCompanyChange
from services.auth.usecases.people import ApplyPersonChange
from services.chassis.audit.entries import acting, note_resource
from services.chassis.consumers import Event
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker

COMPANY_CHANGED_SUBJECT = "events.companies.changed"
USER_CHANGED_SUBJECT = "events.users.changed"
AUDIT_SUBJECT = "audit.*.recorded"


def people_consumer(
    messaging: Messaging, apply_change: ApplyPersonChange, on_applied: Callable[[], None]
) -> Worker:
    """Make the worker that follows what happens to people, and says when there may be mail."""

    async def on_user_changed(event: Event) -> None:
        change = codec.decode_user_changed(event.payload)
        with acting("auth", "FollowUser"):
            note_resource("user", change.user_id, change.company_id)
            await apply_change(change)
        on_applied()

    return messaging.consumer(people.CONSUMER, USER_CHANGED_SUBJECT, on_user_changed)


def companies_consumer(
    messaging: Messaging, apply_change: ApplyCompanyChange, on_applied: Callable[[], None]
) -> Worker:
    """Make the worker that follows what happens to companies, and says when to look after it."""

    async def on_company_changed(event: Event) -> None:
        change = codec.decode_company_changed(event.payload)
        with acting("auth", "FollowCompany"):
            note_resource("company", change.company_id, change.company_id)
            await apply_change(change)
        on_applied()

    return messaging.consumer(companies.CONSUMER, COMPANY_CHANGED_SUBJECT, on_company_changed)


def audit_consumer(messaging: Messaging, seal: SealAct) -> Worker:
    """Make the worker that seals what all services report, one record after the other."""

    async def on_recorded(event: Event) -> None:
        await seal(*decode_act(event.subject, event.payload))

    return messaging.consumer(audit_sealing.CONSUMER, AUDIT_SUBJECT, on_recorded)
