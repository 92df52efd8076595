"""What every store of people promises, in memory and in PostgreSQL alike."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.errors import EditConflict, RequestIdReused
from services.chassis.identity import CreationRequest, Role, TenantScope
from services.chassis.ids import new_id
from services.users.domain.errors import EmailTaken, UserNotFound
from services.users.domain.lists import UserQuery
from services.users.domain.people import NewUser, User, UserEdit
from services.users.ports import Transactions

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


def person(company_id: uuid.UUID | None = None, role: Role = Role.DRIVER) -> User:
    """Make a person of a company, or a master of none."""
    new = NewUser(
        email=f"{uuid.uuid4().hex}@example.com",
        display_name="Ana Ñ 車",
        role=role,
        company_id=None if role is Role.MASTER else company_id or new_id(),
        language_code="pt",
        phone_number="+351912345678",
    )
    return User.create(new, user_id=new_id(), now=NOW)


def scope_of(user: User) -> TenantScope:
    """Make the scope of a person's company."""
    assert user.company_id is not None
    return TenantScope.company(user.company_id)


async def stored(transactions: Transactions, user: User) -> User:
    """Store a person."""
    async with transactions.begin() as work:
        await work.users.add(EVERYTHING, user)
    return user


async def test_people_are_read_as_they_were_stored(transactions: Transactions) -> None:
    """Nothing is lost or rounded, whoever reads."""
    user = await stored(transactions, person())

    async with transactions.begin() as work:
        assert await work.users.get(scope_of(user), user.user_id) == user
        assert await work.users.get_for_change(EVERYTHING, user.user_id) == user


async def test_scopes_hide_others(transactions: Transactions) -> None:
    """A person of another company, or of none, does not exist for a company."""
    foreign, master = person(), person(role=Role.MASTER)
    await stored(transactions, foreign)
    await stored(transactions, master)
    scope = TenantScope.company(new_id())

    for user in (foreign, master):
        async with transactions.begin() as work:
            with pytest.raises(UserNotFound):
                await work.users.get(scope, user.user_id)
            with pytest.raises(UserNotFound):
                await work.users.get_for_change(scope, user.user_id)
            assert not await work.users.list_after(scope, UserQuery(), None, 10)
            with pytest.raises(EditConflict):
                await work.users.save(scope, user.deactivated(LATER))
    async with transactions.begin() as work:
        assert await work.users.get(EVERYTHING, foreign.user_id) == foreign
        assert await work.users.get(EVERYTHING, master.user_id) == master


async def test_nobody_is_added_outside_the_scope(transactions: Transactions) -> None:
    """A scope bounds writing as it bounds reading."""
    user = person()

    with pytest.raises(UserNotFound):
        async with transactions.begin() as work:
            await work.users.add(TenantScope.company(new_id()), user)


async def test_emails_are_unique(transactions: Transactions) -> None:
    """Two people never share an address, not even in different companies."""
    first = await stored(transactions, person())

    with pytest.raises(EmailTaken):
        await stored(transactions, replace(person(), email=first.email))


async def test_versions_follow_one_another(transactions: Transactions) -> None:
    """The next version is stored, and a version that was made on an old one is not."""
    user = await stored(transactions, person())
    edit = UserEdit(
        display_name="Rui", role=Role.MANAGER, language_code="en", phone_number="+15551234567"
    )
    second = user.edited(edit, LATER)

    async with transactions.begin() as work:
        await work.users.save(scope_of(user), second)
    with pytest.raises(EditConflict):
        async with transactions.begin() as work:
            await work.users.save(scope_of(user), user.deactivated(LATER))

    async with transactions.begin() as work:
        assert await work.users.get(EVERYTHING, user.user_id) == second


async def test_invitations_are_remembered(transactions: Transactions) -> None:
    """When somebody was last invited is read as it was stored."""
    user = await stored(transactions, person())
    again = user.invited_again(LATER, timedelta(minutes=5))

    async with transactions.begin() as work:
        await work.users.save(scope_of(user), again)

    async with transactions.begin() as work:
        assert await work.users.get(EVERYTHING, user.user_id) == again
    assert again.invite_time == LATER


async def test_failed_transactions_leave_nothing(transactions: Transactions) -> None:
    """What was stored before the failure is not there after it."""
    user = person()

    async def fail() -> None:
        async with transactions.begin() as work:
            await work.users.add(EVERYTHING, user)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await fail()

    async with transactions.begin() as work:
        with pytest.raises(UserNotFound):
            await work.users.get(EVERYTHING, user.user_id)


