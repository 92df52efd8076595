"""People are invited again, at most so often."""

import pytest

from services.chassis.identity import Role
from services.users.domain.errors import (
    InvitationThrottled,
    OwnAccount,
    RoleNotGrantable,
    UserDeactivated,
    UserDeleted,
    UserNotFound,
)
from tests.fixtures.users_fakes import INVITATION_INTERVAL, UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


async def test_an_invitation_is_asked_for_again(users: UsersOnFakes) -> None:
    """It makes a version, which is announced as a wish for an invitation, once."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    users.clock.now += INVITATION_INTERVAL

    invited = await users.usecases.resend_invitation(manager, driver.user_id)

    assert invited.version == driver.version + 1
    assert invited.invite_time > driver.invite_time
    assert users.transactions.users[driver.user_id] == invited
    assert (users.transactions.invited, users.transactions.announced) == ([invited], [])


async def test_invitations_do_not_follow_one_another_closely(users: UsersOnFakes) -> None:
    """Neither the first nor any other; who asks too soon is told when to come back."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    with pytest.raises(InvitationThrottled) as refusal:
        await users.usecases.resend_invitation(manager, driver.user_id)
    assert refusal.value.retry_after_s is not None
    assert 0 < refusal.value.retry_after_s <= INVITATION_INTERVAL.total_seconds()
    users.clock.now += INVITATION_INTERVAL
    await users.usecases.resend_invitation(manager, driver.user_id)

    with pytest.raises(InvitationThrottled):
        await users.usecases.resend_invitation(manager, driver.user_id)

    assert len(users.transactions.invited) == 1


async def test_only_those_with_access_are_invited(users: UsersOnFakes) -> None:
    """Not the deactivated, not the deleted."""
    driver, manager = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    users.clock.now += INVITATION_INTERVAL
    await users.usecases.deactivate_user(manager, driver.user_id)
    with pytest.raises(UserDeactivated) as refusal:
        await users.usecases.resend_invitation(manager, driver.user_id)
    assert refusal.value.metadata == {"user_id": str(driver.user_id)}

    await users.usecases.delete_user(manager, driver.user_id)

    with pytest.raises(UserDeleted):
        await users.usecases.resend_invitation(manager, driver.user_id)
    assert not users.transactions.invited


async def test_invitations_are_for_those_who_manage(users: UsersOnFakes) -> None:
    """Neither oneself, nor people whom one doesn't manage, nor strangers."""
    admin = await users.have(Role.COMPANY_ADMIN)
    foreign = await users.have(Role.DRIVER, users.foreign)
    users.clock.now += INVITATION_INTERVAL
    resend = users.usecases.resend_invitation

    with pytest.raises(OwnAccount):
        await resend(users.acting(Role.COMPANY_ADMIN, admin.user_id), admin.user_id)
    with pytest.raises(RoleNotGrantable):
        await resend(users.acting(Role.MANAGER), admin.user_id)
    with pytest.raises(UserNotFound):
        await resend(users.acting(Role.COMPANY_ADMIN), foreign.user_id)
