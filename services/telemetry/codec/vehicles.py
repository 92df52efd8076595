"""Messages about vehicles to domain values."""

import uuid

from dashtrack.companies.v1 import vehicle_events_pb2


def decode_deleted(payload: bytes) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Read which vehicle of which company an event says is no more: None if it is about less."""
    event = vehicle_events_pb2.VehicleChanged.FromString(payload)
    if not event.deleted:
        return None
    return uuid.UUID(event.company_id), uuid.UUID(event.vehicle_id)