async def test_requests_are_remembered(transactions: Transactions) -> None:
    """A request finds whom it made, as they stand now, for its own caller alone."""
    user = person()
    request = CreationRequest.of(new_id(), new_id(), user.asked_for)
    second = user.deactivated(LATER)
    async with transactions.begin() as work:
        assert await work.users.made_by(EVERYTHING, request) is None
        await work.users.add(EVERYTHING, user, request)
    async with transactions.begin() as work:
        await work.users.save(EVERYTHING, second)

    async with transactions.begin() as work:
        made = await work.users.made_by(scope_of(user), request)
        assert made == second
        other = replace(request, caller_id=new_id())
        assert await work.users.made_by(EVERYTHING, other) is None
        with pytest.raises(RequestIdReused):
            await work.users.made_by(EVERYTHING, replace(request, digest=b"another wish"))
        assert await work.users.made_by(TenantScope.company(new_id()), request) is None


async def test_simultaneous_tries_make_one_person(transactions: Transactions) -> None:
    """However many tries of a request run at once, one adds and the others find."""
    request = CreationRequest.of(new_id(), new_id(), person().asked_for)

    async def attempt() -> bool:
        async with transactions.begin() as work:
            if await work.users.made_by(EVERYTHING, request):
                return False
            await asyncio.sleep(0)
            await work.users.add(EVERYTHING, person(), request)
            return True

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [False] * 4 + [True]


async def test_simultaneous_edits_follow_one_another(transactions: Transactions) -> None:
    """Edits that are read for change at the same time all take effect."""
    user = await stored(transactions, person())

    async def edit(name: str) -> None:
        async with transactions.begin() as work:
            current = await work.users.get_for_change(EVERYTHING, user.user_id)
            await asyncio.sleep(0)
            await work.users.save(EVERYTHING, current.edited(UserEdit(display_name=name), LATER))

    await asyncio.gather(*(edit(f"Name {number}") for number in range(5)))

    async with transactions.begin() as work:
        assert (await work.users.get(EVERYTHING, user.user_id)).version == 6


async def test_the_deleted_are_hidden_unless_asked_for(transactions: Transactions) -> None:
    """Lists pass them over; by their id they are read as they were stored."""
    company_id = new_id()
    there, gone = await stored(transactions, person(company_id)), person(company_id)
    await stored(transactions, gone)
    deleted = gone.deleted(LATER, timedelta(days=30))
    scope = TenantScope.company(company_id)
    async with transactions.begin() as work:
        await work.users.save(scope, deleted)

    async with transactions.begin() as work:
        assert await work.users.get(scope, gone.user_id) == deleted
        assert await work.users.list_after(scope, UserQuery(), None, 10) == [there]
        everybody = await work.users.list_after(scope, UserQuery(show_deleted=True), None, 10)
        assert everybody == [there, deleted]


async def test_the_purgeable_are_found_when_they_are_due(transactions: Transactions) -> None:
    """In the scope, in the order in which they are due, and no more than asked for."""
    company_id = new_id()
    scope = TenantScope.company(company_id)
    people = [await stored(transactions, person(company_id)) for _ in range(3)]
    kept = [timedelta(days=days) for days in (3, 1, 2)]
    deleted = [user.deleted(LATER, time) for user, time in zip(people, kept, strict=True)]
    async with transactions.begin() as work:
        for user in deleted:
            await work.users.save(scope, user)

    async with transactions.begin() as work:
        due = work.users.list_due_for_change
        assert await due(scope, LATER + timedelta(days=1), 10) == [deleted[1]]
        assert await due(scope, LATER + timedelta(days=9), 2) == [deleted[1], deleted[2]]
        assert not await due(scope, LATER, 10)
        assert not await due(TenantScope.company(new_id()), LATER + timedelta(days=9), 10)


async def test_the_removed_leave_nothing(transactions: Transactions) -> None:
    """The person, their request and their address are gone; strangers remove nobody."""
    user = person()
    request = CreationRequest.of(new_id(), new_id(), user.asked_for)
    async with transactions.begin() as work:
        await work.users.add(EVERYTHING, user, request)
    async with transactions.begin() as work:
        await work.users.remove(TenantScope.company(new_id()), user.user_id)
        assert await work.users.get(EVERYTHING, user.user_id) == user

    async with transactions.begin() as work:
        await work.users.remove(scope_of(user), user.user_id)

    async with transactions.begin() as work:
        with pytest.raises(UserNotFound):
            await work.users.get(EVERYTHING, user.user_id)
        assert await work.users.made_by(EVERYTHING, request) is None
        await work.users.add(EVERYTHING, replace(person(), email=user.email))
