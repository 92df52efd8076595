"""Logging in, staying logged in, logging out."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.auth.domain.credentials import Credential, normalise_email
from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.passwords import normalise_password
from services.auth.domain.sessions import (
    Origin,
    RefreshToken,
    Session,
    SessionGrant,
    new_refresh_token,
    new_session,
    refresh_token_digest,
)
from services.auth.domain.tokens import Lifetimes, Revocation, user_claims
from services.auth.domain.totp import Proof
from services.auth.domain.warnings import reuse_mail
from services.auth.ports import (
    AuthenticationRecorder,
    Clock,
    PasswordHasher,
    RevocationHint,
    Store,
    TokenIssuer,
    Transaction,
    Wake,
)
from services.auth.usecases.second_factors import SecondFactors, Verdict
from services.auth.usecases.throttling import LoginThrottle


@dataclass(frozen=True, slots=True)
class SessionOpener:
    """Opens a session for somebody who has proved who they are."""

    issuer: TokenIssuer
    lifetimes: Lifetimes
    clock: Clock
    new_id: Callable[[], uuid.UUID]

    async def open(
        self, tx: Transaction, credential: Credential, address_digest: bytes, origin: Origin
    ) -> SessionGrant:
        """Open a session; the credential is locked, so the tokens say what holds."""
        now = self.clock()
        session = new_session(
            self.new_id(), credential, address_digest, origin, self.lifetimes, now
        )
        secret, token = self.new_refresh_token(session)
        await tx.sessions.add(session, token)
        return self.grant(credential, session, secret)

    def new_refresh_token(self, session: Session) -> tuple[str, RefreshToken]:
        """Make a refresh token; it ends with its session at the latest."""
        secret = new_refresh_token()
        expires_at = min(self.clock() + self.lifetimes.refresh_token, session.expires_at)
        digest = refresh_token_digest(secret)
        return secret, RefreshToken(digest, session.session_id, expires_at)

    def grant(self, credential: Credential, session: Session, secret: str) -> SessionGrant:
        """Sign an access token and hand it out with the refresh token."""
        claims = user_claims(credential, session.session_id)
        issued = self.issuer.issue(claims, self.lifetimes.access_token)
        return SessionGrant(
            access_token=issued.token,
            expires_in_s=int(self.lifetimes.access_token.total_seconds()),
            refresh_token=secret,
            user_id=credential.user_id,
            role=credential.role,
            company_id=credential.company_id,
        )


class Login:
    """Opens a session for an e-mail address, a password, and a second factor if there is one."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        hasher: PasswordHasher,
        factors: SecondFactors,
        opener: SessionOpener,
        recorder: AuthenticationRecorder,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._hasher = hasher
        self._factors = factors
        self._opener = opener
        self._recorder = recorder

    async def __call__(
        self, email: str, password: str, proof: Proof, origin: Origin
    ) -> SessionGrant:
        """Log in from somewhere.

        Raises:
            CredentialsInvalid: no such person, wrong password, or no access.
            TwoFactorRequired: the password is right, and there is an authenticator.
            TwoFactorInvalid: its code is wrong or was used.
            LoginThrottled: too many failures before, or too much to do now.
        """
        try:
            grant = await self._log_in(normalise_email(email), password, proof, origin)
        except (CredentialsInvalid, TwoFactorRequired, TwoFactorInvalid, LoginThrottled) as err:
            self._recorder.failed(err.reason.lower())
            raise
        self._recorder.succeeded(grant.role)
        return grant

    async def _log_in(
        self, email: str, password: str, proof: Proof, origin: Origin
    ) -> SessionGrant:
        async with self._store.transaction() as tx:
            credential = await tx.credentials.find_by_email(email)
            user_id = credential.user_id if credential else None
            charges = await self._throttle.charge(tx, email, user_id, origin.address)
        # No transaction stays open meanwhile: hashing takes long. A credential that can't log in
        # is checked against no password at all, which takes the same time.
        known_hash = credential.password_hash if credential and credential.may_log_in else None
        plain = normalise_password(password)
        async with self._throttle.refunding(self._store, charges, LoginThrottled):
            verified = await self._hasher.verify(known_hash, plain)
        if not verified or credential is None:
            raise CredentialsInvalid
        renewed = None
        if known_hash is not None and self._hasher.is_outdated(known_hash):
            renewed = await self._hasher.hash(plain)
        async with self._store.transaction() as tx:
            current = await tx.credentials.lock(credential.user_id)
            if current is None or not current.still_is(credential):
                raise CredentialsInvalid
            if renewed is not None:
                current = current.with_password(renewed)
                await tx.credentials.save(current, self._opener.clock())
            verdict = await self._factors.judge(tx, current.user_id, proof)
            if verdict is Verdict.WRONG:
                raise TwoFactorInvalid
            grant = None
            if verdict is not Verdict.MISSING:
                digest = self._throttle.address_digest(origin.address)
                grant = await self._opener.open(tx, current, digest, origin)
            await self._throttle.refund(tx, charges)
        # To be asked for the code costs nothing, which the transaction above commits.
        if grant is None:
            raise TwoFactorRequired
        return grant


