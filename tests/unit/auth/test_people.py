"""Following users, on fakes."""

import uuid
from dataclasses import replace

import pytest

from services.auth.domain.credentials import BOOTSTRAP_USER_ID, CredentialStatus
from services.auth.domain.errors import (
    CredentialsInvalid,
    InvitationInvalid,
    PasswordTooWeak,
    RefreshTokenInvalid,
)
from services.chassis.identity import Role
from tests.fixtures.auth_world import ORIGIN, PASSWORD, AuthWorld, a_change

EMAIL = "root@example.com"


async def test_a_new_person_is_invited_by_mail(world: AuthWorld) -> None:
    """The mail goes to them and holds the code in its text and in a header."""
    change = a_change()

    await world.apply_change(change)
    code = await world.invitation_code()

    (mail,) = world.mailer.sent.values()
    assert mail.recipient == change.email
    assert code in mail.text
    credential = world.store.tables.credentials[change.user_id]
    assert credential.status is CredentialStatus.INVITED
    assert credential.password_hash is None


async def test_a_redelivered_event_invites_once(world: AuthWorld) -> None:
    """The inbox remembers the event."""
    change = a_change()

    await world.apply_change(change)
    await world.apply_change(change)
    await world.send_all_mail()

    assert len(world.mailer.sent) == 1


async def test_an_older_version_changes_nothing(world: AuthWorld) -> None:
    """Events may come in any order; the newest version stays."""
    person = await world.add_person(user_version=5)

    await world.apply_change(a_change(person, version=4, active=False))

    assert world.store.tables.credentials[person.user_id] == person


async def test_deactivation_ends_every_session(world: AuthWorld) -> None:
    """Neither password nor refresh token work, and access tokens are revoked as a whole."""
    person = await world.add_person()
    grant = await world.login(person.email, PASSWORD, ORIGIN)

    await world.apply_change(a_change(person, version=2, active=False))

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    with pytest.raises(CredentialsInvalid):
        await world.login(person.email, PASSWORD, ORIGIN)
    by_subject, by_session = (await world.list_revocations(0)).revocations
    assert by_subject.subject == person.user_id
    assert by_session.session_id in world.store.tables.sessions
    assert world.hint.announced == 1


async def test_deactivation_revokes_sessions_that_have_tokens_left(world: AuthWorld) -> None:
    """One by one, since a clock may have been ahead of ours; as many as are worth it."""
    person = await world.add_person()
    for _ in range(2):
        await world.login(person.email, PASSWORD, ORIGIN)
    world.clock.advance(minutes=17)
    await world.login(person.email, PASSWORD, ORIGIN)

    await world.apply_change(a_change(person, version=2, active=False))

    revocations = (await world.list_revocations(0)).revocations
    *_, last = world.store.tables.sessions
    assert [entry.session_id for entry in revocations if entry.session_id] == [last]
    assert all(row.ended_at for row in world.store.tables.sessions.values())


async def test_deactivation_withdraws_the_invitation(world: AuthWorld) -> None:
    """The code stops working, and a mail that has not gone out doesn't."""
    change = a_change()
    await world.apply_change(change)
    code = await world.invitation_code()
    unsent = a_change()
    await world.apply_change(unsent)

    for invited in (change, unsent):
        later = replace(invited, event_id=uuid.uuid4(), version=2, active=False)
        await world.apply_change(later)
    await world.send_all_mail()

    with pytest.raises(InvitationInvalid):
        await world.accept_invitation(code, PASSWORD, ORIGIN)
    assert [mail.recipient for mail in world.mailer.sent.values()] == [change.email]


async def test_a_new_role_is_in_the_next_tokens_and_ends_the_old_ones(world: AuthWorld) -> None:
    """The session goes on; what said the old role doesn't."""
    person = await world.add_person(role=Role.COMPANY_ADMIN)
    grant = await world.login(person.email, PASSWORD, ORIGIN)

    await world.apply_change(a_change(person, version=2, role=Role.DRIVER))

    assert (await world.refresh(grant.refresh_token, ORIGIN)).role is Role.DRIVER
    (revocation,) = (await world.list_revocations(0)).revocations
    assert revocation.subject == person.user_id


async def test_a_new_name_revokes_nothing(world: AuthWorld) -> None:
    """Tokens don't say it."""
    person = await world.add_person()

    await world.apply_change(a_change(person, version=2, display_name="Ada Lovelace"))

    assert not world.store.tables.revocations
    assert world.hint.announced == 0


async def test_a_reactivated_person_has_their_password_back(world: AuthWorld) -> None:
    """Without one they are invited again."""
    person = await world.add_person()
    stranger = a_change(active=False)
    await world.apply_change(stranger)
    await world.apply_change(a_change(person, version=2, active=False))

    await world.apply_change(a_change(person, version=3))
    await world.apply_change(replace(stranger, event_id=uuid.uuid4(), version=2, active=True))

    assert (await world.login(person.email, PASSWORD, ORIGIN)).access_token
    assert (
        await world.accept_invitation(await world.invitation_code(), PASSWORD, ORIGIN)
    ).access_token


