"""Companies that are suspended and resumed, on fakes."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.companies import CompanyState, SecurityPolicy
from services.auth.domain.credentials import Credential, CredentialStatus
from services.auth.domain.errors import (
    CompanySuspended,
    CredentialsInvalid,
    InvitationInvalid,
    LoginThrottled,
    RefreshTokenInvalid,
    ResetCodeInvalid,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.mails import RESET_CODE_HEADER
from services.auth.domain.totp import Proof
from services.chassis.identity import Role
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld, a_change, company_of

SUSPENDED = CompanyState.SUSPENDED
NEW_PASSWORD = "another long enough password"


async def test_a_suspension_revokes_what_the_company_was_issued(
    world: AuthWorld, ada: Credential
) -> None:
    """By one entry for all of it, which is remembered as long as a board's token lives."""
    company_id = company_of(ada)

    await world.change_company(company_id, SUSPENDED)

    (revocation,) = (await world.list_revocations(0)).revocations
    assert revocation.company_id == company_id
    assert revocation.revoked_at == world.clock()
    assert revocation.expires_at == world.clock() + LIFETIMES.longest_token
    assert world.hint.announced == 1


async def test_people_of_a_suspended_company_are_told_once_they_have_proved_who_they_are(
    world: AuthWorld, ada: Credential
) -> None:
    """Being told costs nothing; others learn what they always learn, at the same cost."""
    await world.change_company(company_of(ada), SUSPENDED)

    for _ in range(10):
        with pytest.raises(CompanySuspended):
            await world.login(ada.email, PASSWORD, ORIGIN)
    for email in (ada.email, "nobody@example.com"):
        with pytest.raises(CredentialsInvalid):
            await world.login(email, "wrong", ORIGIN)

    assert len(world.hasher.verified) == 12
    assert world.recorder.failures == ["company_suspended"] * 10 + ["credentials_invalid"] * 2


async def test_a_suspension_is_not_told_before_the_second_factor(
    world: AuthWorld, ada: Credential
) -> None:
    """Half of the proof is none."""
    await world.enrolled(ada)
    await world.change_company(company_of(ada), SUSPENDED)

    with pytest.raises(TwoFactorRequired):
        await world.login(ada.email, PASSWORD, ORIGIN)
    with pytest.raises(TwoFactorInvalid):
        await world.login(ada.email, PASSWORD, ORIGIN, Proof("abcdef"))
    with pytest.raises(CompanySuspended):
        await world.login(ada.email, PASSWORD, ORIGIN, Proof(world.totp_code(ada)))


async def test_a_session_ends_with_the_suspension(world: AuthWorld, ada: Credential) -> None:
    """It isn't there again afterwards, whether or not it was marked as ended meanwhile."""
    for sweeps in (False, True):
        grant = await world.login(ada.email, PASSWORD, ORIGIN)
        world.clock.advance(seconds=1)
        await world.change_company(company_of(ada), SUSPENDED)
        with pytest.raises(CompanySuspended):
            await world.refresh(grant.refresh_token, ORIGIN)
        if sweeps:
            await world.sweep()
        await world.change_company(company_of(ada), CompanyState.ACTIVE)

        with pytest.raises(RefreshTokenInvalid):
            await world.refresh(grant.refresh_token, ORIGIN)
        world.clock.advance(seconds=1)
        again = await world.login(ada.email, PASSWORD, ORIGIN)
        await world.sweep()
        assert (await world.refresh(again.refresh_token, ORIGIN)).access_token


async def test_sessions_of_a_suspended_company_are_marked_as_ended(
    world: AuthWorld, ada: Credential
) -> None:
    """Each is revoked too; those of other companies, and of none, go on."""
    stranger = await world.add_person()
    master = await world.add_person(role=Role.MASTER, company_id=None)
    ended = [await world.login(ada.email, PASSWORD, ORIGIN) for _ in range(3)]
    others = [await world.login(who.email, PASSWORD, ORIGIN) for who in (stranger, master)]
    await world.change_company(company_of(ada), SUSPENDED)

    await world.sweep()

    rows = world.store.tables.sessions.values()
    assert [bool(row.ended_at) for row in rows] == [True] * len(ended) + [False] * len(others)
    entries = (await world.list_revocations(0)).revocations
    assert sum(entry.session_id is not None for entry in entries) == len(ended)
    assert not await world.end_closed_sessions.end_some()
    for grant in others:
        assert (await world.refresh(grant.refresh_token, ORIGIN)).access_token


async def test_a_session_of_a_clock_that_is_ahead_ends_too(
    world: AuthWorld, ada: Credential
) -> None:
    """It seems to begin after the suspension that it ends with, and is revoked by its id."""
    world.clock.advance(seconds=30)
    grant = await world.login(ada.email, PASSWORD, ORIGIN)
    world.clock.advance(seconds=-30)
    await world.change_company(company_of(ada), SUSPENDED)
    await world.sweep()
    await world.change_company(company_of(ada), CompanyState.ACTIVE)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    (session_id,) = world.store.tables.sessions
    revoked = [entry.session_id for entry in (await world.list_revocations(0)).revocations]
    assert session_id in revoked


