"""What other services need to know, in protobuf."""

from dashtrack.companies.internal.v1 import directory_service_pb2

from services.companies.codec.companies import STATE_NUMBERS
from services.companies.codec.quotas import encode_quotas
from services.companies.codec.vehicles import STATUS_NUMBERS
from services.companies.domain.companies import Company
from services.companies.domain.vehicles import Vehicle


def encode_company_standing(company: Company) -> directory_service_pb2.CompanyStanding:
    """Write what other services need to know of a company."""
    return directory_service_pb2.CompanyStanding(
        company_id=str(company.company_id),
        time_zone=company.time_zone,
        state=STATE_NUMBERS[company.state],
        quotas=encode_quotas(company.quotas),
    )


def encode_vehicle_standing(vehicle: Vehicle) -> directory_service_pb2.VehicleStanding:
    """Write what other services need to know of a vehicle."""
    return directory_service_pb2.VehicleStanding(
        vehicle_id=str(vehicle.vehicle_id), status=STATUS_NUMBERS[vehicle.status]
    )
