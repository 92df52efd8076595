"""Companies that want their people to have a second factor, on fakes."""

from typing import Any

import pytest

from services.auth.domain.companies import SecurityPolicy
from services.auth.domain.credentials import Credential
from services.auth.domain.errors import TotpNotEnrolled, TwoFactorInvalid, TwoFactorMandatory
from services.auth.domain.sessions import SessionGrant
from services.auth.domain.totp import CONFIRMATIONS_MAX, Proof
from services.auth.usecases.passwords import SessionOwner
from services.auth.usecases.proving import Claim
from services.chassis.identity import Restriction, Role
from tests.fixtures.auth_world import ORIGIN, PASSWORD, AuthWorld, a_change, company_of

ENROLLMENT = Restriction.TWO_FACTOR_ENROLLMENT
RULE = SecurityPolicy(two_factor_roles=frozenset({Role.MANAGER, Role.COMPANY_ADMIN}))


def owner_of(world: AuthWorld, person: Credential) -> SessionOwner:
    """Return a person in their last session."""
    return SessionOwner(person.user_id, list(world.store.tables.sessions)[-1], ORIGIN)


def said(world: AuthWorld, grant: SessionGrant) -> Any:
    """Return what the last token says of a restriction, which the grant says too."""
    claim = world.issuer.claims[-1].get("restriction")
    assert claim == grant.restriction
    return claim


async def test_without_a_second_factor_a_login_is_good_for_enrolling_one(
    world: AuthWorld, ada: Credential
) -> None:
    """The next token after that is like any other, whether by a refresh or by a login."""
    await world.change_company(company_of(ada), policy=RULE)

    grant = await world.login(ada.email, PASSWORD, ORIGIN)
    assert said(world, grant) == ENROLLMENT
    await world.enroll_totp(owner_of(world, ada), PASSWORD)
    grant = await world.refresh(grant.refresh_token, ORIGIN)
    assert said(world, grant) == ENROLLMENT
    await world.confirm_totp(ada.user_id, world.totp_code(ada))

    assert said(world, await world.refresh(grant.refresh_token, ORIGIN)) is None
    world.clock.advance(minutes=1)
    proof = Proof(world.totp_code(ada))
    assert said(world, await world.login(ada.email, PASSWORD, ORIGIN, proof)) is None


async def test_a_rule_counts_for_open_sessions_from_their_next_refresh(
    world: AuthWorld, ada: Credential
) -> None:
    """When it is made, and when it is lifted."""
    grant = await world.login(ada.email, PASSWORD, ORIGIN)
    for policy, restriction in ((RULE, ENROLLMENT), (SecurityPolicy(), None)):
        await world.change_company(company_of(ada), policy=policy)

        grant = await world.refresh(grant.refresh_token, ORIGIN)

        assert said(world, grant) == restriction


async def test_a_rule_is_for_the_roles_that_it_names(world: AuthWorld, ada: Credential) -> None:
    """A new role brings its rule along; masters have no company that could make one."""
    driver = await world.add_person(role=Role.DRIVER, company_id=ada.company_id)
    master = await world.add_person(role=Role.MASTER, company_id=None)
    await world.change_company(company_of(ada), policy=RULE)
    for person in (driver, master):
        grant = await world.login(person.email, PASSWORD, ORIGIN)
        assert said(world, grant) is None

    grant = await world.login(driver.email, PASSWORD, ORIGIN)
    await world.apply_change(a_change(driver, version=2, role=Role.MANAGER))

    assert said(world, await world.refresh(grant.refresh_token, ORIGIN)) == ENROLLMENT


async def test_who_accepts_an_invitation_enrols_first(world: AuthWorld) -> None:
    """The first session is held to the rule as any other."""
    change = a_change()
    assert change.company_id
    await world.change_company(change.company_id, policy=RULE)
    await world.apply_change(change)

    grant = await world.accept_invitation(await world.invitation_code(), PASSWORD, ORIGIN)

    assert said(world, grant) == ENROLLMENT


async def test_whoever_must_have_an_authenticator_keeps_it(
    world: AuthWorld, ada: Credential
) -> None:
    """Until the rule is lifted; being refused uses no code up."""
    await world.enrolled(ada)
    proof = Proof(world.totp_code(ada))
    await world.login(ada.email, PASSWORD, ORIGIN, proof)
    world.clock.advance(minutes=1)
    owner, proof = owner_of(world, ada), Proof(world.totp_code(ada))
    await world.change_company(company_of(ada), policy=RULE)

    with pytest.raises(TwoFactorMandatory):
        await world.disable_totp(Claim(owner, PASSWORD, proof))
    await world.change_company(company_of(ada), policy=SecurityPolicy())

    await world.disable_totp(Claim(owner, PASSWORD, proof))
    assert ada.user_id not in world.store.tables.totps


async def test_a_secret_is_not_guessed_by_confirming_it(world: AuthWorld, ada: Credential) -> None:
    """After a few wrong codes it is gone, and a new one takes the password."""
    await world.login(ada.email, PASSWORD, ORIGIN)
    await world.enroll_totp(owner_of(world, ada), PASSWORD)
    code = world.totp_code(ada)
    for _ in range(CONFIRMATIONS_MAX):
        with pytest.raises(TwoFactorInvalid):
            await world.confirm_totp(ada.user_id, "abcdef")

    with pytest.raises(TotpNotEnrolled):
        await world.confirm_totp(ada.user_id, code)

    assert world.recorder.failures == ["two_factor_invalid"] * CONFIRMATIONS_MAX
    await world.enroll_totp(owner_of(world, ada), PASSWORD)
    for _ in range(CONFIRMATIONS_MAX - 1):
        with pytest.raises(TwoFactorInvalid):
            await world.confirm_totp(ada.user_id, "abcdef")
    assert await world.confirm_totp(ada.user_id, world.totp_code(ada))
