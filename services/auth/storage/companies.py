"""Companies as auth knows them, and what it tells of them, in PostgreSQL."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from services.auth import codec
from services.auth.domain.companies import Company, CompanyState, SecurityPolicy
from services.auth.storage.tables import COMPANIES
from services.chassis.identity import Role
from services.chassis.ids import new_id
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event

COMPANY_ERASED_SUBJECT = "events.auth.company_erased"

_GOING = [state.value for state in (CompanyState.DELETING, CompanyState.DELETED)]


class PostgresCompanyRepository:
    """Companies of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hold(self, company_id: uuid.UUID) -> Company:
        """Return a company, which stays as it is until the transaction ends; others may hold it."""
        query = _one(company_id).with_for_update(read=True)
        return await self._find(query) or await self._made(company_id, query)

    async def lock(self, company_id: uuid.UUID) -> Company:
        """Return a company to change it, once nobody holds it any more."""
        query = _one(company_id).with_for_update()
        return await self._find(query) or await self._made(company_id, query)

    async def save(self, company: Company) -> None:
        """Store a company that is locked."""
        await self._session.execute(
            sa.update(COMPANIES)
            .where(COMPANIES.c.company_id == company.company_id)
            .values(**_values(company))
        )

    async def find_lingering(self) -> Company | None:
        """Return a company some of whose sessions may still have to be marked as ended."""
        query = sa.select(COMPANIES).where(COMPANIES.c.lingering)
        return await self._find(query.order_by(COMPANIES.c.closed_at).limit(1))

    async def note_swept(self, company: Company) -> None:
        """Note that none of them has, unless the company was closed again meanwhile."""
        await self._session.execute(
            sa.update(COMPANIES)
            .where(
                COMPANIES.c.company_id == company.company_id,
                COMPANIES.c.closed_at == company.closed_at,
            )
            .values(lingering=False)
        )

    async def find_to_erase(self) -> Company | None:
        """Return a company whose people have to be erased."""
        query = sa.select(COMPANIES).where(
            COMPANIES.c.state.in_(_GOING), COMPANIES.c.erased_at.is_(None)
        )
        return await self._find(query.order_by(COMPANIES.c.closed_at).limit(1))

    async def _made(self, company_id: uuid.UUID, query: sa.Select[Any]) -> Company:
        """Make a company that isn't known, so that there is something to hold."""
        await self._session.execute(
            insert(COMPANIES).values(_values(Company(company_id))).on_conflict_do_nothing()
        )
        return _read((await self._session.execute(query)).one())

    async def _find(self, query: sa.Select[Any]) -> Company | None:
        row = (await self._session.execute(query)).one_or_none()
        return None if row is None else _read(row)


class OutboxCompanyEvents:
    """Events that are stored with the change and published after the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def announce_erased(self, company_id: uuid.UUID, erased_at: datetime) -> None:
        """Store the event that tells that nothing is left of a company's people."""
        event_id = new_id()
        payload = codec.encode_company_erased(event_id, company_id, erased_at)
        await append_event(self._session, EventRecord(event_id, COMPANY_ERASED_SUBJECT, payload))


def _one(company_id: uuid.UUID) -> sa.Select[Any]:
    return sa.select(COMPANIES).where(COMPANIES.c.company_id == company_id)


def _read(row: sa.Row[Any]) -> Company:
    return Company(
        company_id=row.company_id,
        version=row.version,
        state=CompanyState(row.state),
        policy=SecurityPolicy(
            sessions_per_user_max=row.sessions_per_user_max,
            two_factor_roles=frozenset(map(Role, row.two_factor_roles)),
        ),
        closed_at=row.closed_at,
        lingering=row.lingering,
        erased_at=row.erased_at,
    )


def _values(company: Company) -> dict[str, Any]:
    return {
        "company_id": company.company_id,
        "version": company.version,
        "state": company.state.value,
        "sessions_per_user_max": company.policy.sessions_per_user_max,
        "two_factor_roles": sorted(role.value for role in company.policy.two_factor_roles),
        "closed_at": company.closed_at,
        "lingering": company.lingering,
        "erased_at": company.erased_at,
    }
