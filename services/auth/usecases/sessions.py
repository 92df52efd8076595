"""Logging in, staying logged in, logging out."""

import contextlib
import uuid

from services.auth.domain.credentials import Credential, normalise_email
from services.auth.domain.errors import (
    CompanySuspended,
    CredentialsInvalid,
    LoginThrottled,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.passwords import normalise_password
from services.auth.domain.sessions import Origin, Session, SessionGrant, refresh_token_digest
from services.auth.domain.totp import Proof
from services.auth.domain.warnings import reuse_mail
from services.auth.ports import AuthenticationRecorder, RevocationHint, Store, Transaction, Wake
from services.auth.ports.passwords import PasswordHasher
from services.auth.usecases.opening import Opened, SessionOpener, end_sessions, hold_company
from services.auth.usecases.second_factors import SecondFactors, Verdict
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.audit.entries import note_account, note_refusal


def _note(credential: Credential | None) -> None:
    """Say for the audit log whose account it is."""
    if credential is None:
        note_account(None)
    else:
        note_account(credential.user_id, credential.role, credential.company_id)


class Login:
    """Opens a session for an e-mail address, a password, and a second factor if there is one."""

    def __init__(
        self,
        store: Store,
        throttle: LoginThrottle,
        hasher: PasswordHasher,
        factors: SecondFactors,
        opener: SessionOpener,
        hint: RevocationHint,
        recorder: AuthenticationRecorder,
    ) -> None:
        self._store = store
        self._throttle = throttle
        self._hasher = hasher
        self._factors = factors
        self._opener = opener
        self._hint = hint
        self._recorder = recorder

    async def __call__(
        self, email: str, password: str, proof: Proof, origin: Origin
    ) -> SessionGrant:
        """Log in from somewhere.

        Raises:
            CredentialsInvalid: no such person, wrong password, or no access.
            TwoFactorRequired: the password is right, and there is an authenticator.
            TwoFactorInvalid: its code is wrong or was used.
            CompanySuspended: all of it is right.
            LoginThrottled: too many failures before, or too much to do now.
        """
        try:
            opened = await self._log_in(normalise_email(email), password, proof, origin)
        except (
            CredentialsInvalid,
            TwoFactorRequired,
            TwoFactorInvalid,
            CompanySuspended,
            LoginThrottled,
        ) as err:
            self._recorder.failed(err.reason.lower())
            raise
        self._recorder.succeeded(opened.grant.role)
        if opened.displaced:
            await self._hint.announce()
        return opened.grant

    async def _log_in(self, email: str, password: str, proof: Proof, origin: Origin) -> Opened:
        async with self._store.transaction() as tx:
            credential = await tx.credentials.find_by_email(email)
            user_id = credential.user_id if credential else None
            _note(credential)
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
            # A queue that is full now leaves it to the next login.
            with contextlib.suppress(LoginThrottled):
                renewed = await self._hasher.hash(plain)
        async with self._store.transaction() as tx:
            current = await tx.credentials.lock(credential.user_id)
            if current is None or not current.still_is(credential):
                raise CredentialsInvalid
            if renewed is not None:
                current = current.with_password(renewed)
                await tx.credentials.save(current, self._opener.clock())
            verdict = await self._factors.judge(tx, current.user_id, proof)
            outcome = await self._outcome(tx, current, verdict, origin)
            if not isinstance(outcome, Opened):
                note_refusal(outcome.reason)
            await self._throttle.refund(tx, charges)
            if isinstance(outcome, Opened):
                await end_sessions(tx, outcome.displaced, self._opener)
        # To be asked for the code, or told of a suspension, costs nothing: that is committed.
        if not isinstance(outcome, Opened):
            raise outcome
        return outcome

    async def _outcome(
        self, tx: Transaction, credential: Credential, verdict: Verdict, origin: Origin
    ) -> Opened | TwoFactorRequired | CompanySuspended:
        if verdict is Verdict.WRONG:
            raise TwoFactorInvalid
        if verdict is Verdict.MISSING:
            return TwoFactorRequired()
        digest = self._throttle.address_digest(origin.address)
        try:
            return await self._opener.open(tx, credential, digest, origin)
        except CompanySuspended as err:
            return err


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
            CompanySuspended: it would be good otherwise.
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
    ) -> SessionGrant | RefreshTokenInvalid | RefreshTokenReused | CompanySuspended:
        found = await tx.sessions.lock_by_token(digest)
        if found is None:
            return RefreshTokenInvalid()
        session, token = found
        now = self._opener.clock()
        credential = await tx.credentials.find(session.user_id)
        _note(credential)
        if token.used_at is not None:
            note_refusal(RefreshTokenReused.reason)
            await self._end(tx, session, origin)
            return RefreshTokenReused()
        in_time = now < session.expires_at and now < token.expires_at
        if not in_time or credential is None or not credential.may_log_in:
            return RefreshTokenInvalid()
        company = await hold_company(tx, credential)
        if company is not None and company.is_closed:
            return CompanySuspended(company.company_id)
        # Whoever was shut out logs in again, however soon the company was opened again.
        shut_out = company is not None and company.ended(session.opened_at)
        if session.ended_at is not None or shut_out:
            return RefreshTokenInvalid()
        secret, fresh = self._opener.new_refresh_token(session)
        await tx.sessions.rotate(token.used(now), fresh)
        await tx.sessions.save(session.used(origin, now))
        return await self._opener.grant(tx, credential, company, session, secret)

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
