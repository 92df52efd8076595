"""What opening sessions, going on with them and ending them have in common."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.auth.domain.companies import Company
from services.auth.domain.credentials import Credential
from services.auth.domain.errors import CompanySuspended
from services.auth.domain.sessions import (
    Origin,
    RefreshToken,
    Session,
    SessionGrant,
    displaced,
    new_refresh_token,
    new_session,
    refresh_token_digest,
    revoked_with,
)
from services.auth.domain.tokens import Lifetimes, user_claims
from services.auth.ports import Clock, Transaction
from services.auth.ports.keys import TokenIssuer
from services.chassis.audit.entries import note_account
from services.chassis.identity import Restriction


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened, and those that have to end for it."""

    grant: SessionGrant
    displaced: Sequence[Session]


@dataclass(frozen=True, slots=True)
class SessionOpener:
    """Opens a session for somebody who has proved who they are."""

    issuer: TokenIssuer
    lifetimes: Lifetimes
    clock: Clock
    new_id: Callable[[], uuid.UUID]
    sessions_max: int
    """How many sessions anybody may have. Without a bound, somebody who logs in again and again
    would have more than can be ended in a moment: then nobody could shut them out."""

    async def open(
        self, tx: Transaction, credential: Credential, address_digest: bytes, origin: Origin
    ) -> Opened:
        """Open a session; the credential is locked, so the tokens say what holds.

        The displaced sessions are the caller's to end, as the last thing in the transaction.

        Raises:
            CompanySuspended: nothing was changed.
        """
        note_account(credential.user_id, credential.role, credential.company_id)
        company = await hold_company(tx, credential)
        if company is not None and company.is_closed:
            raise CompanySuspended(company.company_id)
        now = self.clock()
        leaving = await self._displaced(tx, credential, company)
        session = new_session(
            self.new_id(), credential, address_digest, origin, self.lifetimes, now
        )
        secret, token = self.new_refresh_token(session)
        await tx.sessions.add(session, token)
        return Opened(await self.grant(tx, credential, company, session, secret), leaving)

    async def _displaced(
        self, tx: Transaction, credential: Credential, company: Company | None
    ) -> Sequence[Session]:
        """Return the sessions that have to end for another one, locked."""
        own = company.policy.sessions_per_user_max if company is not None else 0
        sessions_max = min(own or self.sessions_max, self.sessions_max)
        if await tx.sessions.count_open(credential.user_id) < sessions_max:
            return []
        sessions = await tx.sessions.lock_open(credential.user_id)
        return displaced(sessions, sessions_max, self.lifetimes, self.clock())

    def new_refresh_token(self, session: Session) -> tuple[str, RefreshToken]:
        """Make a refresh token; it ends with its session at the latest."""
        secret = new_refresh_token()
        expires_at = min(self.clock() + self.lifetimes.refresh_token, session.expires_at)
        digest = refresh_token_digest(secret)
        return secret, RefreshToken(digest, session.session_id, expires_at)

    async def grant(
        self,
        tx: Transaction,
        credential: Credential,
        company: Company | None,
        session: Session,
        secret: str,
    ) -> SessionGrant:
        """Sign an access token and hand it out with the refresh token."""
        restriction = await _restriction(tx, credential, company)
        claims = user_claims(credential, session.session_id, restriction)
        issued = self.issuer.issue(claims, self.lifetimes.access_token)
        return SessionGrant(
            access_token=issued.token,
            expires_in_s=int(self.lifetimes.access_token.total_seconds()),
            refresh_token=secret,
            user_id=credential.user_id,
            role=credential.role,
            company_id=credential.company_id,
            restriction=restriction,
        )


async def hold_company(tx: Transaction, credential: Credential) -> Company | None:
    """Return the company of a person, as it stays until the transaction ends; masters have none."""
    if credential.company_id is None:
        return None
    return await tx.companies.hold(credential.company_id)


async def end_sessions(tx: Transaction, sessions: Sequence[Session], opener: SessionOpener) -> None:
    """End sessions that are locked; their access tokens stop working too."""
    now = opener.clock()
    await tx.sessions.end(sessions, now)
    await tx.revocations.append(revoked_with(sessions, opener.lifetimes, now))


async def _restriction(
    tx: Transaction, credential: Credential, company: Company | None
) -> Restriction | None:
    if company is None or not company.wants_second_factor(credential.role):
        return None
    totp = await tx.second_factors.find(credential.user_id)
    enrolled = totp is not None and totp.confirmed_at is not None
    return None if enrolled else Restriction.TWO_FACTOR_ENROLLMENT
