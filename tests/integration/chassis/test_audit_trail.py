"""Records of acts, in the transaction of the change or not at all."""

from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa
from dashtrack.audit.v1.audit_events_pb2 import AuditRecorded
from opentelemetry.trace import NoOpTracer
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.chassis.audit.entries import (
    Entry,
    acting,
    begin,
    note_account,
    note_refusal,
    note_resource,
)
from services.chassis.audit.trail import AuditTrail
from services.chassis.database import Database
from services.chassis.errors import EditConflict
from services.chassis.identity import Caller, CallerKind, Role
from services.chassis.ids import new_id
from services.chassis.messaging import Event, Messaging
from services.chassis.outbox import OutboxRelay
from tests.fixtures.nats import NatsServer
from tests.integration.chassis.kettle import KettleSettings
from tests.integration.chassis.waiting import until, until_available, working

BOIL = sa.text("INSERT INTO kettles VALUES (:name, 1)")
COMPANY = new_id()
MANAGER = Caller(CallerKind.USER, str(new_id()), Role.MANAGER, COMPANY, None, 0)


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    """The trail of the kettle service, to which the inbox alone is accounting."""
    trail = AuditTrail("kettle", database, CollectorRegistry())
    trail.install(frozenset({"attempts"}))
    return trail


@pytest.fixture
async def messaging(
    kettle: KettleSettings, untouched_nats_server: NatsServer
) -> AsyncIterator[Messaging]:
    """A connection to a server of its own: a work queue takes one consumer for a subject."""
    server = untouched_nats_server
    login = {"nats_user": server.user, "nats_password": SecretStr(server.password)}
    settings = kettle.model_copy(update={"nats_url": server.url, **login})
    messaging = Messaging(settings, "kettle", NoOpTracer())
    messaging.start()
    yield messaging
    await messaging.close()


async def recorded(database: Database) -> Sequence[AuditRecorded]:
    """Read what waits to be published."""
    async with database.transaction() as session:
        rows = await session.execute(
            sa.text("SELECT payload FROM outbox WHERE subject LIKE 'audit.%' ORDER BY position")
        )
        return [AuditRecorded.FromString(row.payload) for row in rows]


async def boil(database: Database, name: str = "copper") -> None:
    """Change something."""
    async with database.transaction() as session:
        await session.execute(BOIL, {"name": name})


async def boil_over(database: Database) -> None:
    """Change something, and fail before the commit."""
    async with database.transaction() as session:
        await session.execute(BOIL, {"name": "steel"})
        raise ZeroDivisionError


async def test_a_change_commits_with_its_record(database: Database, trail: AuditTrail) -> None:
    """One record, with what is known of caller and thing."""
    assert trail is not None
    kettle_id = new_id()
    begin(Entry("kettles.KettleService/Boil", actor=MANAGER, trace_id="ab", address="192.0.2.1"))
    async with database.transaction() as session:
        note_resource("kettle", kettle_id)
        await session.execute(BOIL, {"name": "copper"})

    (record,) = await recorded(database)

    assert record.action == "kettles.KettleService/Boil"
    assert (record.actor_id, record.actor_role) == (MANAGER.subject, "manager")
    assert record.company_id == record.actor_company_id == str(COMPANY)
    assert (record.resource_type, record.resource_id) == ("kettle", str(kettle_id))
    assert (record.outcome, record.trace_id, record.address) == ("OK", "ab", "192.0.2.1")


async def test_later_changes_of_the_same_call_add_nothing(
    database: Database, trail: AuditTrail
) -> None:
    """A call is one act, however many transactions it takes."""
    assert trail is not None
    begin(Entry("kettles.KettleService/Boil", actor=MANAGER))

    await boil(database, "copper")
    await boil(database, "steel")

    assert len(await recorded(database)) == 1


async def test_what_is_rolled_back_leaves_nothing(database: Database, trail: AuditTrail) -> None:
    """Neither a raise nor a constraint that fails leaves a record of what didn't happen."""
    assert trail is not None
    await boil(database)
    begin(Entry("kettles.KettleService/Boil", actor=MANAGER))
    with pytest.raises(ZeroDivisionError):
        await boil_over(database)
    taken = {"kettles_name_key": lambda: EditConflict("taken")}
    with pytest.raises(EditConflict):
        async with database.transaction(constraints=taken) as session:
            await session.execute(BOIL, {"name": "copper"})

    assert await recorded(database) == []


