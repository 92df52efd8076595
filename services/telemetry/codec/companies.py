"""Messages about companies to domain values and back."""

import uuid
from datetime import datetime

from dashtrack.companies.internal.v1 import directory_service_pb2
from dashtrack.companies.v1 import company_events_pb2, company_pb2

from services.chassis.fields import encode_time
from services.telemetry.domain.companies import CompanyStanding, CompanyState, Quotas

_STATES = {
    # A company of before there were states.
    company_pb2.Company.STATE_UNSPECIFIED: CompanyState.ACTIVE,
    company_pb2.Company.STATE_ACTIVE: CompanyState.ACTIVE,
    company_pb2.Company.STATE_SUSPENDED: CompanyState.SUSPENDED,
    company_pb2.Company.STATE_DELETING: CompanyState.DELETING,
    company_pb2.Company.STATE_DELETED: CompanyState.DELETED,
}


def decode_standing(message: directory_service_pb2.CompanyStanding) -> CompanyStanding:
    """Read how a company stands."""
    return CompanyStanding(
        company_id=uuid.UUID(message.company_id),
        state=_STATES[message.state],
        quotas=_quotas(message.quotas),
        time_zone=message.time_zone,
    )


def decode_changed(payload: bytes) -> CompanyStanding:
    """Read an event that tells how a company stands."""
    event = company_events_pb2.CompanyChanged.FromString(payload)
    return CompanyStanding(
        company_id=uuid.UUID(event.company_id),
        version=event.version,
        state=_STATES[event.state],
        quotas=_quotas(event.quotas),
        time_zone=event.time_zone,
    )


def encode_erased(event_id: uuid.UUID, company_id: uuid.UUID, now: datetime) -> bytes:
    """Write the event that tells that nothing of a company is left."""
    return company_events_pb2.CompanyErased(
        event_id=str(event_id),
        company_id=str(company_id),
        service="telemetry",
        occur_time=encode_time(now),
    ).SerializeToString()


def _quotas(message: company_pb2.Quotas) -> Quotas:
    return Quotas(
        devices_max=message.devices_max,
        sensors_per_device_max=message.sensors_per_device_max,
        retention_d=message.retention_d,
        uploads_per_minute_max=message.uploads_per_minute_max,
    )
