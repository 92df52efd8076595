"""What every store does with companies and their people."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.companies import Company, CompanyState, SecurityPolicy
from services.auth.domain.credentials import Credential
from services.auth.domain.sessions import RefreshToken, Session, new_session
from services.auth.domain.tokens import Revocation
from services.auth.ports import Store
from services.auth.storage.store import PostgresStore
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from services.chassis.identity import Role
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, a_credential, company_of

LATER = START + timedelta(minutes=5)


async def stored(store: Store, **facts: object) -> Company:
    """Store a company; `facts` replace the usual ones."""
    company = replace(Company(uuid.uuid4(), version=1), **facts)  # type: ignore[arg-type]
    async with store.transaction() as tx:
        await tx.companies.lock(company.company_id)
        await tx.companies.save(company)
    return company


async def logged_in(store: Store, person: Credential) -> Session:
    """Store somebody with a session."""
    session = new_session(uuid.uuid4(), person, b"address", ORIGIN, LIFETIMES, START)
    token = RefreshToken(uuid.uuid4().bytes, session.session_id, session.expires_at)
    async with store.transaction() as tx:
        await tx.credentials.save(person, START)
        await tx.sessions.add(session, token)
    return session


async def test_a_company_is_kept_as_it_changes(store: Store) -> None:
    """All that is known of it, and of another nothing."""
    policy = SecurityPolicy(3, frozenset({Role.MANAGER, Role.DRIVER}))
    company = await stored(store, policy=policy)
    changed = replace(
        company,
        version=7,
        state=CompanyState.DELETED,
        policy=SecurityPolicy(),
        closed_at=START,
        lingering=True,
        erased_at=LATER,
    )

    async with store.transaction() as tx:
        assert await tx.companies.hold(company.company_id) == company
    async with store.transaction() as tx:
        await tx.companies.lock(company.company_id)
        await tx.companies.save(changed)
    async with store.transaction() as tx:
        assert await tx.companies.hold(company.company_id) == changed


async def test_a_company_that_nobody_told_of_is_active(store: Store) -> None:
    """It demands nothing, whoever asks first, also at the same time."""
    company_id = uuid.uuid4()

    async def ask() -> Company:
        async with store.transaction() as tx:
            return await tx.companies.hold(company_id)

    assert await asyncio.gather(*(ask() for _ in range(4))) == [Company(company_id)] * 4
    async with store.transaction() as tx:
        assert await tx.companies.lock(company_id) == Company(company_id)


@pytest.mark.parametrize("known", [False, True])
async def test_a_company_does_not_change_while_it_is_held(store: Store, *, known: bool) -> None:
    """Whoever changes it waits for those who hold it, whether or not anybody told of it."""
    company_id = (await stored(store)).company_id if known else uuid.uuid4()
    held = asyncio.Event()
    order: list[str] = []

    async def hold() -> None:
        async with store.transaction() as tx:
            await tx.companies.hold(company_id)
            held.set()
            await asyncio.sleep(0.05)
            order.append("held")

    async def change() -> None:
        await held.wait()
        async with store.transaction() as tx:
            company = await tx.companies.lock(company_id)
            order.append("changed")
            await tx.companies.save(replace(company, state=CompanyState.SUSPENDED))

    await asyncio.gather(hold(), change())

    assert order == ["held", "changed"]


async def test_several_hold_a_company_at_the_same_time(database: Database) -> None:
    """Logins of its people don't wait for each other; a fake's transactions always do."""
    store = PostgresStore(database, Vault("a" * 32))
    company = await stored(store)
    both = asyncio.Barrier(2)

    async def hold() -> None:
        async with store.transaction() as tx:
            await tx.companies.hold(company.company_id)
            await both.wait()

    await asyncio.wait_for(asyncio.gather(hold(), hold()), timeout=10)


async def test_companies_that_have_something_left_to_do_are_found(store: Store) -> None:
    """Until it is noted that nothing is left; closed again meanwhile, there is."""
    await stored(store)
    await stored(store, state=CompanyState.SUSPENDED, closed_at=START)
    lingering = await stored(store, closed_at=START, lingering=True)

    async with store.transaction() as tx:
        assert await tx.companies.find_lingering() == lingering
        await tx.companies.note_swept(replace(lingering, closed_at=LATER))
        assert await tx.companies.find_lingering() == lingering
        await tx.companies.note_swept(lingering)
        assert await tx.companies.find_lingering() is None
        assert await tx.companies.find_to_erase() is None


@pytest.mark.parametrize("state", [CompanyState.DELETING, CompanyState.DELETED])
async def test_companies_to_erase_are_found(store: Store, state: CompanyState) -> None:
    """Those that are going and aren't erased."""
    await stored(store, state=state, erased_at=START)
    going = await stored(store, state=state)

    async with store.transaction() as tx:
        assert await tx.companies.find_to_erase() == going


async def test_a_companys_people_and_sessions_are_found(store: Store) -> None:
    """Open ones that began by a moment, and not too many at once; nobody of another company."""
    person = a_credential()
    colleague = replace(a_credential(), company_id=person.company_id)
    first, second = await logged_in(store, person), await logged_in(store, colleague)
    await logged_in(store, a_credential())
    company_id = company_of(person)

    async with store.transaction() as tx:
        people = await tx.credentials.lock_some_of(company_id, 10)
        assert {row.user_id for row in people} == {person.user_id, colleague.user_id}
        assert len(await tx.credentials.lock_some_of(company_id, 1)) == 1
        found = await tx.sessions.lock_open_of(company_id, START, 10)
        assert {row.session_id for row in found} == {first.session_id, second.session_id}
        assert len(await tx.sessions.lock_open_of(company_id, START, 1)) == 1
        assert len(await tx.sessions.lock_open_of(company_id, None, 10)) == 2
        before = START - timedelta(seconds=1)
        assert not await tx.sessions.lock_open_of(company_id, before, 10)
        await tx.sessions.save(first.ended(START))
        assert await tx.sessions.lock_open_of(company_id, START, 10) == [second]


async def test_a_revoked_company_is_listed(store: Store) -> None:
    """As what it is."""
    revocation = Revocation.of_company(uuid.uuid4(), LIFETIMES, START)
    async with store.transaction() as tx:
        await tx.revocations.append([revocation])
        assert (await tx.revocations.list_after(0, 10, START)).revocations == [revocation]
