"""Vehicles that are no more let go of their devices."""

import uuid

from services.chassis.identity import TenantScope
from services.telemetry.domain.devices import DeviceEdit
from services.telemetry.ports.general import Clock
from services.telemetry.ports.registry import Registry

_BATCH_SIZE = 100


class DetachDevices:
    """Takes devices off a vehicle; doing so again finds none."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    async def __call__(self, company_id: uuid.UUID, vehicle_id: uuid.UUID) -> None:
        """Take off all of them, some in each transaction."""
        scope = TenantScope.company(company_id)
        off = DeviceEdit(moves=True, vehicle_id=None)
        async with self._registry.begin() as work:
            # Who asked companies about the vehicle before it was deleted may mount something yet.
            await work.assignments.close(scope, vehicle_id)
        count = _BATCH_SIZE
        while count == _BATCH_SIZE:
            async with self._registry.begin() as work:
                devices = await work.devices.list_on_vehicle_for_change(
                    scope, vehicle_id, _BATCH_SIZE
                )
                for device in devices:
                    changed = device.edited(off)
                    await work.devices.save(scope, changed)
                    await work.assignments.record(scope, changed, self._clock())
            count = len(devices)
