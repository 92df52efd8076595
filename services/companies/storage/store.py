"""The transactions that the repositories live in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.chassis.database import Database
from services.companies.domain.errors import CompanyNameTaken
from services.companies.domain.fleet_errors import TeamNameTaken
from services.companies.storage.assignments import PostgresAssignmentRepository
from services.companies.storage.companies import PostgresCompanyRepository
from services.companies.storage.events import OutboxCompanyEvents
from services.companies.storage.fleet_census import PostgresFleetCensus
from services.companies.storage.holdings import PostgresHoldingsRepository
from services.companies.storage.memberships import PostgresMembershipRepository
from services.companies.storage.people import PostgresInbox, PostgresPersonRepository
from services.companies.storage.plans import PostgresPlanCatalog
from services.companies.storage.tables.companies import COMPANY_NAME_KEY
from services.companies.storage.tables.teams import TEAM_NAME_KEY
from services.companies.storage.teams import PostgresTeamRepository
from services.companies.storage.vehicle_events import OutboxVehicleEvents
from services.companies.storage.vehicles import PostgresVehicleRepository


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """What one database transaction reaches."""

    companies: PostgresCompanyRepository
    vehicles: PostgresVehicleRepository
    teams: PostgresTeamRepository
    memberships: PostgresMembershipRepository
    assignments: PostgresAssignmentRepository
    people: PostgresPersonRepository
    vehicle_events: OutboxVehicleEvents
    fleet_census: PostgresFleetCensus
    inbox: PostgresInbox
    plans: PostgresPlanCatalog
    holdings: PostgresHoldingsRepository
    events: OutboxCompanyEvents


class PostgresTransactions:
    """Begins database transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnitOfWork]:
        """Open a transaction."""
        constraints = {COMPANY_NAME_KEY: CompanyNameTaken, TEAM_NAME_KEY: TeamNameTaken}
        async with self._database.transaction(constraints=constraints) as session:
            yield PostgresUnitOfWork(
                companies=PostgresCompanyRepository(session),
                vehicles=PostgresVehicleRepository(session),
                teams=PostgresTeamRepository(session),
                memberships=PostgresMembershipRepository(session),
                assignments=PostgresAssignmentRepository(session),
                people=PostgresPersonRepository(session),
                vehicle_events=OutboxVehicleEvents(session),
                fleet_census=PostgresFleetCensus(session),
                inbox=PostgresInbox(session),
                plans=PostgresPlanCatalog(session),
                holdings=PostgresHoldingsRepository(session),
                events=OutboxCompanyEvents(session),
            )
