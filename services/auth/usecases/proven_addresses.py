"""Addresses that are proven on the way, by a code that was mailed for something else."""

from services.auth.domain.credentials import Credential
from services.auth.domain.email_changes import EmailChange
from services.auth.ports import Transaction
from services.auth.usecases.opening import SessionOpener


async def note_proven_address(tx: Transaction, person: Credential, opener: SessionOpener) -> None:
    """Note that somebody who is locked has used a code from their mail, for users to be told."""
    now = opener.clock()
    proof = EmailChange(
        person.user_id, person.email, person.email, opener.new_id().bytes, now, proven_at=now
    )
    await tx.email_changes.save(proof)
