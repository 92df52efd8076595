"""What listens: events of companies, hints over NATS, and the follower of the log."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from services.chassis.audit.entries import acting, note_resource
from services.chassis.consumers import Event
from services.chassis.errors import Unavailable
from services.chassis.messaging import Messaging
from services.chassis.workers import Worker, pause
from services.telemetry.codec.companies import decode_changed
from services.telemetry.codec.vehicles import decode_deleted
from services.telemetry.ports.companies import CompanyEraser
from services.telemetry.ports.reading import CommitHint, LatestFolder
from services.telemetry.usecases.companies import FollowCompanies
from services.telemetry.usecases.vehicles import DetachDevices

COMMITTED = "dashtrack.committed"
DEVICE_CHANGED = "dashtrack.devices.changed"
COMPANY_HINT = "dashtrack.companies.changed"
COMPANIES_CONSUMER = "telemetry-companies-changed"
COMPANY_CHANGED = "events.companies.changed"
VEHICLES_CONSUMER = "telemetry-vehicles-changed"
VEHICLE_CHANGED = "events.companies.vehicle_changed"

_ANNOUNCE_INTERVAL_S = 0.01
"""Commits that follow each other closely share a hint."""
_FOLD_INTERVAL_S = 0.5
_PRUNE_INTERVAL_S = 30.0
_CATCH_UP_INTERVAL_S = 5.0
_ERASURE_INTERVAL_S = 10.0
"""How soon a replica goes on with what another one has left."""
LOG_KEPT = timedelta(minutes=10)
"""For watchers, who follow the log without a cursor in the database."""


class NatsCommitHints:
    """Tells of commits, and hears of them; whatever gets lost is found a second later."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging
        self._pending: dict[uuid.UUID, int] = {}
        self._announced = asyncio.Event()

    def announce(self, companies: Collection[uuid.UUID], position: int) -> None:
        """Tell everybody of a commit, soon."""
        for company_id in companies:
            self._pending[company_id] = max(position, self._pending.get(company_id, 0))
        self._announced.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish what is announced: the body of a worker."""
        while not await pause(stopping, 1.0, woken=self._announced):
            self._announced.clear()
            pending, self._pending = self._pending, {}
            for company_id, position in pending.items():
                await self._messaging.publish(f"{COMMITTED}.{company_id}", b"%d" % position)
            await asyncio.sleep(_ANNOUNCE_INTERVAL_S)

    @asynccontextmanager
    async def listen(self, company_id: uuid.UUID) -> AsyncIterator[CommitHint]:
        """Listen to a company's commits for the length of a block."""
        hint = CommitHint(asyncio.Event())

        async def on_hint(_: str, payload: bytes) -> None:
            with contextlib.suppress(ValueError):
                hint.position = max(hint.position, int(payload))
            hint.heard.set()

        subscription = await self._messaging.subscribe(f"{COMMITTED}.{company_id}", on_hint)
        try:
            yield hint
        finally:
            await subscription.unsubscribe()


class NatsDeviceChanges:
    """Tells every replica to look again at a device; what gets lost is noticed minutes later."""

    def __init__(self, messaging: Messaging, forget: Callable[[uuid.UUID], None]) -> None:
        self._messaging = messaging
        self._forget = forget

    async def announce(self, device_id: uuid.UUID) -> None:
        """Tell this replica, and the others."""
        self._forget(device_id)
        await self._messaging.publish(DEVICE_CHANGED, device_id.bytes)

    async def listen(self) -> None:
        """Hear of the changes that others announce."""
        await self._messaging.subscribe(DEVICE_CHANGED, self._on_change)

    async def _on_change(self, _: str, payload: bytes) -> None:
        with contextlib.suppress(ValueError):
            self._forget(uuid.UUID(bytes=payload))


class NatsCompanyHints:
    """Tells every replica to look again at a company; what gets lost is noticed soon after."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    async def announce(self, company_id: uuid.UUID) -> None:
        """Tell the others."""
        await self._messaging.publish(COMPANY_HINT, company_id.bytes)

    async def listen(self, follow: FollowCompanies) -> None:
        """Hear of the changes that others announce."""

        async def on_hint(_: str, payload: bytes) -> None:
            with contextlib.suppress(ValueError, Unavailable):
                await follow.look_at(uuid.UUID(bytes=payload))

        await self._messaging.subscribe(COMPANY_HINT, on_hint)


def companies_consumer(messaging: Messaging, follow: FollowCompanies, due: asyncio.Event) -> Worker:
    """Make the worker that follows companies, and says when there is something to be erased."""

    async def on_company_changed(event: Event) -> None:
        if await follow.take_in(decode_changed(event.payload)):
            due.set()

    return messaging.consumer(COMPANIES_CONSUMER, COMPANY_CHANGED, on_company_changed)


def vehicles_consumer(messaging: Messaging, detach: DetachDevices) -> Worker:
    """Make the worker that takes devices off vehicles which are no more.

    It needs no inbox: the second time there are none.
    """

    async def on_vehicle_changed(event: Event) -> None:
        deleted = decode_deleted(event.payload)
        if deleted is not None:
            company_id, vehicle_id = deleted
            with acting("telemetry", "DetachDevices"):
                note_resource("vehicle", vehicle_id, company_id)
                await detach(company_id, vehicle_id)

    return messaging.consumer(VEHICLES_CONSUMER, VEHICLE_CHANGED, on_vehicle_changed)


def catch_up_worker(follow: FollowCompanies) -> Worker:
    """Make the worker that finds the changes of companies whose hints got lost."""

    async def run(stopping: asyncio.Event) -> None:
        while not await pause(stopping, _CATCH_UP_INTERVAL_S):
            await follow.catch_up()

    return Worker("companies", run)


def erasure_worker(
    eraser: CompanyEraser, due: asyncio.Event, clock: Callable[[], datetime]
) -> Worker:
    """Make the worker that erases companies; replicas share the work."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            due.clear()
            with acting("telemetry", "EraseCompany"):
                erased = await eraser.erase_some(clock())
            if not erased:
                await pause(stopping, _ERASURE_INTERVAL_S, woken=due)

    return Worker("erasure", run)


class LatestFollower:
    """Keeps the newest values at most about a second behind the log."""

    def __init__(self, folder: LatestFolder, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Fold the log: the body of a worker."""
        loop = asyncio.get_running_loop()
        prune_at_s = loop.time() + _PRUNE_INTERVAL_S
        while not stopping.is_set():
            if await self._folder.fold():
                continue
            if loop.time() >= prune_at_s:
                await self._folder.prune(self._clock() - LOG_KEPT)
                prune_at_s = loop.time() + _PRUNE_INTERVAL_S
            await pause(stopping, _FOLD_INTERVAL_S)
