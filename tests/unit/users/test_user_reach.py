"""Who may do what to whom."""

import uuid

import pytest

from services.chassis.errors import InvalidArgument
from services.chassis.identity import Role
from services.users.domain.errors import (
    CompanyNotFound,
    CompanyRequired,
    OwnAccount,
    RoleNotGrantable,
    UserNotFound,
)
from services.users.domain.lists import UserQuery
from services.users.domain.people import Status, UserEdit
from tests.fixtures.users_fakes import UsersOnFakes

# Rows: who acts. Columns: whom they may create, change and deactivate.
MANAGED = {
    Role.MASTER: {Role.MASTER, Role.COMPANY_ADMIN, Role.MANAGER, Role.DRIVER, Role.HELPER},
    Role.COMPANY_ADMIN: {Role.COMPANY_ADMIN, Role.MANAGER, Role.DRIVER, Role.HELPER},
    Role.MANAGER: {Role.DRIVER, Role.HELPER},
    Role.DRIVER: set(),
    Role.HELPER: set(),
}
ALLOWED = [(actor, role) for actor in Role for role in Role if role in MANAGED[actor]]
REFUSED = [(actor, role) for actor in Role for role in Role if role not in MANAGED[actor]]


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


@pytest.mark.parametrize(("actor", "role"), ALLOWED)
async def test_roles_create_those_whom_they_manage(
    users: UsersOnFakes, actor: Role, role: Role
) -> None:
    """A person whom the caller may manage is added, active, and announced once."""
    made = await users.usecases.create_user(users.acting(actor), users.new(role))

    assert users.transactions.users[made.user_id] == made
    assert (made.role, made.status, made.version) == (role, Status.ACTIVE, 1)
    assert users.transactions.announced == [made]


@pytest.mark.parametrize(("actor", "role"), REFUSED)
async def test_roles_do_not_create_others(users: UsersOnFakes, actor: Role, role: Role) -> None:
    """Nobody gives a role that is out of their hands, and the error says which."""
    with pytest.raises(RoleNotGrantable) as refusal:
        await users.usecases.create_user(users.acting(actor), users.new(role))

    assert refusal.value.metadata == {"role": role.value}
    assert not users.transactions.users


@pytest.mark.parametrize(("actor", "role"), ALLOWED)
async def test_roles_change_those_whom_they_manage(
    users: UsersOnFakes, actor: Role, role: Role
) -> None:
    """Whom one may create, one may rename, deactivate and reactivate."""
    user = await users.have(role)

    renamed = await users.usecases.update_user(
        users.acting(actor), user.user_id, UserEdit(display_name="Rui")
    )
    deactivated = await users.usecases.deactivate_user(users.acting(actor), user.user_id)
    reactivated = await users.usecases.reactivate_user(users.acting(actor), user.user_id)

    assert (renamed.display_name, renamed.version) == ("Rui", 2)
    assert (deactivated.status, deactivated.version) == (Status.DEACTIVATED, 3)
    assert (reactivated.status, reactivated.version) == (Status.ACTIVE, 4)
    assert users.transactions.announced == [renamed, deactivated, reactivated]


@pytest.mark.parametrize(
    ("actor", "role"), [pair for pair in REFUSED if pair[1] is not Role.MASTER]
)
async def test_roles_do_not_change_others(users: UsersOnFakes, actor: Role, role: Role) -> None:
    """Whom one may not create, one may neither rename nor decide about their access."""
    user = await users.have(role)

    with pytest.raises(RoleNotGrantable):
        await users.usecases.update_user(
            users.acting(actor), user.user_id, UserEdit(display_name="Rui")
        )
    with pytest.raises(RoleNotGrantable):
        await users.usecases.deactivate_user(users.acting(actor), user.user_id)
    with pytest.raises(RoleNotGrantable):
        await users.usecases.reactivate_user(users.acting(actor), user.user_id)

    assert users.transactions.users[user.user_id] == user
    assert not users.transactions.announced


async def test_masters_are_out_of_sight_for_companies(users: UsersOnFakes) -> None:
    """A company's administrator does not learn that a master's id exists."""
    master = await users.have(Role.MASTER)

    with pytest.raises(UserNotFound):
        await users.usecases.get_user(users.acting(Role.COMPANY_ADMIN), master.user_id)


