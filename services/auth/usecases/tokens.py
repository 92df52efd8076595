"""Tokens for services and devices, and the list of what was revoked."""

import hmac
import uuid
from collections.abc import Mapping

from services.auth.domain.errors import CompanySuspended, ServiceCredentialsInvalid
from services.auth.domain.sessions import SUBJECT_SESSIONS_REVOKED_MAX, revoked_with
from services.auth.domain.tokens import (
    REVOCATIONS_PER_PAGE_MAX,
    IssuedToken,
    Lifetimes,
    Revocation,
    RevocationPage,
    device_claims,
    service_claims,
)
from services.auth.ports import AuthenticationRecorder, Clock, RevocationHint, Store
from services.auth.ports.keys import TokenIssuer
from services.chassis.audit.entries import note_account, note_resource


class IssueServiceToken:
    """Exchanges a service's secret for a token."""

    def __init__(
        self,
        secrets: Mapping[str, str],
        issuer: TokenIssuer,
        lifetimes: Lifetimes,
        recorder: AuthenticationRecorder,
    ) -> None:
        self._secrets = dict(secrets)
        self._issuer = issuer
        self._lifetimes = lifetimes
        self._recorder = recorder

    def __call__(self, service: str, secret: str) -> IssuedToken:
        """Issue a token to a service.

        Raises:
            ServiceCredentialsInvalid: unknown service or wrong secret.
        """
        expected = self._secrets.get(service, "")
        equal = hmac.compare_digest(expected.encode(), secret.encode())
        if not equal or not expected:
            error = ServiceCredentialsInvalid()
            note_account(None)
            self._recorder.failed(error.reason.lower())
            raise error
        return self._issuer.issue(service_claims(service), self._lifetimes.service_token)


class IssueDeviceToken:
    """Signs tokens for devices that telemetry has authenticated."""

    def __init__(self, store: Store, issuer: TokenIssuer, lifetimes: Lifetimes) -> None:
        self._store = store
        self._issuer = issuer
        self._lifetimes = lifetimes

    async def __call__(self, device_id: uuid.UUID, company_id: uuid.UUID) -> IssuedToken:
        """Issue a token to a device.

        Raises:
            CompanySuspended: its company is.
        """
        claims = device_claims(device_id, company_id)
        async with self._store.transaction() as tx:
            # Signed while it is held: a company that is suspended from now on revokes it.
            company = await tx.companies.hold(company_id)
            if company.is_closed:
                raise CompanySuspended(company_id)
            return self._issuer.issue(claims, self._lifetimes.device_token)


class RevokeSubject:
    """Ends everything that was issued to a person or a device until now."""

    def __init__(
        self, store: Store, lifetimes: Lifetimes, clock: Clock, hint: RevocationHint
    ) -> None:
        self._store = store
        self._lifetimes = lifetimes
        self._clock = clock
        self._hint = hint

    async def __call__(self, subject: uuid.UUID) -> None:
        """End the tokens of a subject; refresh tokens are among them, so sessions end too."""
        async with self._store.transaction() as tx:
            note_resource("subject", subject)
            # A login holds the credential: waiting for it means that its session is seen here.
            await tx.credentials.lock(subject)
            sessions = await tx.sessions.lock_open(subject)
            now = self._clock()
            await tx.sessions.end(sessions, now)
            ended = revoked_with(sessions, self._lifetimes, now)[:SUBJECT_SESSIONS_REVOKED_MAX]
            revoked = Revocation.of_subject(subject, self._lifetimes, now)
            await tx.revocations.append([revoked, *ended])
        await self._hint.announce()


class ListRevocations:
    """Lists what was revoked and still matters."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, position: int) -> RevocationPage:
        """Return what was committed after a position, in that order."""
        async with self._store.transaction() as tx:
            return await tx.revocations.list_after(
                position, REVOCATIONS_PER_PAGE_MAX, self._clock()
            )