async def test_the_first_master_logs_in_with_the_first_password(world: AuthWorld) -> None:
    """They belong to no company."""
    assert await world.bootstrap(EMAIL.upper(), PASSWORD)

    grant = await world.login(EMAIL, PASSWORD, ORIGIN)

    assert (grant.user_id, grant.role, grant.company_id) == (BOOTSTRAP_USER_ID, Role.MASTER, None)


async def test_the_first_password_never_replaces_a_changed_one(world: AuthWorld) -> None:
    """Starting again with the same settings is harmless."""
    await world.bootstrap(EMAIL, PASSWORD)
    before = world.store.tables.credentials[BOOTSTRAP_USER_ID]

    assert not await world.bootstrap("other@example.com", "quite another password")

    assert world.store.tables.credentials[BOOTSTRAP_USER_ID] == before


async def test_the_first_master_is_not_invited_as_well(world: AuthWorld) -> None:
    """What users says of them meets a credential that is active already."""
    await world.bootstrap(EMAIL, PASSWORD)

    await world.apply_change(
        a_change(user_id=BOOTSTRAP_USER_ID, email=EMAIL, role=Role.MASTER, company_id=None)
    )

    assert not world.store.tables.mails
    assert (await world.login(EMAIL, PASSWORD, ORIGIN)).access_token


async def test_a_weak_first_password_is_refused(world: AuthWorld) -> None:
    """The settings are held to the same rules as people."""
    with pytest.raises(PasswordTooWeak):
        await world.bootstrap(EMAIL, "admin")


async def test_a_purged_person_is_erased(world: AuthWorld) -> None:
    """Credential, sessions, invitation and waiting mail are gone, and tokens are revoked."""
    person = await world.add_person()
    grant = await world.login(person.email, PASSWORD, ORIGIN)
    invited = a_change()
    await world.apply_change(invited)

    for change in (a_change(person), invited):
        last = replace(change, event_id=uuid.uuid4(), version=2, active=False, purged=True)
        await world.apply_change(replace(last, email="", display_name=""))

    tables = world.store.tables
    assert not tables.credentials
    for left in (tables.sessions, tables.refresh_tokens, tables.invitations, tables.mails):
        assert not left
    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    revoked = {entry.subject for entry in (await world.list_revocations(0)).revocations}
    assert revoked == {person.user_id, invited.user_id, None}


async def test_purging_a_stranger_changes_nothing(world: AuthWorld) -> None:
    """Nobody becomes known by being forgotten."""
    await world.apply_change(a_change(active=False, purged=True, email="", version=3))

    assert not world.store.tables.credentials
    assert not world.store.tables.revocations


@pytest.mark.parametrize("known", [True, False])
async def test_nothing_late_brings_an_erased_person_back(world: AuthWorld, *, known: bool) -> None:
    """An event that is delivered again after the last one finds nobody, and invites nobody."""
    first, second = a_change(), a_change()
    if known:
        await world.apply_change(first)
    last = replace(first, event_id=uuid.uuid4(), version=4, active=False, purged=True, email="")
    await world.apply_change(last)

    for version, active in ((1, True), (2, False), (3, True)):
        late = replace(first, event_id=uuid.uuid4(), version=version, active=active)
        await world.apply_change(replace(late, invite=active))
    await world.apply_change(replace(second, email=first.email))
    await world.send_all_mail()

    assert world.store.tables.credentials.keys() == {second.user_id}
    assert len(world.mailer.sent) == 1


async def test_an_erased_person_is_forgotten_in_the_end(world: AuthWorld) -> None:
    """Once nothing that was told of them can come any more."""
    await world.apply_change(a_change(active=False, purged=True, email="", version=3))

    await world.prune()
    assert world.store.tables.purged_people
    world.clock.advance(days=61)
    await world.prune()

    assert not world.store.tables.purged_people


async def test_a_fresh_invitation_replaces_the_first(world: AuthWorld) -> None:
    """The first code stops working, and its mail does not go out any more."""
    first = a_change()
    await world.apply_change(first)

    await world.apply_change(replace(first, event_id=uuid.uuid4(), version=2, invite=True))

    code = await world.invitation_code()
    assert len(world.store.tables.invitations) == 1
    assert (await world.accept_invitation(code, PASSWORD, ORIGIN)).user_id == first.user_id


async def test_an_overtaken_wish_for_an_invitation_counts(world: AuthWorld) -> None:
    """The newer version does not carry it; the credential stays at the newer version."""
    first = a_change()
    await world.apply_change(first)
    await world.invitation_code()
    await world.apply_change(replace(first, event_id=uuid.uuid4(), version=3))

    await world.apply_change(replace(first, event_id=uuid.uuid4(), version=2, invite=True))
    await world.send_all_mail()

    assert len(world.mailer.sent) == 2
    assert world.store.tables.credentials[first.user_id].user_version == 3


async def test_whoever_has_accepted_is_not_invited_again(world: AuthWorld) -> None:
    """Not by a newer version, nor by one that was overtaken."""
    person = await world.add_person(user_version=5)

    for version in (6, 4):
        await world.apply_change(a_change(person, version=version, invite=True))
    await world.send_all_mail()

    assert not world.mailer.sent
