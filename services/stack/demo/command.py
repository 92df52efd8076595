"""The command behind `make demo`: fill a running stack, show it at work, say what to look at."""

import asyncio
import shlex
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from devices.simulator.fleet import Fleet
from services.stack.addresses import Addresses, NotRunning, read_addresses
from services.stack.demo.boards import BACKFILL_MS, Garage, start_fleet
from services.stack.demo.people import COMPANY, COMPANY_ADMIN, DRIVER, MANAGER, People, Person
from services.stack.demo.rest import Refused, Rest
from services.stack.demo.state import DemoState
from services.stack.layout import Layout
from services.stack.settings import StackSettings

_PREPARATION_S_MAX = 120.0
_PATIENCE_S = 60.0
"""A busy machine is slow, not broken."""
_PROGRESS_S = 2.0


def demo(settings: StackSettings, seconds: float) -> int:
    """Run the demo against the running stack; returns the exit code."""
    try:
        addresses = read_addresses(settings)
    except NotRunning as err:
        print(f"There is nothing to show: {err}.", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_demo(addresses, DemoState(Layout(settings.state_dir).folder), seconds))
    except Refused as err:
        print(f"The demo can't go on: {err}", file=sys.stderr)
    except TimeoutError:
        print("The demo took too long; `make status` may tell why.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted. What was acknowledged stays.", file=sys.stderr)
    return 1


async def _demo(addresses: Addresses, state: DemoState, seconds: float) -> int:
    began_s = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        asyncio.timeout(_PREPARATION_S_MAX + seconds),
    ):
        rest = Rest(session, addresses.rest)
        manager = await _people(rest, state, addresses)
        garage = Garage(rest, state, manager)
        vehicles = await garage.vehicles()
        _say("vehicles", f"{len(vehicles)}")
        boards = await garage.boards(vehicles)
        _say("boards", f"{len(boards)}, registered by {manager.email}")
        now_ms = time.time_ns() // 1_000_000
        fleet = await start_fleet(session, addresses.rest, boards, now_ms)
        async with _progress("backfill", fleet):
            await fleet.claim(patience_s=_PATIENCE_S)
            await fleet.backfill(now_ms - BACKFILL_MS, now_ms, patience_s=_PATIENCE_S)
        async with _progress("live", fleet):
            await fleet.live(seconds, patience_s=_PATIENCE_S)
    print()
    print(f"{len(fleet.members)} boards: {fleet.tally.line()}.")
    print(f"Done in {time.monotonic() - began_s:.1f} s.")
    return _outcome(fleet, addresses, state)


async def _people(rest: Rest, state: DemoState, addresses: Addresses) -> Person:
    """Return the manager; each person is invited by the one above."""
    people = People(rest, state, addresses.mailbox)
    admin = await people.returning(COMPANY_ADMIN)
    if admin is None:
        operator = await rest.log_in(
            {
                "email": addresses.administrator_email,
                "password": addresses.administrator_password,
            }
        )
        company_id = await people.company(operator["accessToken"])
        admin = await people.invited(COMPANY_ADMIN, company_id, operator["accessToken"])
    _say("company", f"{COMPANY} ({admin.company_id})")
    _say("people", admin.email)
    manager = await people.returning(MANAGER)
    manager = manager or await people.invited(MANAGER, admin.company_id, admin.token)
    _say("", manager.email)
    driver = await people.returning(DRIVER)
    driver = driver or await people.invited(DRIVER, admin.company_id, manager.token)
    _say("", driver.email)
    return manager


@asynccontextmanager
async def _progress(phase: str, fleet: Fleet) -> AsyncIterator[None]:
    async def tell() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            tally = fleet.tally
            _say(phase, f"{tally.uploads:,} uploads, {tally.readings:,} readings")

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()


def _say(name: str, text: str) -> None:
    print(f"  {name:<12}{text}", flush=True)


def _outcome(fleet: Fleet, addresses: Addresses, state: DemoState) -> int:
    stopped = [member.board for member in fleet.members if member.board.stopped]
    for board in stopped:
        print(f"{board.identity.hardware_id} stopped: {board.stop_reason}", file=sys.stderr)
    undelivered = fleet.undelivered_count
    if undelivered:
        print(f"{undelivered} batches were not delivered.", file=sys.stderr)
    if stopped or undelivered:
        return 1
    print(_ways_to_look(addresses, state, fleet.members[0].board.identity.device_id))
    return 0


def _ways_to_look(addresses: Addresses, state: DemoState, device_id: str) -> str:
    """Return lines to paste into a shell; passwords and tokens stay out of them."""
    select = f"import json, sys; print(json.dumps(json.load(sys.stdin)['{MANAGER}']))"
    extract = "import json, sys; print(json.load(sys.stdin)['accessToken'])"
    login = f"{addresses.rest}/v1/auth:login -H 'content-type: application/json' -d @-"
    device = f"{addresses.rest}/v1/devices/{device_id}"
    bearer = '-H "authorization: Bearer $TOKEN"'
    pretty = "| python3 -m json.tool"
    return f"""
Look at it as the manager (passwords: {state.file}):

  TOKEN=$(python3 -c "{select}" < {shlex.quote(str(state.file))} \\
    | curl -sf {login} | python3 -c "{extract}")
  curl -sf "{addresses.rest}/v1/devices?pageSize=3" {bearer} {pretty}
  curl -sf {device}/latest {bearer} {pretty}
  curl -sf "{device}/sensors/speed_kmh/readings?pageSize=5" {bearer} {pretty}
  curl -sN --max-time 10 "{addresses.rest}/v1/readings:watch?deviceId={device_id}" {bearer}

The API to browse and try: {addresses.documentation}"""
