"""What is told to other services and heard from them, in protobuf."""

import uuid

from dashtrack.companies.v1 import company_events_pb2

from services.chassis.fields import decode_id, encode_time
from services.companies.codec.companies import STATE_NUMBERS, encode_security
from services.companies.codec.quotas import encode_quotas
from services.companies.domain.companies import Company


def encode_company_changed(event_id: uuid.UUID, company: Company) -> bytes:
    """Write the event that tells how a company stands."""
    event = company_events_pb2.CompanyChanged(
        event_id=str(event_id),
        company_id=str(company.company_id),
        version=company.version,
        occur_time=encode_time(company.update_time),
        state=STATE_NUMBERS[company.state],
        display_name=company.display_name,
        time_zone=company.time_zone,
        language_code=company.language_code,
        quotas=encode_quotas(company.quotas),
        security=encode_security(company.security),
    )
    return event.SerializeToString()


def decode_company_erased(payload: bytes) -> uuid.UUID:
    """Read of which company a service holds nothing any more."""
    return decode_id(company_events_pb2.CompanyErased.FromString(payload).company_id)
