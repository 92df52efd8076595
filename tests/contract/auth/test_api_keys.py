"""What every store does with keys of machines."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.api_keys import ApiKey, ApiKeyNotFound
from services.auth.ports import Store
from services.chassis.errors import RequestIdReused
from services.chassis.identity import CreationRequest, Role, TenantScope
from services.chassis.ids import new_id
from tests.fixtures.auth_fakes import START

EVERYTHING = TenantScope.everything()


def a_key(**facts: object) -> ApiKey:
    """Make a key of a company of its own; `facts` replace the usual ones."""
    api_key = ApiKey(
        key_id=new_id(),
        company_id=uuid.uuid4(),
        display_name="Warehouse",
        role=Role.MANAGER,
        scopes=("telemetry:read", "users:write"),
        digest=b"digest",
        creator_id=uuid.uuid4(),
        created_at=START,
        expires_at=START + timedelta(days=1),
    )
    return replace(api_key, **facts)  # type: ignore[arg-type]


async def stored(store: Store, *api_keys: ApiKey) -> None:
    """Store keys."""
    async with store.transaction() as tx:
        for api_key in api_keys:
            await tx.api_keys.add(EVERYTHING, api_key, None)


async def test_a_key_is_kept_as_it_changes(store: Store) -> None:
    """And is in no other company's reach."""
    api_key = a_key()
    company_id = api_key.company_id
    assert company_id is not None
    await stored(store, api_key)
    used = replace(api_key, used_at=START, used_from="203.0.113.7", revoked_at=START)

    async with store.transaction() as tx:
        own, foreign = TenantScope.company(company_id), TenantScope.company(uuid.uuid4())
        assert await tx.api_keys.lock(own, api_key.key_id) == api_key
        assert await tx.api_keys.lock(foreign, api_key.key_id) is None
        await tx.api_keys.save(foreign, used)
        assert await tx.api_keys.lock(own, api_key.key_id) == api_key
        await tx.api_keys.save(own, used)
        assert await tx.api_keys.lock(EVERYTHING, api_key.key_id) == used


async def test_keys_of_masters_are_in_the_widest_reach_alone(store: Store) -> None:
    """They belong to no company."""
    master = a_key(role=Role.MASTER, company_id=None)
    await stored(store, master)

    async with store.transaction() as tx:
        scope = TenantScope.company(uuid.uuid4())
        assert await tx.api_keys.lock(scope, master.key_id) is None
        assert await tx.api_keys.list_before(scope, None, 10) == []
        assert await tx.api_keys.count_live(EVERYTHING, None, START) == 1
        assert await tx.api_keys.lock(EVERYTHING, master.key_id) == master


async def test_nothing_is_added_beyond_the_scope(store: Store) -> None:
    """Whatever the caller asks for."""
    with pytest.raises(ApiKeyNotFound):
        async with store.transaction() as tx:
            await tx.api_keys.add(TenantScope.company(uuid.uuid4()), a_key(), None)


async def test_lists_go_from_the_newest_on(store: Store) -> None:
    """Page by page."""
    company_id = uuid.uuid4()
    keys = [a_key(company_id=company_id) for _ in range(3)]
    await stored(store, *keys, a_key())
    newest_first = sorted(keys, key=lambda api_key: api_key.key_id, reverse=True)

    async with store.transaction() as tx:
        scope = TenantScope.company(company_id)
        first = await tx.api_keys.list_before(scope, None, 2)
        second = await tx.api_keys.list_before(scope, first[-1].key_id, 2)

    assert [*first, *second] == newest_first


async def test_keys_that_work_are_counted_and_found_by_their_maker(store: Store) -> None:
    """Those that have ended are not."""
    company_id, maker_id = uuid.uuid4(), uuid.uuid4()
    live = a_key(company_id=company_id, creator_id=maker_id)
    ended = [
        a_key(company_id=company_id, creator_id=maker_id, revoked_at=START),
        a_key(company_id=company_id, creator_id=maker_id, expires_at=START),
    ]
    await stored(store, live, *ended, a_key(creator_id=maker_id), a_key())

    async with store.transaction() as tx:
        scope = TenantScope.company(company_id)
        assert await tx.api_keys.count_live(scope, company_id, START) == 1
        assert await tx.api_keys.lock_live_of(scope, maker_id, START) == [live]
        assert len(await tx.api_keys.lock_live_of(EVERYTHING, maker_id, START)) == 2


async def test_a_request_is_known_again(store: Store) -> None:
    """By its caller, and by what it asks for."""
    api_key, request = a_key(), CreationRequest.of(uuid.uuid4(), uuid.uuid4(), ["this"])
    async with store.transaction() as tx:
        assert await tx.api_keys.made_by(EVERYTHING, request) is None
        await tx.api_keys.add(EVERYTHING, api_key, request)

    async with store.transaction() as tx:
        assert await tx.api_keys.made_by(EVERYTHING, request) == api_key
        other = replace(request, caller_id=uuid.uuid4())
        assert await tx.api_keys.made_by(EVERYTHING, other) is None
        with pytest.raises(RequestIdReused):
            await tx.api_keys.made_by(EVERYTHING, replace(request, digest=b"that"))


async def test_keys_of_a_company_are_erased_bit_by_bit(store: Store) -> None:
    """Others' stay."""
    company_id, kept = uuid.uuid4(), a_key()
    await stored(store, kept, *(a_key(company_id=company_id) for _ in range(3)))

    async with store.transaction() as tx:
        scope = TenantScope.company(company_id)
        assert [await tx.api_keys.remove_some(scope, 2) for _ in range(3)] == [2, 1, 0]
        assert await tx.api_keys.list_before(EVERYTHING, None, 10) == [kept]


async def test_keys_that_ended_long_ago_are_forgotten(store: Store) -> None:
    """By whichever end came first."""
    kept = a_key()
    gone = [a_key(revoked_at=START), a_key(expires_at=START)]
    await stored(store, kept, *gone)

    async with store.transaction() as tx:
        await tx.api_keys.prune(EVERYTHING, START)
        assert await tx.api_keys.list_before(EVERYTHING, None, 10) == [kept]
