"""The tables of the service; rows never leave storage, since they skip validation."""

from services.chassis.outbox import inbox_table, outbox_table
from services.companies.storage.tables.assignments import AssignmentRow, PersonRow
from services.companies.storage.tables.base import CompaniesModel
from services.companies.storage.tables.companies import CompanyRow, DeletionStepRow
from services.companies.storage.tables.plans import PlanRow
from services.companies.storage.tables.teams import MembershipRow, TeamRow
from services.companies.storage.tables.vehicles import VehicleRow

OUTBOX = outbox_table(CompaniesModel.metadata)
INBOX = inbox_table(CompaniesModel.metadata)

# All of them, so that the metadata is whole wherever it is looked at.
__all__ = [
    "INBOX",
    "OUTBOX",
    "AssignmentRow",
    "CompaniesModel",
    "CompanyRow",
    "DeletionStepRow",
    "MembershipRow",
    "PersonRow",
    "PlanRow",
    "TeamRow",
    "VehicleRow",
]
