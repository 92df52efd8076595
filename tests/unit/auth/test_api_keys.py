"""Keys of machines, on fakes."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.api_keys import (
    ApiKeyInvalid,
    ApiKeyNotFound,
    CompanyRequired,
    RoleNotGrantable,
)
from services.auth.domain.companies import CompanyState
from services.auth.domain.errors import (
    CompanyNotFound,
    CompanySuspended,
    LoginThrottled,
)
from services.auth.domain.sessions import Origin
from services.chassis.errors import (
    InvalidArgument,
    QuotaExceeded,
    RequestIdReused,
)
from services.chassis.identity import Role
from tests.fixtures.auth_api_keys import a_key, an_admin, calling
from tests.fixtures.auth_world import (
    API_KEY_POLICY,
    LIFETIMES,
    ORIGIN,
    AuthWorld,
    a_change,
    company_of,
)


async def test_a_key_is_exchanged_for_a_token_that_says_what_it_may(world: AuthWorld) -> None:
    """As often as one is needed."""
    admin = await an_admin(world)
    made = await a_key(world, admin)

    for _ in range(2):
        grant = await world.exchange_api_key(f" {made.text}\n", ORIGIN)

        assert grant.expires_in_s == 900
        assert world.issuer.claims[-1] == {
            "aud": "dashtrack-api-key",
            "sub": str(made.api_key.key_id),
            "role": "manager",
            "company_id": str(admin.company_id),
            "scopes": ["telemetry:read", "users:read"],
        }


async def test_the_store_keeps_no_key_that_works(world: AuthWorld) -> None:
    """Whoever reads the database can't call anything."""
    made = await a_key(world, await an_admin(world))

    (row,) = world.store.tables.api_keys.values()

    secret = made.text.rpartition("_")[2]
    assert secret not in repr(row)
    assert secret.encode() not in row.digest
    assert made.text not in repr(made)
    assert made.text.startswith(row.prefix + "_")


def flipped(text: str, position: int) -> str:
    """Change one hexadecimal digit of a key."""
    return f"{text[:position]}{int(text[position], 16) ^ 1:x}{text[position:][1:]}"


SPOILT: dict[str, Callable[[str], str]] = {
    "checksum": lambda text: flipped(text, 91),
    "secret": lambda text: flipped(text, 40),
    "id": lambda text: flipped(text, 10),
    "no prefix": lambda text: text.removeprefix("dt_"),
    "empty": lambda _: "",
    "nul": lambda text: f"nul\0{text}",
    "other digits": lambda text: text + "\u0663",
}


@pytest.mark.parametrize("how", SPOILT)
async def test_what_is_no_key_is_refused(world: AuthWorld, how: str) -> None:
    """However near it comes."""
    made = await a_key(world, await an_admin(world))

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(SPOILT[how](made.text), ORIGIN)
    assert world.recorder.failures == ["api_key_invalid"]


async def test_another_keys_secret_does_not_do(world: AuthWorld) -> None:
    """A secret belongs to its id."""
    admin = await an_admin(world)
    first, second = await a_key(world, admin), await a_key(world, admin)
    rows = world.store.tables.api_keys
    rows[first.api_key.key_id] = replace(first.api_key, digest=second.api_key.digest)

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(first.text, ORIGIN)


async def test_a_revoked_key_and_its_tokens_end(world: AuthWorld) -> None:
    """Once, however often it is revoked."""
    admin = await an_admin(world)
    made = await a_key(world, admin)

    for _ in range(2):
        ended = await world.revoke_api_key(calling(admin), made.api_key.key_id)
        assert ended.revoked_at == world.clock()

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(made.text, ORIGIN)
    (revocation,) = (await world.list_revocations(0)).revocations
    assert revocation.subject == made.api_key.key_id
    assert world.hint.announced == 1


async def test_a_key_expires(world: AuthWorld) -> None:
    """After 90 days unless another time was named; it is forgotten later."""
    made = await a_key(world, await an_admin(world))
    world.clock.now += API_KEY_POLICY.lifetime_default

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(made.text, ORIGIN)

    world.clock.advance(days=29)
    await world.prune()
    assert world.store.tables.api_keys
    world.clock.advance(days=1)
    await world.prune()
    assert not world.store.tables.api_keys