async def test_an_invitation_outlives_a_suspension(world: AuthWorld) -> None:
    """It is refused, and works once the company is resumed; a wrong code stays a wrong code."""
    change = a_change()
    assert change.company_id
    await world.apply_change(change)
    code = await world.invitation_code()
    await world.change_company(change.company_id, SUSPENDED)

    with pytest.raises(CompanySuspended):
        await world.accept_invitation(code, PASSWORD, ORIGIN)
    with pytest.raises(InvitationInvalid):
        await world.accept_invitation("wrong", PASSWORD, ORIGIN)
    await world.change_company(change.company_id, CompanyState.ACTIVE)

    assert (await world.accept_invitation(code, PASSWORD, ORIGIN)).access_token
    assert world.recorder.failures == ["company_suspended", "invitation_invalid"]


async def test_a_reset_code_outlives_a_suspension(world: AuthWorld, ada: Credential) -> None:
    """So does the old password meanwhile; a wrong code stays a wrong code."""
    await world.request_reset(ada.email, ORIGIN)
    await world.send_all_mail()
    (mail,) = world.mailer.sent.values()
    code = dict(mail.headers)[RESET_CODE_HEADER]
    await world.change_company(company_of(ada), SUSPENDED)

    for _ in range(10):
        with pytest.raises(CompanySuspended):
            await world.reset_password(ada.email, code, NEW_PASSWORD, ORIGIN)
    with pytest.raises(ResetCodeInvalid):
        await world.reset_password(ada.email, "wrong", NEW_PASSWORD, ORIGIN)
    await world.change_company(company_of(ada), CompanyState.ACTIVE)

    await world.reset_password(ada.email, code, NEW_PASSWORD, ORIGIN)
    assert (await world.login(ada.email, NEW_PASSWORD, ORIGIN)).access_token


async def test_boards_of_a_suspended_company_get_no_token(world: AuthWorld) -> None:
    """Until it is resumed; a company that nobody told of yet is not suspended."""
    device_id, company_id = uuid.uuid4(), uuid.uuid4()
    assert (await world.issue_device_token(device_id, company_id)).token
    await world.change_company(company_id, SUSPENDED)

    with pytest.raises(CompanySuspended):
        await world.issue_device_token(device_id, company_id)
    await world.change_company(company_id, CompanyState.ACTIVE)

    assert (await world.issue_device_token(device_id, company_id)).token


async def test_a_change_of_a_company_counts_once_and_in_order(
    world: AuthWorld, ada: Credential
) -> None:
    """Whatever the stream repeats or delays."""
    company_id = company_of(ada)
    first = await world.change_company(company_id)
    suspension = await world.change_company(company_id, SUSPENDED)
    await world.change_company(company_id, CompanyState.ACTIVE)

    for late in (suspension, replace(suspension, event_id=uuid.uuid4()), first):
        await world.apply_company_change(late)

    assert (await world.login(ada.email, PASSWORD, ORIGIN)).access_token
    assert world.hint.announced == 1


async def test_settings_that_change_during_a_suspension_shut_nobody_out_again(
    world: AuthWorld, ada: Credential
) -> None:
    """Whoever is out is out."""
    await world.change_company(company_of(ada), SUSPENDED)
    await world.change_company(company_of(ada), SUSPENDED, policy=SecurityPolicy(3))
    await world.change_company(company_of(ada), CompanyState.DELETING)

    assert len((await world.list_revocations(0)).revocations) == 1


@pytest.mark.parametrize("status", [CredentialStatus.DEACTIVATED, CredentialStatus.INVITED])
async def test_a_suspension_is_told_to_nobody_without_access(
    world: AuthWorld, status: CredentialStatus
) -> None:
    """Even with the right password."""
    person = await world.add_person(status=status)
    await world.change_company(company_of(person), SUSPENDED)

    with pytest.raises(CredentialsInvalid):
        await world.login(person.email, PASSWORD, ORIGIN)


async def test_a_throttled_login_is_throttled_whatever_the_company(
    world: AuthWorld, ada: Credential
) -> None:
    """Suspended or not."""
    await world.change_company(company_of(ada), SUSPENDED)
    for _ in range(3):
        with pytest.raises(CredentialsInvalid):
            await world.login(ada.email, "wrong", ORIGIN)

    with pytest.raises(LoginThrottled):
        await world.login(ada.email, PASSWORD, ORIGIN)
    world.clock.now += timedelta(minutes=15)
    with pytest.raises(CompanySuspended):
        await world.login(ada.email, PASSWORD, ORIGIN)
