"""Companies that are deleted with all that auth holds of them, on fakes."""

import uuid
from dataclasses import replace

import pytest

from services.auth.domain.companies import CompanyState
from services.auth.domain.credentials import Credential
from tests.fixtures.auth_world import ORIGIN, PASSWORD, AuthWorld, a_change, company_of

SUSPENDED = CompanyState.SUSPENDED


async def test_a_deleted_company_is_erased(world: AuthWorld, ada: Credential) -> None:
    """With everything of its people, and nothing of others; then it is said."""
    company_id = company_of(ada)
    await world.enrolled(ada)
    await world.request_reset(ada.email, ORIGIN)
    await world.send_all_mail()
    for _ in range(60):
        await world.add_person(company_id=company_id)
    await world.apply_change(a_change(company_id=company_id))
    other = await world.add_person()
    kept = await world.login(other.email, PASSWORD, ORIGIN)

    await world.change_company(company_id, SUSPENDED)
    await world.change_company(company_id, CompanyState.DELETING)
    await world.sweep()

    tables = world.store.tables
    assert set(tables.credentials) == {other.user_id}
    assert {row.user_id for row in tables.sessions.values()} == {other.user_id}
    for left in (tables.invitations, tables.password_resets, tables.totps, tables.backup_codes):
        assert not left
    assert not tables.mails
    assert tables.erased_companies == [company_id]
    assert (await world.refresh(kept.refresh_token, ORIGIN)).access_token


async def test_an_erasure_that_was_interrupted_goes_on(world: AuthWorld, ada: Credential) -> None:
    """Each step commits by itself, and the last one tells."""
    for _ in range(120):
        await world.add_person(company_id=ada.company_id)
    await world.change_company(company_of(ada), CompanyState.DELETING)
    while await world.end_closed_sessions.end_some():
        pass

    steps = 0
    while await world.erase_companies.erase_some():
        steps += 1
        assert world.store.tables.erased_companies == [] or not world.store.tables.credentials

    assert steps > 3
    assert world.store.tables.erased_companies == [ada.company_id]


async def test_who_asks_again_is_told_again(world: AuthWorld, ada: Credential) -> None:
    """The erasure was done, and its event may have been missed; before, there is nothing to say."""
    company_id = company_of(ada)
    deletion = await world.change_company(company_id, CompanyState.DELETING)
    again = replace(deletion, event_id=uuid.uuid4())
    await world.apply_company_change(again)
    assert world.store.tables.erased_companies == []

    await world.sweep()
    for _ in range(2):
        await world.apply_company_change(replace(deletion, event_id=uuid.uuid4()))
    await world.change_company(company_id, CompanyState.DELETED)
    await world.sweep()

    assert world.store.tables.erased_companies == [company_id] * 3


@pytest.mark.parametrize("state", [CompanyState.DELETING, CompanyState.DELETED])
async def test_late_news_of_people_bring_nobody_back(world: AuthWorld, state: CompanyState) -> None:
    """Nor a person who is there yet: they go with their company."""
    there = await world.add_person()
    company_id = company_of(there)
    await world.change_company(company_id, state)

    await world.apply_change(a_change(company_id=company_id))
    await world.apply_change(a_change(there, version=2))
    await world.sweep()
    await world.apply_change(a_change(there, version=3))

    assert not world.store.tables.credentials
    assert not world.store.tables.mails