@pytest.mark.parametrize("days", [-1, 0, 366])
async def test_an_expiry_is_in_reach(world: AuthWorld, days: int) -> None:
    """In the future, within a year."""
    admin = await an_admin(world)
    with pytest.raises(InvalidArgument):
        await a_key(world, admin, expires_at=world.clock() + timedelta(days=days))


@pytest.mark.parametrize(
    ("role", "granted"), [(Role.COMPANY_ADMIN, Role.MASTER), (Role.MASTER, Role.DRIVER)]
)
async def test_nobody_makes_keys_that_may_more(world: AuthWorld, role: Role, granted: Role) -> None:
    """Nor keys of roles that are people's alone."""
    company_id = None if role is Role.MASTER else uuid.uuid4()
    admin = await world.add_person(role=role, company_id=company_id)
    with pytest.raises(RoleNotGrantable):
        await a_key(world, admin, role=granted)


async def test_a_company_is_named_by_masters_and_in_reach(world: AuthWorld) -> None:
    """Masters' own keys belong to none."""
    admin = await an_admin(world)
    master = await world.add_person(role=Role.MASTER, company_id=None)

    with pytest.raises(CompanyNotFound):
        await a_key(world, admin, company_id=uuid.uuid4())
    with pytest.raises(CompanyRequired):
        await a_key(world, master)
    with pytest.raises(InvalidArgument):
        await a_key(world, master, role=Role.MASTER, company_id=uuid.uuid4())
    assert (await a_key(world, master, company_id=admin.company_id)).api_key.company_id
    assert (await a_key(world, master, role=Role.MASTER)).api_key.company_id is None


async def test_keys_of_a_company_are_limited(world: AuthWorld) -> None:
    """Those that have ended don't count, and other companies' don't either."""
    admin, other = await an_admin(world), await an_admin(world)
    made = [await a_key(world, admin) for _ in range(3)]

    with pytest.raises(QuotaExceeded):
        await a_key(world, admin)

    await a_key(world, other)
    await world.revoke_api_key(calling(admin), made[0].api_key.key_id)
    await a_key(world, admin)


async def test_a_lost_answer_is_made_up_for_until_the_key_is_used(world: AuthWorld) -> None:
    """The same request gets a fresh secret for the same key, and later none."""
    admin, request_id = await an_admin(world), uuid.uuid4()
    lost = await a_key(world, admin, request_id=request_id)

    again = await a_key(world, admin, request_id=request_id)

    assert again.api_key.key_id == lost.api_key.key_id
    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(lost.text, ORIGIN)
    await world.exchange_api_key(again.text, ORIGIN)
    assert (await a_key(world, admin, request_id=request_id)).text == ""
    await world.exchange_api_key(again.text, ORIGIN)
    with pytest.raises(RequestIdReused):
        await a_key(world, admin, request_id=request_id, display_name="Another")


async def test_the_last_use_is_noted_coarsely(world: AuthWorld) -> None:
    """Not at each one, unless it comes from elsewhere."""
    made = await a_key(world, await an_admin(world))
    key_id, began = made.api_key.key_id, world.clock()

    for minutes in (0, 5, 4):
        world.clock.advance(minutes=minutes)
        await world.exchange_api_key(made.text, ORIGIN)
    row = world.store.tables.api_keys[key_id]
    assert (row.used_at, row.used_from) == (began, ORIGIN.address)

    await world.exchange_api_key(made.text, Origin("203.0.113.9"))
    row = world.store.tables.api_keys[key_id]
    assert (row.used_at, row.used_from) == (world.clock(), "203.0.113.9")


async def test_trying_keys_is_throttled_where_it_comes_from(world: AuthWorld) -> None:
    """The key goes on working from everywhere else."""
    made = await a_key(world, await an_admin(world))
    for number in range(8):
        with pytest.raises(ApiKeyInvalid):
            await world.exchange_api_key(f"dt_{number}", Origin(f"198.51.100.{number // 3}"))

    with pytest.raises(LoginThrottled):
        await world.exchange_api_key("dt_", Origin("198.51.100.0"))
    await world.exchange_api_key(made.text, ORIGIN)


