"""How many sessions a person may have, on fakes."""

import asyncio

import pytest

from services.auth.domain.companies import SecurityPolicy
from services.auth.domain.credentials import Credential
from services.auth.domain.errors import RefreshTokenInvalid
from services.chassis.identity import Role
from tests.fixtures.auth_world import ORIGIN, PASSWORD, SESSIONS_MAX, AuthWorld, company_of


async def test_the_session_used_longest_ago_gives_way(world: AuthWorld, ada: Credential) -> None:
    """Used, not opened; it is revoked, and the others go on."""
    await world.change_company(company_of(ada), policy=SecurityPolicy(sessions_per_user_max=2))
    grants = []
    for _ in range(2):
        grants.append(await world.login(ada.email, PASSWORD, ORIGIN))
        world.clock.advance(minutes=1)
    used_last = await world.refresh(grants[0].refresh_token, ORIGIN)
    second = list(world.store.tables.sessions)[1]

    third = await world.login(ada.email, PASSWORD, ORIGIN)

    (revocation,) = (await world.list_revocations(0)).revocations
    assert revocation.session_id == second
    assert world.hint.announced == 1
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grants[1].refresh_token, ORIGIN)
    for grant in (used_last, third):
        assert (await world.refresh(grant.refresh_token, ORIGIN)).access_token


async def test_logins_at_the_same_time_keep_to_the_cap(world: AuthWorld, ada: Credential) -> None:
    """Together they leave as many sessions as there may be."""
    await world.change_company(company_of(ada), policy=SecurityPolicy(sessions_per_user_max=2))

    logins = (world.login(ada.email, PASSWORD, ORIGIN) for _ in range(3))
    await asyncio.gather(*logins)

    rows = world.store.tables.sessions.values()
    assert sum(row.ended_at is None for row in rows) == 2


async def test_a_lower_cap_counts_from_the_next_login(world: AuthWorld, ada: Credential) -> None:
    """Then as many end as are too many; sessions that can't go on don't count."""
    grants = [await world.login(ada.email, PASSWORD, ORIGIN)]
    world.clock.advance(days=15)
    for _ in range(3):
        grants.append(await world.login(ada.email, PASSWORD, ORIGIN))
        world.clock.advance(minutes=1)
    await world.change_company(company_of(ada), policy=SecurityPolicy(sessions_per_user_max=2))
    assert (await world.refresh(grants[1].refresh_token, ORIGIN)).access_token
    world.clock.advance(minutes=1)

    await world.login(ada.email, PASSWORD, ORIGIN)

    rows = list(world.store.tables.sessions.values())
    assert [bool(row.ended_at) for row in rows] == [False, False, True, True, False]


async def test_nobody_has_more_sessions_than_can_be_ended(
    world: AuthWorld, ada: Credential
) -> None:
    """Who logs in again and again loses the first ones, master or member, rule or no rule."""
    root = await world.add_person(role=Role.MASTER, company_id=None)
    await world.change_company(company_of(ada), policy=SecurityPolicy(sessions_per_user_max=500))

    for person in (root, ada):
        first = await world.login(person.email, PASSWORD, ORIGIN)
        for _ in range(SESSIONS_MAX):
            world.clock.advance(minutes=1)
            await world.login(person.email, PASSWORD, ORIGIN)

        async with world.store.transaction() as tx:
            assert await tx.sessions.count_open(person.user_id) == SESSIONS_MAX
        with pytest.raises(RefreshTokenInvalid):
            await world.refresh(first.refresh_token, ORIGIN)
