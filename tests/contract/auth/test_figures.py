"""The numbers of a company's logins are those of its people, sessions and authenticators."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.auth.domain.audit import Act
from services.auth.domain.credentials import Credential, CredentialStatus
from services.auth.domain.figures import FigureMoments, SecurityFigures
from services.auth.domain.sessions import Origin, RefreshToken, Session
from services.auth.domain.totp import new_totp
from services.auth.storage.figures import PostgresFigureReader, _failures
from services.auth.storage.store import PostgresStore, PostgresTransaction
from services.auth.storage.vault import Vault
from services.chassis.database import Database
from tests.fixtures.audit_log import PERSONAL, AuditWorld, new_act
from tests.fixtures.auth_fakes import START
from tests.fixtures.auth_world import a_credential

END = START + timedelta(days=90)
MOMENTS = FigureMoments(
    now=START,
    used_since=START - timedelta(days=30),
    active_since=START - timedelta(minutes=15),
    opened_since=START - timedelta(days=1),
    failed_since=START - timedelta(days=1),
)


async def have_session(
    tx: PostgresTransaction,
    who: Credential,
    *,
    opened_before: timedelta,
    used_before: timedelta,
    ended: bool = False,
) -> None:
    """Store a session of somebody."""
    session = Session(
        uuid.uuid4(),
        who.user_id,
        b"home",
        START - opened_before,
        START - used_before,
        END,
        START if ended else None,
        Origin("192.0.2.1", "Browser"),
    )
    await tx.sessions.add(session, RefreshToken(uuid.uuid4().bytes, session.session_id, END))


def login(who: Credential, outcome: str, occurred_at: datetime) -> Act:
    """Make the act of trying to get into somebody's account."""
    assert who.company_id is not None
    return new_act(
        who.company_id,
        action="auth.AuthService/Login",
        outcome=outcome,
        occurred_at=occurred_at,
        resource_id=str(who.user_id),
    )


async def test_numbers_are_of_one_company(database: Database) -> None:
    """Each number counts what it says, and nothing of another company."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    ada, bob = a_credential(), a_credential()
    company_id = ada.company_id
    assert company_id is not None
    bob = replace(bob, company_id=company_id)
    invited = replace(
        a_credential(),
        company_id=company_id,
        status=CredentialStatus.INVITED,
        password_hash=None,
    )
    gone = replace(a_credential(), company_id=company_id, status=CredentialStatus.DEACTIVATED)
    stranger = a_credential()
    async with PostgresStore(database, Vault("a" * 32)).transaction() as tx:
        for one in (ada, bob, invited, gone, stranger):
            await tx.credentials.save(one, START)
        await tx.second_factors.save(replace(new_totp(ada.user_id), confirmed_at=START))
        await tx.second_factors.save(new_totp(bob.user_id))
        await have_session(tx, ada, opened_before=hour, used_before=minute)
        await have_session(tx, ada, opened_before=2 * hour, used_before=minute)
        await have_session(tx, bob, opened_before=48 * hour, used_before=hour)
        await have_session(tx, bob, opened_before=hour, used_before=minute, ended=True)
        await have_session(tx, bob, opened_before=2000 * hour, used_before=1000 * hour)
        await have_session(tx, stranger, opened_before=hour, used_before=minute)
    log = AuditWorld(database)
    for who, outcome, before in (
        (ada, "CREDENTIALS_INVALID", hour),
        (ada, "CREDENTIALS_INVALID", minute),
        (ada, "CREDENTIALS_INVALID", 48 * hour),
        (ada, "TWO_FACTOR_REQUIRED", minute),
        (ada, "OK", minute),
        (bob, "TWO_FACTOR_INVALID", minute),
        (stranger, "CREDENTIALS_INVALID", minute),
    ):
        await log.seal(login(who, outcome, START - before), PERSONAL)
    reader = PostgresFigureReader(database)

    figures = await reader.read(company_id, MOMENTS)
    nobody = await reader.read(uuid.uuid4(), MOMENTS)

    assert figures == SecurityFigures(
        open_sessions=3,
        active_people=1,
        accounts=2,
        second_factor_accounts=1,
        invited_accounts=1,
        sessions_opened=3,
        failed_logins=3,
        failed_accounts=2,
    )
    assert nobody == SecurityFigures(
        open_sessions=0,
        active_people=0,
        accounts=0,
        second_factor_accounts=0,
        invited_accounts=0,
        sessions_opened=0,
        failed_logins=0,
        failed_accounts=0,
    )


async def test_failed_logins_are_counted_by_their_index(database: Database) -> None:
    """However long a company's log is, the dashboard doesn't read it."""
    query = _failures(uuid.uuid4(), MOMENTS).compile(
        dialect=database.engine.dialect, compile_kwargs={"literal_binds": True}
    )
    async with database.transaction() as session:
        await session.execute(sa.text("set local enable_seqscan = off"))
        # So few records are found by any index: the one that is meant has to do.
        await session.execute(
            sa.text("alter table audit_records drop constraint audit_records_pkey")
        )
        for other in ("occurred", "actor", "resource"):
            await session.execute(sa.text(f"drop index audit_records_{other}_idx"))
        plan = (await session.execute(sa.text(f"explain {query}"))).all()
        await session.rollback()
    assert "audit_records_failed_logins_idx" in str(plan)