class RefreshSession:
    """Exchanges a refresh token for new tokens, once."""

    def __init__(
        self,
        store: Store,
        opener: SessionOpener,
        hint: RevocationHint,
        recorder: AuthenticationRecorder,
        wake: Wake,
    ) -> None:
        self._store = store
        self._opener = opener
        self._hint = hint
        self._recorder = recorder
        self._wake = wake

    async def __call__(self, refresh_token: str, origin: Origin) -> SessionGrant:
        """Refresh a session from somewhere.

        Raises:
            RefreshTokenInvalid: unknown, expired, or the session has ended.
            RefreshTokenReused: spent before; the session has ended now.
        """
        async with self._store.transaction() as tx:
            outcome = await self._refresh(tx, refresh_token_digest(refresh_token), origin)
        # The transaction above commits the end of a session whose token was reused: raising in
        # it would have undone that.
        if isinstance(outcome, SessionGrant):
            return outcome
        self._recorder.failed(outcome.reason.lower())
        if isinstance(outcome, RefreshTokenReused):
            await self._hint.announce()
            self._wake()
        raise outcome

    async def _refresh(
        self, tx: Transaction, digest: bytes, origin: Origin
    ) -> SessionGrant | RefreshTokenInvalid | RefreshTokenReused:
        found = await tx.sessions.lock_by_token(digest)
        if found is None:
            return RefreshTokenInvalid()
        session, token = found
        now = self._opener.clock()
        if token.used_at is not None:
            await self._end(tx, session, origin)
            return RefreshTokenReused()
        credential = await tx.credentials.find(session.user_id)
        may_go_on = session.is_live(now) and now < token.expires_at
        if not may_go_on or credential is None or not credential.may_log_in:
            return RefreshTokenInvalid()
        secret, fresh = self._opener.new_refresh_token(session)
        await tx.sessions.rotate(token.used(now), fresh)
        await tx.sessions.save(session.used(origin, now))
        return self._opener.grant(credential, session, secret)

    async def _end(self, tx: Transaction, session: Session, origin: Origin) -> None:
        """End a session and tell its owner; one that has ended was told of, or is nobody's loss."""
        owner = await tx.credentials.find(session.user_id)
        if session.ended_at is not None or owner is None:
            return
        now = self._opener.clock()
        mail = reuse_mail(self._opener.new_id(), owner, origin, now)
        await tx.mails.add(mail, owner.user_id, now)
        await end_sessions(tx, [session], self._opener)


class Logout:
    """Ends a session."""

    def __init__(self, store: Store, opener: SessionOpener, hint: RevocationHint) -> None:
        self._store = store
        self._opener = opener
        self._hint = hint

    async def __call__(self, session_id: uuid.UUID) -> None:
        """End a session; one that has ended stays so."""
        async with self._store.transaction() as tx:
            session = await tx.sessions.lock(session_id)
            if session is None or session.ended_at is not None:
                return
            await end_sessions(tx, [session], self._opener)
        await self._hint.announce()


async def end_sessions(tx: Transaction, sessions: Sequence[Session], opener: SessionOpener) -> None:
    """End sessions that are locked; their access tokens stop working too."""
    now = opener.clock()
    for session in sessions:
        await tx.sessions.save(session.ended(now))
    await tx.revocations.append(
        [Revocation.of_session(session.session_id, opener.lifetimes, now) for session in sessions]
    )
