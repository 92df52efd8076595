"""What is announced commits with the change that it tells of, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from dashtrack.users.v1.user_events_pb2 import UserChanged
from sqlmodel import select

from services.chassis.database import Database
from services.chassis.identity import Role
from services.chassis.ids import new_id
from services.users.domain.people import NewUser, User
from services.users.ports import Transactions
from services.users.storage.tables import OUTBOX
from tests.fixtures.users_fakes import FakeTransactions

Announced = tuple[str, int]
DAY = timedelta(days=1)


async def announced(transactions: Transactions, request: pytest.FixtureRequest) -> set[Announced]:
    """Read who was announced, and at which version, from wherever the adapter keeps it."""
    if isinstance(transactions, FakeTransactions):
        told = [*transactions.announced, *transactions.invited, *transactions.purged]
        return {(str(user.user_id), user.version) for user in told}
    database: Database = request.getfixturevalue("database")
    async with database.transaction() as session:
        rows = (await session.exec(select(OUTBOX.c.subject, OUTBOX.c.payload))).all()
    assert {subject for subject, _ in rows} <= {"events.users.changed"}
    events = [UserChanged.FromString(payload) for _, payload in rows]
    return {(event.user_id, event.version) for event in events}


@pytest.mark.parametrize("commits", [True, False])
async def test_events_share_the_fate_of_the_change(
    transactions: Transactions, request: pytest.FixtureRequest, *, commits: bool
) -> None:
    """An event is kept exactly if its transaction commits."""
    new = NewUser(f"{new_id()}@example.com", "Ana", Role.MASTER, None)
    user = User.create(new, user_id=new_id(), now=datetime.now(UTC))

    async def change() -> None:
        async with transactions.begin() as work:
            await work.events.announce(user)
            again = user.invited_again(user.invite_time + DAY, DAY)
            await work.events.announce_invited(again)
            await work.events.announce_purged(again.purged(datetime.now(UTC)))
            if not commits:
                raise RuntimeError("half way")

    if commits:
        await change()
    else:
        with pytest.raises(RuntimeError, match="half way"):
            await change()

    found = await announced(transactions, request)
    for version in (1, 2, 3):
        assert ((str(user.user_id), version) in found) is commits
