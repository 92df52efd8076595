"""Numbers about logins from PostgreSQL."""

import uuid

import sqlalchemy as sa

from services.auth.domain.credentials import CredentialStatus
from services.auth.domain.figures import FigureMoments, SecurityFigures
from services.auth.storage.audit_tables import AUDIT_RECORDS, IS_FAILED_LOGIN
from services.auth.storage.tables import CREDENTIALS, SESSIONS, TOTPS
from services.chassis.database import Database


class PostgresFigureReader:
    """Counts sessions, accounts and failed logins of one company."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, company_id: uuid.UUID, moments: FigureMoments) -> SecurityFigures:
        """Count what there is of one company."""
        async with self._database.transaction() as session:
            accounts = (await session.execute(_accounts(company_id))).one()
            sessions = (await session.execute(_sessions(company_id, moments))).one()
            failures = (await session.execute(_failures(company_id, moments))).one()
        return SecurityFigures(
            open_sessions=sessions.open_sessions,
            active_people=sessions.active_people,
            sessions_opened=sessions.opened,
            accounts=accounts.accounts,
            second_factor_accounts=accounts.second_factors,
            invited_accounts=accounts.invited,
            failed_logins=failures.logins,
            failed_accounts=failures.accounts,
        )


def _accounts(company_id: uuid.UUID) -> sa.Select[int, int, int]:
    active = CREDENTIALS.c.status == CredentialStatus.ACTIVE.value
    invited = CREDENTIALS.c.status == CredentialStatus.INVITED.value
    confirmed = TOTPS.c.confirmed_at.is_not(None)
    return (
        sa.select(
            sa.func.count().filter(active).label("accounts"),
            sa.func.count().filter(active, confirmed).label("second_factors"),
            sa.func.count().filter(invited).label("invited"),
        )
        .select_from(CREDENTIALS.outerjoin(TOTPS, TOTPS.c.user_id == CREDENTIALS.c.user_id))
        .where(CREDENTIALS.c.company_id == company_id)
    )


def _sessions(company_id: uuid.UUID, moments: FigureMoments) -> sa.Select[int, int, int]:
    is_live = sa.and_(
        SESSIONS.c.ended_at.is_(None),
        SESSIONS.c.last_used_at > moments.used_since,
        SESSIONS.c.expires_at > moments.now,
    )
    is_active = sa.and_(is_live, SESSIONS.c.last_used_at > moments.active_since)
    opened = SESSIONS.c.opened_at > moments.opened_since
    return (
        sa.select(
            sa.func.count().filter(is_live).label("open_sessions"),
            sa.func.count(SESSIONS.c.user_id.distinct()).filter(is_active).label("active_people"),
            sa.func.count().filter(opened).label("opened"),
        )
        .select_from(SESSIONS.join(CREDENTIALS, CREDENTIALS.c.user_id == SESSIONS.c.user_id))
        .where(CREDENTIALS.c.company_id == company_id)
    )


def _failures(company_id: uuid.UUID, moments: FigureMoments) -> sa.Select[int, int]:
    """Count in the audit log, whose records are a moment behind what they tell of."""
    return sa.select(
        sa.func.count().label("logins"),
        sa.func.count(AUDIT_RECORDS.c.resource_id.distinct()).label("accounts"),
    ).where(
        AUDIT_RECORDS.c.company_id == company_id,
        AUDIT_RECORDS.c.occurred_at > moments.failed_since,
        sa.text(IS_FAILED_LOGIN),
    )
