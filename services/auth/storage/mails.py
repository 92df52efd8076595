"""The queue of mails in PostgreSQL; what they say is sealed, since it may be a secret."""

import json
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.mails import Mail, QueuedMail
from services.auth.storage.tables import MAILS
from services.auth.storage.vault import Vault


class PostgresMailQueue:
    """The queue, as one transaction sees it."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def add(self, mail: Mail, user_id: uuid.UUID, now: datetime) -> None:
        """Queue a mail to a person."""
        await self._session.execute(
            sa.insert(MAILS).values(
                mail_id=mail.mail_id,
                user_id=user_id,
                sealed=self._vault.seal(_encode(mail), _context(mail.mail_id)),
                due_at=now,
                attempts=0,
            )
        )

    async def withdraw(self, user_id: uuid.UUID) -> None:
        """Drop what is queued for a person."""
        await self._session.execute(sa.delete(MAILS).where(MAILS.c.user_id == user_id))

    async def lease(self, now: datetime, lease: timedelta) -> QueuedMail | None:
        """Take the mail that is due longest; nobody else gets it until the lease ends."""
        due = (
            sa.select(MAILS.c.mail_id)
            .where(MAILS.c.due_at <= now)
            .order_by(MAILS.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        mail_id = await self._session.scalar(due)
        if mail_id is None:
            return None
        statement = (
            sa.update(MAILS)
            .where(MAILS.c.mail_id == mail_id)
            .values(due_at=now + lease, attempts=MAILS.c.attempts + 1)
            .returning(MAILS.c.sealed, MAILS.c.attempts)
        )
        row = (await self._session.execute(statement)).one()
        plain = self._vault.open(row.sealed, _context(mail_id))
        return QueuedMail(_decode(mail_id, plain), row.attempts)

    async def postpone(self, mail_id: uuid.UUID, until: datetime) -> None:
        """Try again later."""
        await self._session.execute(
            sa.update(MAILS).where(MAILS.c.mail_id == mail_id).values(due_at=until)
        )

    async def remove(self, mail_id: uuid.UUID) -> None:
        """Take a mail off the queue."""
        await self._session.execute(sa.delete(MAILS).where(MAILS.c.mail_id == mail_id))


def _context(mail_id: uuid.UUID) -> str:
    return f"mail {mail_id}"


def _encode(mail: Mail) -> bytes:
    document = {
        "recipient": mail.recipient,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "headers": mail.headers,
        "expires_at": mail.expires_at.isoformat() if mail.expires_at else None,
    }
    return json.dumps(document).encode()


def _decode(mail_id: uuid.UUID, plain: bytes) -> Mail:
    document = json.loads(plain)
    expires_at = document["expires_at"]
    return Mail(
        mail_id=mail_id,
        recipient=document["recipient"],
        subject=document["subject"],
        text=document["text"],
        html=document.get("html", ""),
        headers=tuple((name, value) for name, value in document["headers"]),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )
