"""How many people a company may have, and who is added to one that stands still: nobody."""

import asyncio
from dataclasses import replace

import pytest

from services.chassis.errors import EditConflict, QuotaExceeded
from services.chassis.identity import Role
from services.chassis.ids import new_id
from services.users.domain.companies import CompanyState
from services.users.domain.errors import CompanyNotFound, CompanySuspended
from services.users.domain.people import User
from tests.fixtures.users_fakes import UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """Two companies, of which the own one may have two people."""
    users = UsersOnFakes()
    users.companies.users_max[users.own] = 2
    return users


async def test_no_more_people_are_added_than_the_plan_allows(users: UsersOnFakes) -> None:
    """The third is refused with the facts, whoever adds them."""
    await users.have(Role.DRIVER)
    await users.have(Role.MANAGER)

    for role in (Role.MANAGER, Role.MASTER):
        with pytest.raises(QuotaExceeded) as refusal:
            await users.usecases.create_user(users.acting(role), users.new())

    assert refusal.value.metadata == {"quota": "users", "limit": "2", "used": "2"}


async def test_people_of_others_and_masters_do_not_count(users: UsersOnFakes) -> None:
    """A quota is a company's own."""
    for _ in range(3):
        await users.have(Role.DRIVER, users.foreign)
        await users.have(Role.MASTER)

    assert (await users.have(Role.DRIVER)).company_id == users.own


async def test_the_deleted_make_room_and_the_deactivated_do_not(users: UsersOnFakes) -> None:
    """Who can be had back by one call is still there; who is deleted is not."""
    first, second = await users.have(Role.DRIVER), await users.have(Role.DRIVER)
    manager = users.acting(Role.MANAGER)
    await users.usecases.deactivate_user(manager, first.user_id)
    with pytest.raises(QuotaExceeded):
        await users.have(Role.DRIVER)

    await users.usecases.delete_user(manager, second.user_id)

    assert (await users.have(Role.DRIVER)).company_id == users.own


async def test_undeleting_needs_room(users: UsersOnFakes) -> None:
    """Whoever comes back counts again; who was never gone is not counted twice."""
    manager, gone = users.acting(Role.MANAGER), await users.have(Role.DRIVER)
    await users.usecases.delete_user(manager, gone.user_id)
    there = [await users.have(Role.DRIVER), await users.have(Role.DRIVER)]

    with pytest.raises(QuotaExceeded):
        await users.usecases.undelete_user(manager, gone.user_id)
    assert await users.usecases.undelete_user(manager, there[0].user_id) == there[0]

    await users.usecases.delete_user(manager, there[1].user_id)
    assert (await users.usecases.undelete_user(manager, gone.user_id)).delete_time is None


async def test_undeleting_who_was_deleted_a_moment_ago_is_a_conflict(users: UsersOnFakes) -> None:
    """Room was not asked for when the person was still there."""
    manager, driver = users.acting(Role.MANAGER), await users.have(Role.DRIVER)
    gone = await users.usecases.delete_user(manager, driver.user_id)
    users.transactions.users[driver.user_id] = driver
    begin = users.transactions.begin
    opened = 0

    def begin_after_deletion() -> object:
        nonlocal opened
        opened += 1
        if opened == 2:
            users.transactions.users[driver.user_id] = gone
        return begin()

    users.transactions.begin = begin_after_deletion  # type: ignore[method-assign, assignment]

    with pytest.raises(EditConflict):
        await users.usecases.undelete_user(manager, driver.user_id)


async def test_a_repeated_request_finds_its_person_in_a_full_company(users: UsersOnFakes) -> None:
    """A retry adds nobody, so that no quota stands in its way, nor a suspension."""
    manager, wanted = users.acting(Role.MANAGER), replace(users.new(), request_id=new_id())
    made = await users.usecases.create_user(manager, wanted)
    await users.have(Role.DRIVER)
    users.companies.states[users.own] = CompanyState.SUSPENDED

    assert await users.usecases.create_user(manager, wanted) == made


async def test_simultaneous_creations_share_the_room_there_is(users: UsersOnFakes) -> None:
    """Exactly as many succeed as there is room for."""
    caller = users.acting(Role.MANAGER)

    outcomes = await asyncio.gather(
        *(users.usecases.create_user(caller, users.new()) for _ in range(6)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, User) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 4


async def test_without_a_limit_there_is_none(users: UsersOnFakes) -> None:
    """A quota of zero is no quota."""
    users.companies.users_max[users.own] = 0

    for _ in range(5):
        await users.have(Role.DRIVER)


@pytest.mark.parametrize("role", [Role.MASTER, Role.COMPANY_ADMIN, Role.MANAGER])
async def test_a_suspended_company_gets_nobody(users: UsersOnFakes, role: Role) -> None:
    """Neither a new person nor one who was deleted, and not by a master either."""
    gone = await users.have(Role.DRIVER)
    caller = users.acting(role)
    await users.usecases.delete_user(caller, gone.user_id)
    users.companies.states[users.own] = CompanyState.SUSPENDED

    with pytest.raises(CompanySuspended):
        await users.usecases.create_user(caller, users.new())
    with pytest.raises(CompanySuspended):
        await users.usecases.undelete_user(caller, gone.user_id)


@pytest.mark.parametrize("state", [CompanyState.DELETING, CompanyState.DELETED])
async def test_a_company_that_goes_is_not_found(users: UsersOnFakes, state: CompanyState) -> None:
    """From the beginning of its deletion on."""
    users.companies.states[users.own] = state

    with pytest.raises(CompanyNotFound):
        await users.usecases.create_user(users.acting(Role.MASTER), users.new())
