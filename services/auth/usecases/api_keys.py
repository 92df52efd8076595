"""Making, listing and ending keys of machines."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.auth.domain.api_keys import (
    ApiKey,
    ApiKeyNotFound,
    ApiKeyPage,
    ApiKeyPolicy,
    CompanyRequired,
    MadeApiKey,
    NewApiKey,
    RoleNotGrantable,
    may_grant,
    new_secret,
    secret_digest,
    spell_key,
)
from services.auth.domain.errors import CompanyNotFound
from services.auth.domain.notices import api_key_mail
from services.auth.domain.tokens import Revocation
from services.auth.ports import RevocationHint, Store, Transaction, Wake
from services.auth.usecases.opening import SessionOpener
from services.auth.usecases.proving import Claim, Proving
from services.chassis.audit.entries import note_resource
from services.chassis.errors import TokenRevoked, invalid_field, require_quota
from services.chassis.identity import Caller, CreationRequest, Role, TenantScope

_QUOTA = "api_keys"


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """Makes a key."""

    prove: Proving
    opener: SessionOpener
    policy: ApiKeyPolicy
    wake: Wake

    async def __call__(self, caller: Caller, claim: Claim, new: NewApiKey) -> MadeApiKey:
        """Make a key, or find the one that an earlier try of the request made.

        A key lives on when the session that makes it has ended, so a token alone, which may have
        been stolen, makes none. Its maker is told by mail.

        Raises:
            DomainError: the caller doesn't prove who they are; as `Proving` says.
            RoleNotGrantable: the caller may not make keys of this role.
            CompanyRequired: the role reaches a company, and none is named.
            CompanyNotFound: it is out of the caller's reach.
            QuotaExceeded: there are as many keys as there may be.
            RequestIdReused: an earlier request under the id asked for something else.
        """
        new = _placed(caller, new)
        now = self.opener.clock()
        expires_at = new.expiry(self.policy, now)
        request = None
        if new.request_id is not None:
            request = CreationRequest.of(caller.user_id, new.request_id, new.asked_for)
        async with self.prove(claim) as (tx, creator):
            # They are locked, so that no key is made beside the end of its maker's access.
            if (creator.role, creator.company_id) != (caller.role, caller.company_id):
                raise TokenRevoked("The token says what no longer holds.")
            await self._require_company(tx, new.company_id)
            if request and (made := await tx.api_keys.made_by(caller.scope, request)):
                note_resource("api_key", made.key_id, made.company_id)
                return await self._again(tx, caller.scope, made)
            used = await tx.api_keys.count_live(caller.scope, new.company_id, now)
            require_quota(_QUOTA, limit=self.policy.per_company_max, used=used)
            secret = new_secret()
            api_key = ApiKey(
                key_id=self.opener.new_id(),
                company_id=new.company_id,
                display_name=new.display_name,
                role=new.role,
                scopes=tuple(sorted(new.scopes)),
                digest=secret_digest(secret),
                creator_id=caller.user_id,
                created_at=now,
                expires_at=expires_at,
            )
            note_resource("api_key", api_key.key_id, api_key.company_id)
            await tx.api_keys.add(caller.scope, api_key, request)
            mail = api_key_mail(self.opener.new_id(), creator, api_key, claim.owner.origin)
            await tx.mails.add(mail, creator.user_id, now)
        self.wake()
        return MadeApiKey(api_key, spell_key(api_key.key_id, secret))

    async def _require_company(self, tx: Transaction, company_id: uuid.UUID | None) -> None:
        """Make sure that a key doesn't come to a company that is being erased."""
        if company_id is not None and (await tx.companies.hold(company_id)).is_going:
            raise CompanyNotFound(company_id)

    async def _again(self, tx: Transaction, scope: TenantScope, made: ApiKey) -> MadeApiKey:
        """Replace the secret of an answer that got lost, unless somebody has it and uses it."""
        current = await tx.api_keys.lock(scope, made.key_id)
        if current is None:
            raise ApiKeyNotFound(made.key_id)
        if current.used_at is not None or not current.is_live(self.opener.clock()):
            return MadeApiKey(current, "")
        secret = new_secret()
        fresh = replace(current, digest=secret_digest(secret))
        await tx.api_keys.save(scope, fresh)
        return MadeApiKey(fresh, spell_key(fresh.key_id, secret))


@dataclass(frozen=True, slots=True)
class ListApiKeys:
    """Lists keys."""

    store: Store

    async def __call__(
        self,
        caller: Caller,
        company_id: uuid.UUID | None,
        before: uuid.UUID | None,
        limit: int,
    ) -> ApiKeyPage:
        """Return a page of the keys in the caller's reach, newest first.

        Raises:
            CompanyNotFound: the company is out of the caller's reach.
        """
        scope = caller.scope
        if company_id is not None:
            if not scope.includes(company_id):
                raise CompanyNotFound(company_id)
            scope = TenantScope.company(company_id)
        async with self.store.transaction() as tx:
            # One more than asked for tells whether there is a next page.
            found = await tx.api_keys.list_before(scope, before, limit + 1)
        page = found[:limit]
        return ApiKeyPage(page, page[-1].key_id if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    """Ends a key."""

    store: Store
    opener: SessionOpener
    hint: RevocationHint

    async def __call__(self, caller: Caller, key_id: uuid.UUID) -> ApiKey:
        """End a key and its access tokens; one that has ended stays so.

        Raises:
            ApiKeyNotFound: no such key is in the caller's reach.
        """
        async with self.store.transaction() as tx:
            api_key = await tx.api_keys.lock(caller.scope, key_id)
            if api_key is None:
                raise ApiKeyNotFound(key_id)
            note_resource("api_key", key_id, api_key.company_id)
            if api_key.revoked_at is not None:
                return api_key
            ended = api_key.revoked(self.opener.clock())
            await tx.revocations.append(await end_api_keys(tx, [ended], self.opener))
        await self.hint.announce()
        return ended


async def end_api_keys(
    tx: Transaction, ended: Sequence[ApiKey], opener: SessionOpener
) -> Sequence[Revocation]:
    """Store keys that are locked and were ended; return what ends their access tokens."""
    now = opener.clock()
    for api_key in ended:
        await tx.api_keys.save(TenantScope.everything(), api_key)
    return [Revocation.of_api_key(api_key.key_id, opener.lifetimes, now) for api_key in ended]


def _placed(caller: Caller, new: NewApiKey) -> NewApiKey:
    """Return the key with the company that it will reach."""
    if not may_grant(caller.role, new.role):
        raise RoleNotGrantable(new.role)
    if new.role is Role.MASTER:
        if new.company_id is not None:
            raise invalid_field("api_key.company_id", "A master's key belongs to no company.")
        return new
    company_id = new.company_id or caller.company_id
    if company_id is None:
        raise CompanyRequired
    if not caller.scope.includes(company_id):
        raise CompanyNotFound(company_id)
    return replace(new, company_id=company_id)