async def test_managers_do_not_promote(users: UsersOnFakes) -> None:
    """Managing a driver does not include making them a manager."""
    driver = await users.have(Role.DRIVER)

    with pytest.raises(RoleNotGrantable):
        await users.usecases.update_user(
            users.acting(Role.MANAGER), driver.user_id, UserEdit(role=Role.MANAGER)
        )


@pytest.mark.parametrize("exists", [True, False])
async def test_foreign_companies_look_unknown(users: UsersOnFakes, *, exists: bool) -> None:
    """A foreign company answers as one that does not exist, and nobody is asked about either."""
    company_id = users.foreign if exists else uuid.uuid4()
    users.companies.away = True
    admin = users.acting(Role.COMPANY_ADMIN)

    with pytest.raises(CompanyNotFound) as creating:
        await users.usecases.create_user(admin, users.new(Role.DRIVER, company_id))
    with pytest.raises(CompanyNotFound) as listing:
        await users.usecases.list_users(
            admin, UserQuery(company_id=company_id), after=None, limit=10
        )

    expected = {"company_id": str(company_id)}
    assert creating.value.metadata == listing.value.metadata == expected


@pytest.mark.parametrize("actor", [Role.COMPANY_ADMIN, Role.MANAGER])
async def test_foreign_people_look_unknown(users: UsersOnFakes, actor: Role) -> None:
    """People of other companies answer as those who do not exist."""
    foreign, caller = await users.have(Role.DRIVER, users.foreign), users.acting(actor)

    for user_id in (foreign.user_id, uuid.uuid4()):
        for attempt in (
            users.usecases.get_user(caller, user_id),
            users.usecases.update_user(caller, user_id, UserEdit(display_name="Rui")),
            users.usecases.deactivate_user(caller, user_id),
            users.usecases.reactivate_user(caller, user_id),
        ):
            with pytest.raises(UserNotFound) as refusal:
                await attempt
            assert refusal.value.metadata == {"user_id": str(user_id)}


@pytest.mark.parametrize("role", Role)
async def test_everybody_sees_themselves(users: UsersOnFakes, role: Role) -> None:
    """The current user is whoever calls."""
    user = await users.have(role)

    assert await users.usecases.get_current_user(users.acting(role, user.user_id)) == user


async def test_masters_list_all_or_one_company(users: UsersOnFakes) -> None:
    """A master's list spans companies unless one is named."""
    own, foreign = await users.have(Role.DRIVER), await users.have(Role.DRIVER, users.foreign)
    master = users.acting(Role.MASTER)

    everybody = await users.usecases.list_users(master, UserQuery(), after=None, limit=10)
    one = await users.usecases.list_users(
        master, UserQuery(company_id=users.foreign), after=None, limit=10
    )

    assert everybody.users == [own, foreign]
    assert one.users == [foreign]


async def test_nobody_changes_their_own_role(users: UsersOnFakes) -> None:
    """One's own role and access are in somebody else's hands."""
    admin = await users.have(Role.COMPANY_ADMIN)
    caller = users.acting(Role.COMPANY_ADMIN, admin.user_id)

    with pytest.raises(OwnAccount):
        await users.usecases.update_user(caller, admin.user_id, UserEdit(role=Role.DRIVER))
    with pytest.raises(OwnAccount):
        await users.usecases.deactivate_user(caller, admin.user_id)
    with pytest.raises(OwnAccount):
        await users.usecases.reactivate_user(caller, admin.user_id)


async def test_people_rename_themselves(users: UsersOnFakes) -> None:
    """One's own name is one's own, and naming the role that one has changes nothing."""
    manager = await users.have(Role.MANAGER)

    renamed = await users.usecases.update_user(
        users.acting(Role.MANAGER, manager.user_id),
        manager.user_id,
        UserEdit(display_name="Rui", role=Role.MANAGER),
    )

    assert renamed.display_name == "Rui"


async def test_nobody_crosses_between_master_and_company(users: UsersOnFakes) -> None:
    """People of companies do not become masters, nor masters people of no company."""
    driver, master = await users.have(Role.DRIVER), await users.have(Role.MASTER)

    with pytest.raises(InvalidArgument):
        await users.usecases.update_user(
            users.acting(Role.MASTER), driver.user_id, UserEdit(role=Role.MASTER)
        )
    with pytest.raises(CompanyRequired):
        await users.usecases.update_user(
            users.acting(Role.MASTER), master.user_id, UserEdit(role=Role.DRIVER)
        )
