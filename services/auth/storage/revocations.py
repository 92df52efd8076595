"""The log of revocations and the buckets of the login throttle, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.tokens import Revocation, RevocationPage
from services.auth.storage.tables import LOGIN_ATTEMPTS, REVOCATIONS
from services.chassis.locks import lock_work

_APPEND_WORK = "revocations"


class PostgresRevocationRepository:
    """The log of revocations, as one transaction sees it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def append(self, revocations: Sequence[Revocation]) -> None:
        """Add to the log: positions follow the order of commits, so a reader skips none.

        Positions come from a sequence, and transactions don't commit in the order in which they
        draw from it. The lock makes them: it is held from before the draw until the commit is
        visible. Reading only below the oldest running transaction would do without a lock, but
        then any long transaction in the cluster, of whichever service, would hold up the list.
        """
        if not revocations:
            return
        await lock_work(self._session, _APPEND_WORK)
        await self._session.execute(
            sa.insert(REVOCATIONS), [asdict(revocation) for revocation in revocations]
        )

    async def list_after(self, position: int, limit: int, now: datetime) -> RevocationPage:
        """Return what was revoked after a position and still matters."""
        query = (
            sa.select(REVOCATIONS)
            .where(REVOCATIONS.c.position > position, REVOCATIONS.c.expires_at > now)
            .order_by(REVOCATIONS.c.position)
            .limit(limit + 1)
        )
        rows = (await self._session.execute(query)).all()
        page = rows[:limit]
        return RevocationPage(
            revocations=[
                Revocation(
                    row.session_id, row.subject, row.revoked_at, row.expires_at, row.company_id
                )
                for row in page
            ],
            next_position=page[-1].position if page else position,
            more=len(rows) > limit,
        )

    async def prune(self, now: datetime) -> None:
        """Forget revocations that no longer matter."""
        await self._session.execute(sa.delete(REVOCATIONS).where(REVOCATIONS.c.expires_at <= now))


class PostgresAttemptRepository:
    """Buckets of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, keys: Sequence[bytes], now: datetime) -> Mapping[bytes, datetime]:
        """Return the buckets and keep them from changing until the transaction ends."""
        # In one order for everybody, so that nobody waits in a circle.
        rows = [{"key": key, "spent_until": now} for key in sorted(set(keys))]
        unchanged = {"spent_until": LOGIN_ATTEMPTS.c.spent_until}
        statement = (
            insert(LOGIN_ATTEMPTS)
            .values(rows)
            .on_conflict_do_update(index_elements=[LOGIN_ATTEMPTS.c.key], set_=unchanged)
            .returning(LOGIN_ATTEMPTS.c.key, LOGIN_ATTEMPTS.c.spent_until)
        )
        return {row.key: row.spent_until for row in await self._session.execute(statement)}

    async def save(self, buckets: Mapping[bytes, datetime]) -> None:
        """Store changed buckets."""
        for key, spent_until in buckets.items():
            await self._session.execute(
                sa.update(LOGIN_ATTEMPTS)
                .where(LOGIN_ATTEMPTS.c.key == key)
                .values(spent_until=spent_until)
            )

    async def prune(self, now: datetime) -> None:
        """Forget empty buckets."""
        # Those that a login holds stay for the next round: waiting for them, while holding others
        # that the login waits for, would be a circle.
        empty = (
            sa.select(LOGIN_ATTEMPTS.c.key)
            .where(LOGIN_ATTEMPTS.c.spent_until <= now)
            .with_for_update(skip_locked=True)
        )
        await self._session.execute(
            sa.delete(LOGIN_ATTEMPTS).where(LOGIN_ATTEMPTS.c.key.in_(empty))
        )
