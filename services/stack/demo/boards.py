"""The demo's vehicles and the simulated boards on them."""

import asyncio
import random
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from devices.simulator.board import Board
from devices.simulator.drives import Drive
from devices.simulator.fleet import Fleet, Member
from devices.simulator.identity import Identity, IdentityFile
from devices.simulator.transport import HttpTransport
from services.stack.demo.people import Person
from services.stack.demo.rest import Rest
from services.stack.demo.state import DemoState

VEHICLES = 12
BACKFILL_MS = 3_600_000
_BATCH_S = 2.0


@dataclass(frozen=True, slots=True)
class MountedBoard:
    """A registered board and where it keeps its secret."""

    identity: Identity
    store: IdentityFile
    since_ms: int
    """When its newest upload was committed, 0 before the first."""


class Garage:
    """Finds the demo's vehicles and boards, or makes them."""

    def __init__(self, rest: Rest, state: DemoState, manager: Person) -> None:
        self._rest = rest
        self._state = state
        self._manager = manager

    async def vehicles(self) -> list[str]:
        """Return the ids of the vehicles, in the order of their plates."""
        known = await self._everything("vehicles")
        by_plate = {vehicle["plate"]: vehicle["vehicleId"] for vehicle in known}
        return [
            by_plate.get(f"DEMO {number:02}") or await self._new_vehicle(number)
            for number in range(1, VEHICLES + 1)
        ]

    async def boards(self, vehicles: list[str]) -> list[MountedBoard]:
        """Return a board for each vehicle, in their order."""
        known = {device["hardwareId"]: device for device in await self._everything("devices")}
        return [
            await self._board(f"demo-{number:02}", vehicle, known)
            for number, vehicle in enumerate(vehicles, start=1)
        ]

    async def _everything(self, name: str) -> list[Any]:
        return await self._rest.everything(f"/v1/{name}", name, token=self._manager.token)

    async def _new_vehicle(self, number: int) -> str:
        vehicle = {"plate": f"DEMO {number:02}", "displayName": f"Van {number}"}
        made = await self._rest.create(
            "/v1/vehicles", {"vehicle": vehicle}, token=self._manager.token
        )
        return str(made["vehicleId"])

    async def _board(
        self, hardware_id: str, vehicle: str, known: dict[str, dict[str, Any]]
    ) -> MountedBoard:
        """Take up a board whose secret is kept, or register one."""
        store = IdentityFile(self._state.boards / f"{hardware_id}.json")
        kept = store.load(Identity(hardware_id, ""))
        device = known.get(kept.hardware_id)
        if kept.claimed and device and device["deviceId"] == kept.device_id:
            return MountedBoard(kept, store, _unix_ms(device.get("lastUploadTime")))
        if device:
            # Its secret is lost with an earlier state folder: another board takes its place.
            hardware_id = f"{hardware_id}-{secrets.token_hex(3)}"
        answer = await self._rest.create(
            "/v1/devices",
            {"device": {"hardwareId": hardware_id, "vehicleId": vehicle}},
            token=self._manager.token,
        )
        identity = Identity(hardware_id, answer["claimCode"])
        store.save(identity)
        return MountedBoard(identity, store, 0)


async def start_fleet(
    session: aiohttp.ClientSession, url: str, boards: list[MountedBoard], now_ms: int
) -> Fleet:
    """Switch the boards on; each goes on where its history ends, an hour ago at the earliest."""
    transport = HttpTransport(session, url)
    # A drive takes some milliseconds to invent, which the boards of a real fleet do by themselves.
    drives = await asyncio.gather(
        *(
            asyncio.to_thread(Drive, random.getrandbits(32), _resume_ms(board, now_ms))
            for board in boards
        )
    )
    members = [
        Member(Board(board.identity, transport, store=board.store), drive)
        for board, drive in zip(boards, drives, strict=True)
    ]
    return Fleet(members, batch_s=_BATCH_S)


def _resume_ms(board: MountedBoard, now_ms: int) -> int:
    return max(now_ms - BACKFILL_MS, board.since_ms + 1000)


def _unix_ms(timestamp: str | None) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000) if timestamp else 0
