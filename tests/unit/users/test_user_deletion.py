"""People are deleted, had back, and purged."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.identity import Role
from services.users.domain.errors import (
    EmailTaken,
    FirstMasterKept,
    OwnAccount,
    RoleNotGrantable,
    UserDeleted,
    UserNotFound,
)
from services.users.domain.lists import UserQuery
from services.users.domain.people import Status, UserEdit
from services.users.usecases.people import FIRST_MASTER_ID
from tests.fixtures.users_fakes import DELETED_KEPT, UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


async def test_the_deleted_have_no_access_and_are_not_listed(users: UsersOnFakes) -> None:
    """They are announced without access, read by id, and listed for whoever asks for them."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)

    deleted = await users.usecases.delete_user(manager, driver.user_id)

    assert deleted.delete_time is not None
    assert deleted.purge_time == deleted.delete_time + DELETED_KEPT
    assert (deleted.status, deleted.has_access, deleted.version) == (Status.ACTIVE, False, 2)
    assert users.transactions.announced == [deleted]
    assert await users.usecases.get_user(manager, driver.user_id) == deleted
    usual = await users.usecases.list_users(manager, UserQuery(), after=None, limit=10)
    whole = await users.usecases.list_users(
        manager, UserQuery(show_deleted=True), after=None, limit=10
    )
    assert (usual.users, whole.users) == ([], [deleted])


async def test_deleting_again_changes_nothing(users: UsersOnFakes) -> None:
    """The time that is left does not begin anew."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    first = await users.usecases.delete_user(manager, driver.user_id)

    assert await users.usecases.delete_user(manager, driver.user_id) == first
    assert users.transactions.announced == [first]


@pytest.mark.parametrize("status", Status)
async def test_the_undeleted_are_as_they_were(users: UsersOnFakes, status: Status) -> None:
    """Who was deactivated before is so afterwards."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    if status is Status.DEACTIVATED:
        driver = await users.usecases.deactivate_user(manager, driver.user_id)
    await users.usecases.delete_user(manager, driver.user_id)

    back = await users.usecases.undelete_user(manager, driver.user_id)

    assert (back.status, back.delete_time, back.purge_time) == (status, None, None)
    assert back.has_access is (status is Status.ACTIVE)
    assert back.version == driver.version + 2
    assert await users.usecases.undelete_user(manager, driver.user_id) == back
    assert users.transactions.announced[-1] == back


async def test_nothing_else_happens_to_the_deleted(users: UsersOnFakes) -> None:
    """Whoever wants to change them undeletes them first."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    deleted = await users.usecases.delete_user(manager, driver.user_id)

    for attempt in (
        users.usecases.update_user(manager, driver.user_id, UserEdit(display_name="Rui")),
        users.usecases.update_current_user(
            users.acting(Role.DRIVER, driver.user_id), UserEdit(display_name="Rui")
        ),
        users.usecases.deactivate_user(manager, driver.user_id),
        users.usecases.reactivate_user(manager, driver.user_id),
    ):
        with pytest.raises(UserDeleted) as refusal:
            await attempt
        assert refusal.value.metadata == {"user_id": str(driver.user_id)}
    assert users.transactions.users[driver.user_id] == deleted


async def test_deletion_is_for_those_who_manage(users: UsersOnFakes) -> None:
    """Neither oneself, nor people whom one doesn't manage, nor strangers."""
    admin = await users.have(Role.COMPANY_ADMIN)
    foreign = await users.have(Role.DRIVER, users.foreign)
    for action in (users.usecases.delete_user, users.usecases.undelete_user):
        with pytest.raises(OwnAccount):
            await action(users.acting(Role.COMPANY_ADMIN, admin.user_id), admin.user_id)
        with pytest.raises(RoleNotGrantable):
            await action(users.acting(Role.MANAGER), admin.user_id)
        with pytest.raises(UserNotFound):
            await action(users.acting(Role.COMPANY_ADMIN), foreign.user_id)


async def test_the_first_master_is_not_deleted(users: UsersOnFakes) -> None:
    """The next start would add them again, with the first password."""
    await users.usecases.ensure_first_master("root@example.com")

    with pytest.raises(FirstMasterKept):
        await users.usecases.delete_user(users.acting(Role.MASTER), FIRST_MASTER_ID)


async def test_purging_erases_and_says_so(users: UsersOnFakes) -> None:
    """Nothing personal is left or announced, and the address is free again."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    deleted = await users.usecases.delete_user(manager, driver.user_id)

    async def add_again() -> None:
        await users.usecases.create_user(manager, replace(users.new(), email=driver.email))

    users.clock.now += DELETED_KEPT - timedelta(minutes=1)
    assert await users.purge() == 0
    with pytest.raises(EmailTaken):
        await add_again()
    users.clock.now += timedelta(minutes=1)
    with pytest.raises(UserNotFound):
        await users.usecases.undelete_user(manager, driver.user_id)

    assert await users.purge() == 1

    assert driver.user_id not in users.transactions.users
    (last,) = users.transactions.purged
    assert (last.user_id, last.version) == (driver.user_id, deleted.version + 1)
    assert (last.email, last.display_name, last.phone_number) == ("", "", "")
    assert not last.has_access
    assert await users.purge() == 0
    await add_again()


async def test_everybody_is_purged_by_themselves(users: UsersOnFakes) -> None:
    """However many are due, a transaction erases one, so that its record can name them."""
    manager = users.acting(Role.MANAGER)
    for _ in range(2):
        driver = await users.have(Role.DRIVER)
        await users.usecases.delete_user(manager, driver.user_id)
    users.clock.now += DELETED_KEPT

    assert [await users.purge() for _ in range(3)] == [1, 1, 0]
