"""What people do about where they are logged in."""

import uuid

from services.auth.domain.errors import SessionNotFound
from services.auth.domain.sessions import SessionPage
from services.auth.ports import RevocationHint, Store
from services.auth.usecases.opening import SessionOpener, end_sessions


class ListSessions:
    """Lists a person's sessions."""

    def __init__(self, store: Store, opener: SessionOpener) -> None:
        self._store = store
        self._opener = opener

    async def __call__(
        self, user_id: uuid.UUID, before: uuid.UUID | None, limit: int
    ) -> SessionPage:
        """Return a page of the sessions that can go on, newest first."""
        now = self._opener.clock()
        used_since = now - self._opener.lifetimes.refresh_token
        async with self._store.transaction() as tx:
            # One more than asked for tells whether there is a next page.
            found = await tx.sessions.list_live(user_id, before, limit + 1, used_since, now)
        page = found[:limit]
        return SessionPage(page, page[-1].session_id if len(found) > limit else None)


class RevokeSession:
    """Ends one of a person's sessions."""

    def __init__(self, store: Store, opener: SessionOpener, hint: RevocationHint) -> None:
        self._store = store
        self._opener = opener
        self._hint = hint

    async def __call__(self, user_id: uuid.UUID, session_id: uuid.UUID) -> None:
        """End a session; one that has ended stays so.

        Raises:
            SessionNotFound: the person has no such session.
        """
        async with self._store.transaction() as tx:
            session = await tx.sessions.lock(session_id)
            if session is None or session.user_id != user_id:
                raise SessionNotFound(session_id)
            if session.ended_at is not None:
                return
            await end_sessions(tx, [session], self._opener)
        await self._hint.announce()


class LogoutEverywhere:
    """Ends all of a person's sessions, or all but one."""

    def __init__(self, store: Store, opener: SessionOpener, hint: RevocationHint) -> None:
        self._store = store
        self._opener = opener
        self._hint = hint

    async def __call__(self, user_id: uuid.UUID, kept: uuid.UUID | None) -> None:
        """End the sessions of a person, except the one that is kept."""
        async with self._store.transaction() as tx:
            # A login holds the credential: waiting for it means that its session is seen here.
            await tx.credentials.lock(user_id)
            ending = [
                session
                for session in await tx.sessions.lock_open(user_id)
                if session.session_id != kept
            ]
            await end_sessions(tx, ending, self._opener)
        if ending:
            await self._hint.announce()
