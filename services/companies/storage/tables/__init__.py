"""The tables of the service; rows never leave storage, since they skip validation."""

from services.companies.storage.tables.base import CompaniesModel
from services.companies.storage.tables.companies import CompanyRow
from services.companies.storage.tables.vehicles import VehicleRow

# All of them, so that the metadata is whole wherever it is looked at.
__all__ = ["CompaniesModel", "CompanyRow", "VehicleRow"]