async def test_lists_hold_the_callers_company_alone(world: AuthWorld) -> None:
    """Newest first, page by page."""
    admin, other = await an_admin(world), await an_admin(world)
    made = {(await a_key(world, admin)).api_key.key_id for _ in range(3)}
    await a_key(world, other)

    first = await world.list_api_keys(calling(admin), None, None, 2)
    second = await world.list_api_keys(calling(admin), admin.company_id, first.next_before, 2)

    listed = [row.key_id for row in (*first.api_keys, *second.api_keys)]
    assert set(listed) == made
    assert listed == sorted(listed, reverse=True)
    assert second.next_before is None
    with pytest.raises(CompanyNotFound):
        await world.list_api_keys(calling(admin), other.company_id, None, 2)


async def test_foreign_keys_do_not_exist(world: AuthWorld) -> None:
    """They can't be ended either."""
    made = await a_key(world, await an_admin(world))

    with pytest.raises(ApiKeyNotFound):
        await world.revoke_api_key(calling(await an_admin(world)), made.api_key.key_id)


@pytest.mark.parametrize(
    "facts", [{"active": False}, {"role": Role.MANAGER}, {"active": False, "purged": True}]
)
async def test_keys_end_with_their_makers_power(world: AuthWorld, facts: dict[str, object]) -> None:
    """Whoever leaves, or may not make such keys any more, may have kept a copy."""
    admin, other = await an_admin(world), await an_admin(world)
    made, kept = await a_key(world, admin), await a_key(world, other)

    await world.apply_change(a_change(admin, version=2, **facts))

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(made.text, ORIGIN)
    await world.exchange_api_key(kept.text, ORIGIN)
    subjects = {entry.subject for entry in (await world.list_revocations(0)).revocations}
    assert subjects == {admin.user_id, made.api_key.key_id}


async def test_a_promotion_ends_no_key(world: AuthWorld) -> None:
    """A change that leaves the power to make it leaves the key."""
    admin = await an_admin(world)
    made = await a_key(world, admin)

    await world.apply_change(a_change(admin, version=2, display_name="Another Name"))

    await world.exchange_api_key(made.text, ORIGIN)


async def test_keys_wait_for_the_end_of_a_suspension(world: AuthWorld) -> None:
    """Who has a good one is told so, as often as they ask."""
    admin = await an_admin(world)
    made = await a_key(world, admin)
    await world.change_company(company_of(admin), state=CompanyState.SUSPENDED)

    for _ in range(10):
        with pytest.raises(CompanySuspended):
            await world.exchange_api_key(made.text, ORIGIN)
    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key("dt_", ORIGIN)

    await world.change_company(company_of(admin), state=CompanyState.ACTIVE, version=2)
    await world.exchange_api_key(made.text, ORIGIN)


async def test_no_key_outlives_its_company(world: AuthWorld) -> None:
    """Nor comes to it late; masters' keys for it are erased as well."""
    admin = await an_admin(world)
    master = await world.add_person(role=Role.MASTER, company_id=None)
    await a_key(world, master, company_id=company_of(admin))
    await world.change_company(company_of(admin), state=CompanyState.DELETING)

    while await world.erase_companies.erase_some():
        pass

    assert not world.store.tables.api_keys
    with pytest.raises(CompanyNotFound):
        await a_key(world, master, company_id=company_of(admin))


async def test_keys_of_a_company_end_when_their_maker_leaves_it(world: AuthWorld) -> None:
    """The role alone doesn't reach another company."""
    admin = await an_admin(world)
    made = await a_key(world, admin)

    await world.apply_change(a_change(admin, version=2, company_id=uuid.uuid4()))

    with pytest.raises(ApiKeyInvalid):
        await world.exchange_api_key(made.text, ORIGIN)


async def test_a_key_ends_with_tokens_of_clocks_that_are_ahead(world: AuthWorld) -> None:
    """It never comes back, so there is no later token to be told from them."""
    admin = await an_admin(world)
    made = await a_key(world, admin)

    await world.revoke_api_key(calling(admin), made.api_key.key_id)

    (revoked,) = (await world.list_revocations(0)).revocations
    assert revoked.revoked_at == revoked.expires_at > world.clock() + LIFETIMES.access_token
