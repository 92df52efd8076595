"""Events about vehicles in the outbox."""

import uuid
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from services.chassis.ids import new_id
from services.chassis.messaging import EventRecord
from services.chassis.outbox import append_event
from services.companies.codec.vehicle_events import encode_vehicle_changed, encode_vehicle_deleted
from services.companies.domain.vehicles import Vehicle

VEHICLE_CHANGED_SUBJECT = "events.companies.vehicle_changed"


class OutboxVehicleEvents:
    """Events that are stored with the change and published after the commit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def announce_vehicle(self, vehicle: Vehicle) -> None:
        """Store the event that tells how a vehicle stands."""
        event_id = new_id()
        await self._append(event_id, encode_vehicle_changed(event_id, vehicle))

    async def announce_vehicle_deleted(self, vehicle: Vehicle, now: datetime) -> None:
        """Store the event that tells that a vehicle is no more."""
        event_id = new_id()
        await self._append(event_id, encode_vehicle_deleted(event_id, vehicle, now))

    async def _append(self, event_id: uuid.UUID, payload: bytes) -> None:
        await append_event(self._session, EventRecord(event_id, VEHICLE_CHANGED_SUBJECT, payload))
