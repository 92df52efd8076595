"""`python -m devices.simulator`: run a fleet against a gateway from the command line."""

import argparse
import asyncio
import random
import signal
import sys
from pathlib import Path

import aiohttp

from devices.simulator.board import Board, BoardOptions
from devices.simulator.boot import TimeSource
from devices.simulator.claims import ClaimsInvalid, read_claims
from devices.simulator.clock import SystemClock
from devices.simulator.drives import Drive, Source
from devices.simulator.fleet import Fleet, Member
from devices.simulator.identity import ForgetfulStore, Identity, IdentityFile, IdentityStore
from devices.simulator.recorder import RecorderOptions
from devices.simulator.transport import HttpTransport
from devices.simulator.trips import (
    SAMPLE_TRIPS,
    Replay,
    TripInvalid,
    find_trips,
    read_trip,
    recorded_trips_folder,
)
from devices.simulator.wire import Encoding

_PROGRESS_S = 5.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devices.simulator",
        description="Simulated boards that claim themselves and upload to a gateway.",
    )
    add = parser.add_argument
    add("--gateway", default="http://127.0.0.1:8080", metavar="URL", help="default: %(default)s")
    add(
        "--claims",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="files of answers of POST /v1/devices: a board for each",
    )
    add("--state", type=Path, metavar="DIR", help="keep the boards' secrets here between runs")
    add("--seconds", type=float, default=60.0, help="how long to upload live (default: 60)")
    add("--backfill-minutes", type=float, default=0.0, help="first deliver so much of the past")
    add("--batch-seconds", type=float, help="time between uploads (default: as the server asks)")
    add("--step-ms", type=int, default=1000, help="time between samples (default: 1000)")
    add("--seed", type=int, help="invent the same drives each time")
    add(
        "--trips",
        type=Path,
        nargs="?",
        const=recorded_trips_folder() or SAMPLE_TRIPS,
        metavar="DIR",
        help="replay the trips in a folder instead of inventing drives; without DIR those of "
        "DASHTRACK_TRIPS_DIR, or the sample",
    )
    add("--encoding", type=Encoding, choices=list(Encoding), default=Encoding.SMALLEST)
    add("--gzip", action="store_true", help="compress bodies where that makes them smaller")
    add("--time-source", type=TimeSource, choices=list(TimeSource), default=TimeSource.CLOCK)
    return parser


def _sources(arguments: argparse.Namespace, count: int, start_ms: int) -> list[Source]:
    if arguments.trips is None:
        seed = random.getrandbits(32) if arguments.seed is None else arguments.seed
        return [Drive(seed + n, start_ms, step_ms=arguments.step_ms) for n in range(count)]
    trips = [read_trip(path) for path in find_trips(arguments.trips)]
    if not trips:
        raise TripInvalid(f"{arguments.trips}: no trips")
    return [Replay(trips[n % len(trips)], start_ms) for n in range(count)]


def _store(identity: Identity, state: Path | None) -> tuple[Identity, IdentityStore]:
    if state is None:
        return identity, ForgetfulStore()
    # A hardware id has no slash; colons are replaced for the sake of other file systems.
    file = IdentityFile(state / f"{identity.hardware_id.replace(':', '-')}.json")
    return file.load(identity), file


def _fleet(arguments: argparse.Namespace, session: aiohttp.ClientSession, start_ms: int) -> Fleet:
    options = BoardOptions(
        recorder=RecorderOptions(encoding=arguments.encoding, gzip=arguments.gzip),
        time_source=arguments.time_source,
    )
    transport = HttpTransport(session, arguments.gateway)
    identities = [identity for path in arguments.claims for identity in read_claims(path)]
    members = []
    for given, source in zip(
        identities, _sources(arguments, len(identities), start_ms), strict=True
    ):
        identity, store = _store(given, arguments.state)
        board = Board(identity, transport, options=options, store=store, booted_unix_ms=start_ms)
        members.append(Member(board, source))
    return Fleet(members, batch_s=arguments.batch_seconds)


async def _progress(fleet: Fleet) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_S)
        print(f"{len(fleet.members)} boards: {fleet.tally.line()}", flush=True)


async def _run(arguments: argparse.Namespace) -> int:
    now_ms = SystemClock().unix_ms()
    start_ms = now_ms - round(arguments.backfill_minutes * 60_000)
    # A fleet has as many connections as boards that send at once.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        fleet = _fleet(arguments, session, start_ms)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, fleet.stop)
        progress = asyncio.create_task(_progress(fleet))
        try:
            await fleet.claim()
            await fleet.backfill(start_ms, now_ms)
            await fleet.live(arguments.seconds)
        finally:
            progress.cancel()
    return _summary(fleet)


def _summary(fleet: Fleet) -> int:
    print(f"{len(fleet.members)} boards: {fleet.tally.line()}")
    answers = ", ".join(f"{count:,} x {what}" for what, count in fleet.tally.answers.most_common())
    print(f"answers: {answers or 'none'}")
    stopped = [member.board for member in fleet.members if member.board.stopped]
    for board in stopped:
        print(f"{board.identity.hardware_id} stopped: {board.stop_reason}", file=sys.stderr)
    if fleet.undelivered_count:
        print(f"{fleet.undelivered_count:,} batches were not delivered", file=sys.stderr)
    return 1 if stopped or fleet.undelivered_count else 0


def main() -> int:
    """Run the fleet that the command line asks for; return the exit status."""
    arguments = _parser().parse_args()
    try:
        return asyncio.run(_run(arguments))
    except (ClaimsInvalid, TripInvalid, OSError) as err:
        print(err, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