async def test_reading_and_locking_are_no_changes(database: Database, trail: AuditTrail) -> None:
    """Neither a query nor a row lock is an act."""
    assert trail is not None
    await boil(database)
    begin(Entry("kettles.KettleService/Look", actor=MANAGER))
    async with database.transaction() as session:
        await session.execute(sa.text("SELECT * FROM kettles FOR UPDATE"))

    assert await recorded(database) == []


async def test_a_refusal_that_commits_is_recorded_as_one(
    database: Database, trail: AuditTrail
) -> None:
    """What a refused call leaves behind says that it was refused, once."""
    entry = Entry("kettles.KettleService/Boil", actor=MANAGER)
    begin(entry)
    async with database.transaction() as session:
        note_refusal("EDIT_CONFLICT")
        await session.execute(BOIL, {"name": "copper"})
    await trail.record_refusal(entry, EditConflict("twice"))

    assert [record.outcome for record in await recorded(database)] == ["EDIT_CONFLICT"]


async def test_strangers_are_somebody_only_when_it_turns_out_well(
    database: Database, trail: AuditTrail
) -> None:
    """Whose account was tried is the thing; who did it is known after the proof."""
    entry = Entry("kettles.KettleService/Login")
    begin(entry)
    user_id = new_id()
    note_account(user_id, Role.DRIVER, COMPANY)
    await trail.record_refusal(entry, EditConflict("wrong"))
    begin(Entry("kettles.KettleService/Login"))
    note_account(user_id, Role.DRIVER, COMPANY)
    await boil(database)

    refused, succeeded = await recorded(database)

    assert (refused.actor_kind, refused.actor_id) == ("anonymous", "")
    assert (succeeded.actor_kind, succeeded.actor_id) == ("user", str(user_id))
    assert refused.resource_id == succeeded.resource_id == str(user_id)
    assert refused.company_id == succeeded.company_id == str(COMPANY)


async def test_what_the_service_does_by_itself_has_the_service_as_actor(
    database: Database, trail: AuditTrail
) -> None:
    """Background work is recorded if it changed something, and only within its block."""
    assert trail is not None
    with acting("kettle", "Descale"):
        pass
    with acting("kettle", "Descale"):
        await boil(database)
    await boil(database, "steel")

    (record,) = await recorded(database)

    assert record.action == "kettle.background/Descale"
    assert (record.actor_kind, record.actor_id) == ("service", "kettle")


@pytest.mark.parametrize(
    ("kind", "outcome", "with_the_company"),
    [
        (CallerKind.SERVICE, "PERMISSION_DENIED", True),
        (CallerKind.USER, "OK", True),
        (CallerKind.API_KEY, "OK", True),
        (CallerKind.USER, "COMPANY_NOT_FOUND", False),
        (CallerKind.ANONYMOUS, "OK", False),
    ],
)
def test_a_company_that_is_only_named_counts_if_who_names_it_knows(
    kind: CallerKind, outcome: str, *, with_the_company: bool
) -> None:
    """Services know; operators do once it came out well; strangers never do."""
    entry = Entry("kettles.KettleService/Boil", Caller(kind, "x", None, None, None, 0))
    entry.asked_company_id, entry.outcome = COMPANY, outcome

    assert entry.log_of == (COMPANY if with_the_company else None)


async def test_members_write_in_their_own_log_alone(database: Database, trail: AuditTrail) -> None:
    """Naming another company doesn't get a record into its log."""
    entry = Entry("kettles.KettleService/Boil", actor=MANAGER)
    entry.asked_company_id = entry.company_id = new_id()
    await trail.record(entry)

    (record,) = await recorded(database)

    assert record.company_id == str(COMPANY)


async def test_a_record_survives_a_crash_before_and_after_publishing(
    database: Database, trail: AuditTrail, messaging: Messaging
) -> None:
    """Committed before a crash it is published by whoever comes next, and counts once."""
    assert trail is not None
    taken: list[Event] = []

    async def take(event: Event) -> None:
        taken.append(event)

    begin(Entry("kettles.KettleService/Boil", actor=MANAGER))
    await boil(database)
    # The process dies here; another one finds the row, publishes it, and dies before it says so.
    relay = OutboxRelay(database, messaging)
    await until_available(relay.publish_batch)
    async with database.transaction() as session:
        await session.execute(sa.text("UPDATE outbox SET published_at = NULL"))
    await relay.publish_batch()
    async with working(messaging.consumer("kettle-audit", "audit.kettle.recorded", take)):
        await until(lambda: bool(taken))

    (record,) = await recorded(database)
    assert [str(event.event_id) for event in taken] == [record.event_id]
