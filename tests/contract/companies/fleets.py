"""Teams, vehicles and people of companies that tests store."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.chassis.identity import Role, TenantScope
from services.chassis.ids import new_id
from services.companies.domain.assignments import Assignment
from services.companies.domain.companies import Company, NewCompany
from services.companies.domain.people import Person
from services.companies.domain.plans import Plan
from services.companies.domain.teams import (
    Membership,
    NewTeam,
    Team,
    TeamRole,
)
from services.companies.domain.vehicles import NewVehicle, Vehicle
from services.companies.ports.store import Transactions, UnitOfWork

EVERYTHING = TenantScope.everything()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)


async def new_scope(transactions: Transactions) -> TenantScope:
    """Store a company."""
    async with transactions.begin() as work:
        plan: Plan = await work.plans.get("standard")
        company = Company.create(
            NewCompany(uuid.uuid4().hex), plan=plan, company_id=new_id(), now=NOW
        )
        await work.companies.add(EVERYTHING, company)
    return TenantScope.company(company.company_id)


def team(scope: TenantScope, name: str = "North") -> Team:
    """Make a team."""
    return Team.create(NewTeam(scope.company_id, name), team_id=new_id(), now=NOW)


def vehicle(scope: TenantScope, plate: str = "AA01", **more: Any) -> Vehicle:
    """Make a vehicle."""
    new = NewVehicle(scope.company_id, plate)
    return replace(Vehicle.create(new, vehicle_id=new_id(), now=NOW), **more)


def person(scope: TenantScope, role: Role = Role.DRIVER) -> Person:
    """Make somebody."""
    assert scope.company_id is not None
    return Person(user_id=new_id(), company_id=scope.company_id, role=role, active=True, version=1)


def membership(of: Team, user_id: uuid.UUID) -> Membership:
    """Make a membership."""
    return Membership.begin(of, user_id, TeamRole.LEAD, membership_id=new_id(), now=NOW)


def assignment(on: Vehicle, who: Person) -> Assignment:
    """Make an assignment."""
    return Assignment.begin(on, who, assignment_id=new_id(), now=NOW)


async def done(
    transactions: Transactions, *steps: Callable[[UnitOfWork], Awaitable[object]]
) -> None:
    """Do things in one transaction."""
    async with transactions.begin() as work:
        for step in steps:
            await step(work)


async def added(transactions: Transactions, scope: TenantScope, one: Vehicle) -> None:
    """Store a vehicle."""
    async with transactions.begin() as work:
        await work.vehicles.add(scope, one)


async def begun(transactions: Transactions, scope: TenantScope, one: Assignment) -> None:
    """Store an assignment."""
    async with transactions.begin() as work:
        await work.assignments.add(scope, one)
