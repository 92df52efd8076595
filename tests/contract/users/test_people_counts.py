"""How many people a company has, in memory and in PostgreSQL alike."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from services.chassis.identity import Role, TenantScope
from services.chassis.ids import new_id
from services.users.domain.people import NewUser, PeopleCount, Status, User
from services.users.ports import Transactions

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def person(company_id: uuid.UUID, role: Role) -> User:
    """Make a person."""
    new = NewUser(f"{uuid.uuid4().hex}@example.com", "Ana", role, company_id)
    return User.create(new, user_id=new_id(), now=NOW)


async def test_people_are_counted_by_role_and_status(transactions: Transactions) -> None:
    """Deleted people and those of other companies don't count."""
    own, foreign = new_id(), new_id()
    driver = person(own, Role.DRIVER)
    everybody = [
        driver,
        person(own, Role.DRIVER),
        replace(person(own, Role.DRIVER), status=Status.DEACTIVATED),
        person(own, Role.MANAGER),
        replace(person(own, Role.MANAGER), delete_time=NOW, purge_time=NOW),
        person(foreign, Role.DRIVER),
    ]
    async with transactions.begin() as work:
        for one in everybody:
            await work.users.add(TenantScope.everything(), one)

    async with transactions.begin() as work:
        assert await work.users.count_people(TenantScope.company(own)) == [
            PeopleCount(Role.DRIVER, Status.ACTIVE, 2),
            PeopleCount(Role.DRIVER, Status.DEACTIVATED, 1),
            PeopleCount(Role.MANAGER, Status.ACTIVE, 1),
        ]
        assert await work.users.count_people(TenantScope.company(new_id())) == []
