"""What is told to other services about vehicles, in protobuf."""

import uuid
from datetime import datetime

from dashtrack.companies.v1 import vehicle_events_pb2

from services.chassis.fields import encode_time
from services.companies.codec.vehicles import STATUS_NUMBERS, TYPE_NUMBERS
from services.companies.domain.vehicles import Vehicle


def encode_vehicle_changed(event_id: uuid.UUID, vehicle: Vehicle) -> bytes:
    """Write the event that tells how a vehicle stands."""
    event = vehicle_events_pb2.VehicleChanged(
        event_id=str(event_id),
        vehicle_id=str(vehicle.vehicle_id),
        company_id=str(vehicle.company_id),
        version=vehicle.version,
        occur_time=encode_time(vehicle.update_time),
        plate=vehicle.plate,
        display_name=vehicle.display_name,
        type=TYPE_NUMBERS[vehicle.type],
        status=STATUS_NUMBERS[vehicle.status],
    )
    return event.SerializeToString()


def encode_vehicle_deleted(event_id: uuid.UUID, vehicle: Vehicle, now: datetime) -> bytes:
    """Write the event that tells that a vehicle is no more."""
    event = vehicle_events_pb2.VehicleChanged(
        event_id=str(event_id),
        vehicle_id=str(vehicle.vehicle_id),
        company_id=str(vehicle.company_id),
        version=vehicle.version + 1,
        occur_time=encode_time(now),
        deleted=True,
    )
    return event.SerializeToString()
