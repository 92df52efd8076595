"""Keys of machines in PostgreSQL; where they are used from is sealed."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth.domain.api_keys import ApiKey, ApiKeyNotFound
from services.auth.storage.tables import API_KEYS, ApiKeyRow
from services.auth.storage.vault import Vault
from services.chassis.creations import made_by
from services.chassis.identity import CreationRequest, Role, TenantScope
from services.chassis.locks import lock_work


class PostgresApiKeyRepository:
    """Keys of one transaction."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def add(
        self, scope: TenantScope, api_key: ApiKey, request: CreationRequest | None
    ) -> None:
        """Store a key, and the request that makes it."""
        if not api_key.within(scope):
            raise ApiKeyNotFound(api_key.key_id)
        row = ApiKeyRow(**self._values(api_key))
        row.remember(request)
        self._session.add(row)
        await self._session.flush()

    async def made_by(self, scope: TenantScope, request: CreationRequest) -> ApiKey | None:
        """Find the key that an earlier try of a request made."""
        row = await made_by(self._session, ApiKeyRow, _within(scope), request)
        return None if row is None else self._read(row)

    async def lock(self, scope: TenantScope, key_id: uuid.UUID) -> ApiKey | None:
        """Return a key and keep it from changing until the transaction ends."""
        query = sa.select(API_KEYS).where(_within(scope), API_KEYS.c.key_id == key_id)
        row = (await self._session.execute(query.with_for_update())).one_or_none()
        return None if row is None else self._read(row)

    async def lock_live_of(
        self, scope: TenantScope, creator_id: uuid.UUID, now: datetime
    ) -> Sequence[ApiKey]:
        """Return the keys that somebody made and that work, all locked."""
        query = (
            sa.select(API_KEYS)
            .where(_within(scope), API_KEYS.c.creator_id == creator_id, *_live(now))
            .order_by(API_KEYS.c.key_id)
            .with_for_update()
        )
        return [self._read(row) for row in await self._session.execute(query)]

    async def list_before(
        self, scope: TenantScope, before: uuid.UUID | None, limit: int
    ) -> Sequence[ApiKey]:
        """Return keys, the highest id (the newest) first."""
        query = sa.select(API_KEYS).where(_within(scope))
        if before is not None:
            query = query.where(API_KEYS.c.key_id < before)
        query = query.order_by(API_KEYS.c.key_id.desc()).limit(limit)
        return [self._read(row) for row in await self._session.execute(query)]

    async def count_live(
        self, scope: TenantScope, company_id: uuid.UUID | None, now: datetime
    ) -> int:
        """Count the keys of a company, or of none, that work; keep others from adding any."""
        await lock_work(self._session, f"api-keys/{company_id}")
        owned = API_KEYS.c.company_id.is_not_distinct_from(company_id)
        query = sa.select(sa.func.count()).where(_within(scope), owned, *_live(now))
        return await self._session.scalar(query) or 0

    async def save(self, scope: TenantScope, api_key: ApiKey) -> None:
        """Store a changed key."""
        await self._session.execute(
            sa.update(API_KEYS)
            .where(_within(scope), API_KEYS.c.key_id == api_key.key_id)
            .values(self._values(api_key))
        )

    async def remove_some(self, scope: TenantScope, limit: int) -> int:
        """Erase some keys of the scope; tell how many."""
        some = sa.select(API_KEYS.c.key_id).where(_within(scope)).limit(limit)
        statement = sa.delete(API_KEYS).where(API_KEYS.c.key_id.in_(some))
        removed = await self._session.execute(statement.returning(API_KEYS.c.key_id))
        return len(removed.all())

    async def prune(self, scope: TenantScope, ended_before: datetime) -> None:
        """Forget keys that ended long ago."""
        ended = sa.func.least(API_KEYS.c.revoked_at, API_KEYS.c.expires_at) <= ended_before
        await self._session.execute(sa.delete(API_KEYS).where(_within(scope), ended))

    def _values(self, api_key: ApiKey) -> dict[str, Any]:
        sealed = None
        if api_key.used_from:
            sealed = self._vault.seal(api_key.used_from.encode(), _context(api_key.key_id))
        return {
            "key_id": api_key.key_id,
            "company_id": api_key.company_id,
            "display_name": api_key.display_name,
            "role": api_key.role.value,
            "scopes": list(api_key.scopes),
            "digest": api_key.digest,
            "creator_id": api_key.creator_id,
            "created_at": api_key.created_at,
            "expires_at": api_key.expires_at,
            "revoked_at": api_key.revoked_at,
            "used_at": api_key.used_at,
            "sealed_used_from": sealed,
        }

    def _read(self, row: sa.Row[Any] | ApiKeyRow) -> ApiKey:
        used_from = ""
        if row.sealed_used_from is not None:
            used_from = self._vault.open(row.sealed_used_from, _context(row.key_id)).decode()
        return ApiKey(
            key_id=row.key_id,
            company_id=row.company_id,
            display_name=row.display_name,
            role=Role(row.role),
            scopes=tuple(row.scopes),
            digest=row.digest,
            creator_id=row.creator_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            used_at=row.used_at,
            used_from=used_from,
        )


def _within(scope: TenantScope) -> sa.ColumnElement[bool]:
    return sa.true() if scope.company_id is None else API_KEYS.c.company_id == scope.company_id


def _live(now: datetime) -> Sequence[sa.ColumnElement[bool]]:
    return API_KEYS.c.revoked_at.is_(None), API_KEYS.c.expires_at > now


def _context(key_id: uuid.UUID) -> str:
    return f"use of API key {key_id}"
