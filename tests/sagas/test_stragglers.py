"""What comes late, or again, brings nothing of a deleted company back."""

import uuid
from collections.abc import Iterator

import pytest

from tests.fixtures.event_stream import StoredEvent
from tests.fixtures.shutting_out import RealServices
from tests.fixtures.system import System
from tests.sagas.deletions import (
    assert_complete,
    assert_deleted,
    assert_forgotten,
    delete,
    look_at,
)
from tests.sagas.tenants import Tenant, new_tenant
from tests.sagas.traces import Contents, contents_of, traces_of

pytestmark = pytest.mark.timeout(120)


def as_news(events: list[StoredEvent]) -> Iterator[StoredEvent]:
    """Make of each event one that nobody has heard yet."""
    for event in events:
        message = event.message
        message.event_id = str(uuid.uuid4())
        yield StoredEvent(event.subject, message.SerializeToString())


def overtaken(events: list[StoredEvent]) -> Iterator[StoredEvent]:
    """Make the news of people that were under way when the end overtook them."""
    for event in as_news(events):
        if event.subject == "events.users.changed" and not event.message.purged:
            message = event.message
            message.version += 100
            yield StoredEvent(event.subject, message.SerializeToString())


def test_old_events_bring_nothing_back(
    system: System, services: RealServices, neighbour: tuple[Tenant, Contents]
) -> None:
    """All that was ever told of a company comes again, as it was, as news, and as later news."""
    tenant = new_tenant(services)
    services.suspend(tenant.company_id)
    delete(services, tenant.company_id)
    assert_deleted(system, services, tenant, neighbour)
    end = look_at(services, tenant.company_id)
    events = list(system.events.about(tenant.company_id))
    assert {event.subject for event in events} == {
        "events.auth.company_erased",
        "events.companies.changed",
        "events.companies.vehicle_changed",
        "events.telemetry.company_erased",
        "events.users.changed",
        "events.users.company_erased",
    }

    for again in (events, list(as_news(events)), list(overtaken(events))):
        system.events.repeat(again)
        system.settle()
        assert traces_of(system.databases, tenant) == {}

    assert_complete(services, tenant)
    assert_forgotten(services, tenant)
    assert look_at(services, tenant.company_id) == end
    other, contents = neighbour
    assert contents_of(system.databases, other) == contents
