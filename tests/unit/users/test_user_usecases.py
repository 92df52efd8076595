"""What can be done with people, and what it leaves behind."""

import uuid
from dataclasses import replace

import pytest

from services.chassis.errors import (
    EditConflict,
    InvalidArgument,
    RequestIdReused,
    Unavailable,
    UpdateMaskInvalid,
)
from services.chassis.identity import Role
from services.users.domain.errors import CompanyNotFound, CompanyRequired, EmailTaken
from services.users.domain.people import UserEdit
from services.users.usecases.people import FIRST_MASTER_ID
from tests.fixtures.users_fakes import UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


async def test_company_defaults_to_the_callers(users: UsersOnFakes) -> None:
    """Whoever names no company means their own."""
    made = await users.usecases.create_user(
        users.acting(Role.MANAGER), replace(users.new(), company_id=None)
    )

    assert made.company_id == users.own


async def test_masters_name_the_company(users: UsersOnFakes) -> None:
    """A master has no company that could be meant."""
    with pytest.raises(CompanyRequired):
        await users.usecases.create_user(
            users.acting(Role.MASTER), replace(users.new(), company_id=None)
        )


async def test_masters_belong_to_no_company(users: UsersOnFakes) -> None:
    """A master with a company is a contradiction that the request is refused for."""
    wanted = replace(users.new(Role.MASTER), company_id=users.own)

    with pytest.raises(InvalidArgument) as refusal:
        await users.usecases.create_user(users.acting(Role.MASTER), wanted)

    assert [violation.field for violation in refusal.value.violations] == ["user.company_id"]


async def test_unknown_companies_are_refused(users: UsersOnFakes) -> None:
    """Not even a master adds people to a company that does not exist."""
    with pytest.raises(CompanyNotFound):
        await users.usecases.create_user(
            users.acting(Role.MASTER), users.new(Role.DRIVER, uuid.uuid4())
        )


async def test_creation_waits_for_the_directory(users: UsersOnFakes) -> None:
    """While companies does not answer, nobody is added."""
    users.companies.away = True

    with pytest.raises(Unavailable):
        await users.usecases.create_user(users.acting(Role.MANAGER), users.new())

    assert not users.transactions.users


async def test_emails_are_unique_in_any_case(users: UsersOnFakes) -> None:
    """Capital letters do not make another address."""
    first = await users.usecases.create_user(users.acting(Role.MASTER), users.new())

    with pytest.raises(EmailTaken):
        await users.usecases.create_user(
            users.acting(Role.MASTER), replace(users.new(), email=first.email.upper())
        )


@pytest.mark.parametrize("display_name", ["", "   ", "a" * 101, "a\x00b", "line\nbreak"])
async def test_names_are_checked(users: UsersOnFakes, display_name: str) -> None:
    """A name that cannot be shown, or stored, is the caller's mistake."""
    with pytest.raises(InvalidArgument) as refusal:
        await users.usecases.create_user(
            users.acting(Role.MASTER), replace(users.new(), display_name=display_name)
        )

    assert [violation.field for violation in refusal.value.violations] == ["user.display_name"]


async def test_repeated_requests_make_one_person(users: UsersOnFakes) -> None:
    """A retry returns the person as they stand now, and announces nothing."""
    caller, wanted = users.acting(Role.MANAGER), replace(users.new(), request_id=uuid.uuid4())
    first = await users.usecases.create_user(caller, wanted)
    renamed = await users.usecases.update_user(caller, first.user_id, UserEdit(display_name="Rui"))

    again = await users.usecases.create_user(caller, wanted)

    assert again == renamed
    assert users.transactions.announced == [first, renamed]


async def test_request_ids_are_not_reused(users: UsersOnFakes) -> None:
    """The same id with other content is a mistake of the client's."""
    caller, wanted = users.acting(Role.MANAGER), replace(users.new(), request_id=uuid.uuid4())
    await users.usecases.create_user(caller, wanted)

    with pytest.raises(RequestIdReused) as refusal:
        await users.usecases.create_user(caller, replace(wanted, display_name="Rui"))

    assert refusal.value.metadata == {"request_id": str(wanted.request_id)}


async def test_request_ids_belong_to_their_caller(users: UsersOnFakes) -> None:
    """Somebody else's request id returns nobody of theirs."""
    request_id = uuid.uuid4()
    first = await users.usecases.create_user(
        users.acting(Role.MANAGER), replace(users.new(), request_id=request_id)
    )

    second = await users.usecases.create_user(
        users.acting(Role.MANAGER), replace(users.new(), request_id=request_id)
    )

    assert second.user_id != first.user_id


