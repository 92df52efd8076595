"""Machines: exchanging keys for access tokens, and ending keys whose maker has left."""

import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from services.auth.domain.api_keys import ApiKey, ApiKeyInvalid, may_grant, read_key
from services.auth.domain.credentials import Credential
from services.auth.domain.errors import CompanySuspended, LoginThrottled
from services.auth.domain.sessions import Origin
from services.auth.domain.tokens import IssuedToken, Revocation
from services.auth.ports import AuthenticationRecorder, Store, Transaction
from services.auth.usecases.api_keys import end_api_keys
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.throttling import LoginThrottle
from services.chassis.audit.entries import note_api_key, note_refusal
from services.chassis.identity import TenantScope

_NOBODY = (uuid.UUID(int=0), b"")
_EVERYTHING = TenantScope.everything()


@dataclass(frozen=True, slots=True)
class ApiKeyGrant:
    """What a machine gets for its key."""

    api_key: ApiKey
    issued: IssuedToken
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class ExchangeApiKey:
    """Exchanges a key for an access token."""

    store: Store
    throttle: LoginThrottle
    opener: SessionOpener
    recorder: AuthenticationRecorder

    async def __call__(self, text: str, origin: Origin) -> ApiKeyGrant:
        """Issue a token to whoever has a key.

        Raises:
            ApiKeyInvalid: it is none, or was revoked, or has expired.
            CompanySuspended: it is good, and nobody of its company may come in.
            LoginThrottled: too many failures before.
        """
        try:
            return await self._exchange(text, origin)
        except (ApiKeyInvalid, CompanySuspended, LoginThrottled) as err:
            self.recorder.failed(err.reason.lower())
            raise

    async def _exchange(self, text: str, origin: Origin) -> ApiKeyGrant:
        key_id, digest = read_key(text) or _NOBODY
        async with self.store.transaction() as tx:
            charges = await self.throttle.charge_machine(tx, str(key_id), origin.address)
        async with self.store.transaction() as tx:
            # Held while the token is signed: a revocation that waits for it covers the token.
            api_key = await tx.api_keys.lock(_EVERYTHING, key_id)
            if api_key is not None:
                note_api_key(key_id, api_key.role, api_key.company_id)
            known = api_key.digest if api_key else bytes(len(digest))
            right = hmac.compare_digest(known, digest)
            if not right or api_key is None or not api_key.is_live(self.opener.clock()):
                raise ApiKeyInvalid
            outcome = await self._outcome(tx, api_key, origin)
            if not isinstance(outcome, ApiKeyGrant):
                note_refusal(outcome.reason)
            await self.throttle.refund(tx, charges)
        # To be told of a suspension costs nothing, which the transaction above commits.
        if not isinstance(outcome, ApiKeyGrant):
            raise outcome
        return outcome

    async def _outcome(
        self, tx: Transaction, api_key: ApiKey, origin: Origin
    ) -> ApiKeyGrant | CompanySuspended:
        company_id = api_key.company_id
        if company_id is not None and (await tx.companies.hold(company_id)).is_closed:
            return CompanySuspended(company_id)
        used = api_key.used(origin.address, self.opener.clock())
        if used is not api_key:
            await tx.api_keys.save(_EVERYTHING, used)
        lifetime = self.opener.lifetimes.access_token
        issued = self.opener.issuer.issue(api_key.claims(), lifetime)
        return ApiKeyGrant(used, issued, int(lifetime.total_seconds()))


async def end_keys_of(
    tx: Transaction, maker_id: uuid.UUID, after: Credential | None, opener: SessionOpener
) -> Sequence[Revocation]:
    """End the keys that somebody made and could not make now; return what ends their tokens.

    Whoever leaves may have kept a copy of each.
    """
    now = opener.clock()
    role = after.role if after is not None and after.may_log_in else None
    ended = [
        api_key.revoked(now)
        for api_key in await tx.api_keys.lock_live_of(_EVERYTHING, maker_id, now)
        if not may_grant(role, api_key.role) or _is_foreign(after, api_key)
    ]
    return await end_api_keys(tx, ended, opener)


def _is_foreign(maker: Credential | None, api_key: ApiKey) -> bool:
    """Tell whether a key reaches a company that its maker doesn't."""
    return maker is not None and maker.company_id not in {None, api_key.company_id}
