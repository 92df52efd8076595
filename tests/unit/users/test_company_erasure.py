"""Everybody of a company that is deleted is erased, once and for good."""

import uuid

import pytest

from services.chassis.identity import Role
from services.chassis.ids import new_id
from services.users.domain.companies import CompanyState
from services.users.domain.errors import CompanyNotFound
from services.users.usecases import erasing
from tests.fixtures.users_fakes import UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


async def erase(users: UsersOnFakes, company_id: uuid.UUID) -> None:
    """Hear of a deletion and carry it out."""
    assert await users.erase.follow(company_id, CompanyState.DELETING)
    while await users.erase():
        pass


async def test_everybody_of_the_company_is_purged(users: UsersOnFakes) -> None:
    """The deleted too; others and masters stay; each is announced without anything personal."""
    gone = [await users.have(Role.DRIVER), await users.have(Role.COMPANY_ADMIN)]
    stay = [await users.have(Role.DRIVER, users.foreign), await users.have(Role.MASTER)]
    await users.usecases.delete_user(users.acting(Role.MASTER), gone[0].user_id)

    await erase(users, users.own)

    assert list(users.transactions.users.values()) == stay
    purged = {user.user_id: user for user in users.transactions.purged}
    assert purged.keys() == {user.user_id for user in gone}
    assert {user.email for user in purged.values()} == {""}
    assert users.transactions.companies_erased == [users.own]


async def test_it_takes_as_many_transactions_as_it_needs(
    users: UsersOnFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each erases some people; whoever is stopped between them goes on where they were."""
    monkeypatch.setattr(erasing, "_BATCH_SIZE", 2)
    for _ in range(5):
        await users.have(Role.DRIVER)
    await users.erase.follow(users.own, CompanyState.DELETING)

    assert await users.erase()
    assert len(users.transactions.users) == 3
    assert not users.transactions.companies_erased
    # The announcement comes again: nothing begins anew.
    assert await users.erase.follow(users.own, CompanyState.DELETING)
    while await users.erase():
        pass

    assert len({user.user_id for user in users.transactions.purged}) == 5
    assert len(users.transactions.purged) == 5
    assert users.transactions.companies_erased == [users.own]


async def test_a_company_without_people_is_erased_at_once(users: UsersOnFakes) -> None:
    """There is nothing to erase, and that is said."""
    company_id = new_id()

    await erase(users, company_id)

    assert users.transactions.companies_erased == [company_id]


async def test_whoever_announces_it_again_is_told_again(users: UsersOnFakes) -> None:
    """The first answer may have got lost; the end of the deletion asks for none."""
    await erase(users, users.own)

    assert not await users.erase.follow(users.own, CompanyState.DELETING)
    assert not await users.erase.follow(users.own, CompanyState.DELETED)

    assert users.transactions.companies_erased == [users.own, users.own]


@pytest.mark.parametrize("state", [CompanyState.ACTIVE, CompanyState.SUSPENDED])
async def test_other_changes_erase_nothing(users: UsersOnFakes, state: CompanyState) -> None:
    """Only a deletion does."""
    driver = await users.have(Role.DRIVER)

    assert not await users.erase.follow(users.own, state)
    assert not await users.erase()

    assert list(users.transactions.users) == [driver.user_id]


async def test_nobody_is_added_any_more(users: UsersOnFakes) -> None:
    """Not even by a call that asked about the company just before; late news revives nothing."""
    driver = await users.have(Role.DRIVER)
    await users.usecases.delete_user(users.acting(Role.MASTER), driver.user_id)
    await users.erase.follow(users.own, CompanyState.DELETING)

    with pytest.raises(CompanyNotFound):
        await users.usecases.create_user(users.acting(Role.MASTER), users.new())
    with pytest.raises(CompanyNotFound):
        await users.usecases.undelete_user(users.acting(Role.MASTER), driver.user_id)
    await users.erase.follow(users.own, CompanyState.ACTIVE)
    with pytest.raises(CompanyNotFound):
        await users.usecases.create_user(users.acting(Role.MASTER), users.new())