async def test_deactivating_again_changes_nothing(users: UsersOnFakes) -> None:
    """The second time there is nothing to do and nothing to announce."""
    driver, caller = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    first = await users.usecases.deactivate_user(caller, driver.user_id)

    assert await users.usecases.deactivate_user(caller, driver.user_id) == first
    assert users.transactions.announced == [first]


async def test_reactivating_the_active_changes_nothing(users: UsersOnFakes) -> None:
    """Who has access keeps it, and nothing is announced."""
    driver, caller = await users.have(Role.DRIVER), users.acting(Role.MANAGER)

    assert await users.usecases.reactivate_user(caller, driver.user_id) == driver
    assert not users.transactions.announced


async def test_edits_without_effect_change_nothing(users: UsersOnFakes) -> None:
    """An edit to what is there already makes no version and no event."""
    driver = await users.have(Role.DRIVER)

    edited = await users.usecases.update_user(
        users.acting(Role.MANAGER), driver.user_id, UserEdit(display_name=" Ana ", role=Role.DRIVER)
    )

    assert edited == driver
    assert not users.transactions.announced


async def test_stale_etags_are_refused(users: UsersOnFakes) -> None:
    """An edit of an old version changes nothing; without an etag the last writer wins."""
    driver, caller = await users.have(Role.DRIVER), users.acting(Role.MANAGER)
    edit = UserEdit(display_name="Rui", etag=driver.etag)
    await users.usecases.update_user(caller, driver.user_id, edit)

    with pytest.raises(EditConflict):
        await users.usecases.update_user(caller, driver.user_id, replace(edit, display_name="Eva"))
    last = await users.usecases.update_user(caller, driver.user_id, UserEdit(display_name="Eva"))

    assert (last.display_name, last.version) == ("Eva", 3)


async def test_emails_do_not_change(users: UsersOnFakes) -> None:
    """The address may come along unchanged, in any case, and no other may."""
    driver, caller = await users.have(Role.DRIVER), users.acting(Role.MANAGER)

    edited = await users.usecases.update_user(
        caller, driver.user_id, UserEdit(display_name="Rui", email=driver.email.upper())
    )
    with pytest.raises(UpdateMaskInvalid) as refusal:
        await users.usecases.update_user(caller, driver.user_id, UserEdit(email="b@example.com"))

    assert edited.email == driver.email
    assert refusal.value.metadata == {"path": "email"}


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (UserEdit(language_code="de"), "user.language_code"),
        (UserEdit(language_code=""), "user.language_code"),
        (UserEdit(phone_number="912345678"), "user.phone_number"),
        (UserEdit(phone_number="+0912345678"), "user.phone_number"),
        (UserEdit(phone_number="+351 912 345 678"), "user.phone_number"),
        (UserEdit(phone_number="+35191234567890123"), "user.phone_number"),
        (UserEdit(phone_number="+٣٥١٩١٢٣٤٥٦٧"), "user.phone_number"),
    ],
)
async def test_profiles_are_checked(users: UsersOnFakes, edit: UserEdit, field: str) -> None:
    """A language that nobody writes, or a number that no network knows, is refused by name."""
    driver = await users.have(Role.DRIVER)

    with pytest.raises(InvalidArgument) as refusal:
        await users.usecases.update_user(users.acting(Role.MANAGER), driver.user_id, edit)

    assert [violation.field for violation in refusal.value.violations] == [field]
    assert users.transactions.users[driver.user_id] == driver


@pytest.mark.parametrize("role", Role)
async def test_everybody_keeps_their_own_profile(users: UsersOnFakes, role: Role) -> None:
    """Whoever changes their profile is announced with it, and can empty their number again."""
    person = await users.have(role)
    caller = users.acting(role, person.user_id)
    edit = UserEdit(display_name="Rui", language_code="pt", phone_number="+351912345678")

    changed = await users.usecases.update_current_user(caller, edit)
    emptied = await users.usecases.update_current_user(caller, UserEdit(phone_number=""))

    assert (changed.display_name, changed.language_code) == ("Rui", "pt")
    assert changed.phone_number == "+351912345678"
    assert (emptied.language_code, emptied.phone_number) == ("pt", "")
    assert users.transactions.announced == [changed, emptied]


async def test_the_first_master_is_added_once(users: UsersOnFakes) -> None:
    """Starting again, even with another address, leaves the first administrator alone."""
    await users.usecases.ensure_first_master("Root@example.com")
    await users.usecases.ensure_first_master("other@example.com")

    (master,) = users.transactions.users.values()
    assert (master.user_id, master.email) == (FIRST_MASTER_ID, "root@example.com")
    assert master.role is Role.MASTER
    assert not users.transactions.announced
