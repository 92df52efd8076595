"""What every store does with credentials and invitations."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from services.auth.domain.credentials import Credential, CredentialStatus, Invitation
from services.auth.ports import Store
from services.chassis.errors import EditConflict
from services.chassis.identity import Role
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

LATER = START + timedelta(days=7)


class Undone(Exception):
    """Ends a transaction without a commit."""


async def saved(store: Store, credential: Credential) -> Credential:
    """Store a credential."""
    async with store.transaction() as tx:
        await tx.credentials.save(credential, START)
    return credential


async def invite(store: Store, user_id: uuid.UUID, digest: bytes) -> Invitation:
    """Store an invitation."""
    invitation = Invitation(digest, user_id, LATER)
    async with store.transaction() as tx:
        await tx.invitations.add(invitation)
    return invitation


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"status": CredentialStatus.INVITED, "password_hash": None},
        {"role": Role.MASTER, "company_id": None},
        {"status": CredentialStatus.DEACTIVATED},
    ],
)
async def test_a_credential_is_read_as_it_was_saved(store: Store, facts: dict[str, object]) -> None:
    """By its owner and by their address, locked or not."""
    credential = await saved(store, replace(a_credential(), **facts))  # type: ignore[arg-type]

    async with store.transaction() as tx:
        assert await tx.credentials.find(credential.user_id) == credential
        assert await tx.credentials.lock(credential.user_id) == credential
        assert await tx.credentials.find_by_email(credential.email) == credential


async def test_a_saved_change_replaces_what_was_there(store: Store) -> None:
    """A person has one credential."""
    credential = await saved(store, a_credential())

    changed = await saved(store, replace(credential, role=Role.DRIVER, user_version=2))

    async with store.transaction() as tx:
        assert await tx.credentials.find(credential.user_id) == changed


@pytest.mark.parametrize("email", ["nobody@example.com", "", "nul\0@example.com"])
async def test_unknown_people_are_nobody(store: Store, email: str) -> None:
    """Whatever was typed."""
    async with store.transaction() as tx:
        assert await tx.credentials.find_by_email(email) is None
        assert await tx.credentials.find(uuid.uuid4()) is None


async def test_adding_never_replaces(store: Store) -> None:
    """The first one stays."""
    credential = a_credential()

    async with store.transaction() as tx:
        assert await tx.credentials.add_if_absent(credential, START)
        assert not await tx.credentials.add_if_absent(
            replace(credential, password_hash="other"), START
        )
        assert await tx.credentials.find(credential.user_id) == credential


async def test_an_address_belongs_to_one_person(store: Store) -> None:
    """A change that would take somebody else's comes again later."""
    credential = await saved(store, a_credential())

    with pytest.raises(EditConflict):
        await saved(store, replace(a_credential(), email=credential.email))

    async with store.transaction() as tx:
        assert await tx.credentials.find_by_email(credential.email) == credential


async def test_what_fails_leaves_nothing(store: Store) -> None:
    """A transaction is whole or not at all."""
    credential = a_credential()

    async def fail() -> None:
        async with store.transaction() as tx:
            await tx.credentials.save(credential, START)
            await tx.first_delivery("consumer", credential.user_id)
            raise Undone

    with pytest.raises(Undone):
        await fail()
    async with store.transaction() as tx:
        assert await tx.credentials.find(credential.user_id) is None
        assert await tx.first_delivery("consumer", credential.user_id)


async def test_a_delivery_is_the_first_once_for_each_consumer(store: Store) -> None:
    """Redeliveries are recognised."""
    event_id = uuid.uuid4()

    async with store.transaction() as tx:
        assert await tx.first_delivery("one", event_id)
    async with store.transaction() as tx:
        assert not await tx.first_delivery("one", event_id)
        assert await tx.first_delivery("two", event_id)


async def test_an_invitation_is_used_once(store: Store) -> None:
    """However many try at the same time."""
    person = await saved(store, a_credential())
    await invite(store, person.user_id, b"code")

    async def use() -> bool:
        async with store.transaction() as tx:
            return await tx.invitations.use(b"code", START)

    assert sorted(await asyncio.gather(*(use() for _ in range(4)))) == [False, False, False, True]
    async with store.transaction() as tx:
        invitation = await tx.invitations.find(b"code")
    assert invitation == Invitation(b"code", person.user_id, LATER, START)


async def test_an_invitation_is_not_used_late(store: Store) -> None:
    """At its end it is over, and then forgotten."""
    person = await saved(store, a_credential())
    await invite(store, person.user_id, b"code")

    async with store.transaction() as tx:
        assert not await tx.invitations.use(b"code", LATER)
        await tx.invitations.prune(LATER - timedelta(seconds=1))
        assert await tx.invitations.find(b"code")
        await tx.invitations.prune(LATER)
        assert await tx.invitations.find(b"code") is None


async def test_a_new_invitation_replaces_the_old_one(store: Store) -> None:
    """One code works at a time, and each person has their own."""
    person, other = await saved(store, a_credential()), await saved(store, a_credential())
    await invite(store, other.user_id, b"other")
    await invite(store, person.user_id, b"old")
    await invite(store, person.user_id, b"new")

    async with store.transaction() as tx:
        assert await tx.invitations.find(b"old") is None
        assert await tx.invitations.find(b"new")
        await tx.invitations.withdraw(person.user_id)
        assert not await tx.invitations.use(b"new", START)
        assert await tx.invitations.use(b"other", START)


async def test_a_removed_credential_takes_the_invitation_along(store: Store) -> None:
    """The person's invitation goes, those of others stay."""
    gone, kept = [await saved(store, a_credential()) for _ in range(2)]
    for credential in (gone, kept):
        await invite(store, credential.user_id, credential.user_id.bytes)

    async with store.transaction() as tx:
        await tx.credentials.remove(gone.user_id)

    async with store.transaction() as tx:
        assert await tx.credentials.find(gone.user_id) is None
        assert await tx.invitations.find(gone.user_id.bytes) is None
        assert await tx.credentials.find(kept.user_id) == kept
        assert await tx.invitations.find(kept.user_id.bytes) is not None
