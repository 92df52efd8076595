"""A deleted company leaves nothing behind, whatever arrives meanwhile and whoever is killed."""

import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest
import sqlalchemy as sa
from dashtrack.device.v1 import device_link_service_pb2 as link_pb
from dashtrack.telemetry.v1 import device_service_pb2 as pb
from grpc import StatusCode

from services.chassis.database import Database
from services.chassis.ids import new_id
from services.telemetry.domain.companies import CompanyStanding, CompanyState
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage.companies import PostgresCompanies
from services.telemetry.storage.erasing import PostgresEraser
from services.telemetry.storage.log_folder import PostgresLatestFolder
from tests.fixtures.company_directory import (
    ACTIVE,
    DELETED,
    DELETING,
    SUSPENDED,
    ScriptedDirectory,
)
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.running import run_async
from tests.fixtures.serving import settings_for
from tests.fixtures.telemetry_storage import telemetry_pool_of
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import CLAIM_KEY, Board, Fleet, batch_of

# What is left on purpose: that there is nothing to be stored any more.
TOMBSTONE = {"company_erasure": 1}

_TABLES = """
SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attname = 'company_id' AND NOT a.attisdropped
"""


@pytest.fixture(scope="module")
def telemetry_settings(
    telemetry_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    directory: ScriptedDirectory,
) -> TelemetrySettings:
    """The settings of a service that asks the test's directory."""
    return settings_for(
        TelemetrySettings,
        telemetry_database,
        nats_server,
        token_authority,
        companies_target=directory.target,
        claim_key=CLAIM_KEY,
        suspended_retry_s=1,
    )


@pytest.fixture
def company_id(directory: ScriptedDirectory) -> uuid.UUID:
    """A company without limits."""
    return directory.add()


@pytest.fixture
async def pool(telemetry_database: FreshDatabase) -> AsyncIterator[Database]:
    """The service's database, to look into."""
    database = telemetry_pool_of(telemetry_database)
    yield database
    await database.close()


async def rows_of(database: Database, company_id: uuid.UUID) -> dict[str, int]:
    """Count what every table holds of a company; those with nothing are left out."""
    found = {}
    async with database.transaction() as session:
        tables = list((await session.execute(sa.text(_TABLES))).scalars())
        assert {"device", "telemetry_batch", "ingest_log", "device_latest"} <= set(tables)
        for table in tables:
            query = sa.text(f"SELECT count(*) FROM {table} WHERE company_id = :id")  # noqa: S608
            count = (await session.execute(query, {"id": company_id})).scalar_one()
            if count:
                found[table] = count
    return found


def rows_left(telemetry_database: FreshDatabase, company_id: uuid.UUID) -> dict[str, int]:
    """Count the same for tests that don't run in a loop."""

    async def count() -> dict[str, int]:
        database = telemetry_pool_of(telemetry_database)
        try:
            return await rows_of(database, company_id)
        finally:
            await database.close()

    return run_async(count())


def fill(fleet: Fleet, directory: ScriptedDirectory) -> Board:
    """Leave something of the company in every table."""
    directory.set(fleet.company_id, sensors_per_device_max=10)
    directory.announce(fleet.company_id)
    vehicle_id = directory.add_vehicle(fleet.company_id)
    registered = fleet.register(vehicle_id=str(vehicle_id))
    device_id = uuid.UUID(registered.device.device_id)
    board = Board(device_id, fleet.company_id, fleet.mint.device(fleet.company_id, device_id))
    fleet.upload(board, batch_of(1.0, 2.0))
    fleet.upload(
        board,
        batch_of(1.0, boot_id=8, start_uptime_ms=1000),
        x_dashtrack_uptime_ms="5000",
    )
    return board


def delete(fleet: Fleet, directory: ScriptedDirectory) -> None:
    """Have companies announce the deletion."""
    directory.set(fleet.company_id, DELETING)
    directory.announce(fleet.company_id)


def test_nothing_is_left_of_a_deleted_company(
    fleet: Fleet, directory: ScriptedDirectory, telemetry_database: FreshDatabase
) -> None:
    """In no table; companies is told, and told again if it asks; others keep everything."""
    stays = Fleet(fleet.channel, fleet.mint, directory.add())
    boards = [fill(each, directory) for each in (fleet, stays)]

    def found() -> dict[str, int]:
        left = rows_left(telemetry_database, stays.company_id)
        wanted = {"device_boot", "device_span", "device_vehicle_history", "company"}
        return left if wanted <= left.keys() else {}

    # What is known of the company comes with an event.
    before = eventually(found, "something in every table")

    delete(fleet, directory)
    eventually(lambda: directory.erased_by(fleet.company_id) == ["telemetry"], "the erasure")

    assert rows_left(telemetry_database, fleet.company_id) == TOMBSTONE
    kept = rows_left(telemetry_database, stays.company_id)
    assert kept["telemetry_batch"] == 2
    assert before.keys() <= kept.keys()
    assert stays.history(boards[1], "speed_kmh")
    delete(fleet, directory)
    eventually(lambda: directory.erased_by(fleet.company_id) == ["telemetry"] * 2, "the answer")
    directory.set(fleet.company_id, DELETED)
    directory.announce(fleet.company_id)


def test_a_board_of_an_erased_company_is_shut_out(
    fleet: Fleet, directory: ScriptedDirectory
) -> None:
    """Its identity is gone, and its hardware can be registered by somebody else."""
    registered = fleet.register()
    claimed = fleet.links.ClaimDevice(
        link_pb.ClaimDeviceRequest(
            claim_code=registered.claim_code,
            hardware_id=registered.device.hardware_id,
            nonce=bytes(16),
        )
    )
    delete(fleet, directory)
    eventually(lambda: directory.erased_by(fleet.company_id), "the erasure")

    with refused(StatusCode.UNAUTHENTICATED, "DEVICE_SECRET_INVALID"):
        fleet.links.ExchangeSecret(
            link_pb.ExchangeSecretRequest(device_id=claimed.device_id, secret=claimed.secret)
        )
    other = Fleet(fleet.channel, fleet.mint, directory.add())
    again = other.register(hardware_id=registered.device.hardware_id)
    assert again.device.company_id == str(other.company_id)


@contextmanager
def uploading(fleet: Fleet, boards: list[Board]) -> Iterator[list[str]]:
    """Upload without a pause for the length of a block; gives how the uploads were answered."""
    answers: list[str] = []
    end = threading.Event()

    def run(board: Board, boot_id: int) -> None:
        seq = 0
        while not end.is_set():
            seq += 1
            # New boots and new sensors, so that every table is written to.
            batch = batch_of(1.0, seq=seq, boot_id=boot_id * 1000 + seq, start_uptime_ms=1000)
            try:
                fleet.upload(board, batch, x_dashtrack_uptime_ms="5000")
            except grpc.RpcError as err:
                answers.append(refusal_of(err).reason)
            else:
                answers.append("")

    threads = [
        threading.Thread(target=run, args=(board, number)) for number, board in enumerate(boards, 1)
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join(30)


def test_uploads_that_race_with_the_erasure_leave_nothing(
    fleet: Fleet,
    second_replica: Fleet,
    directory: ScriptedDirectory,
    telemetry_database: FreshDatabase,
) -> None:
    """Through both replicas, before, during and after; late news of the company changes nothing."""
    boards = [fill(fleet, directory), fleet.board()]
    with uploading(fleet, boards) as here, uploading(second_replica, boards[::-1]) as there:
        eventually(lambda: here.count("") > 10 and there.count("") > 10, "uploads")
        delete(fleet, directory)
        eventually(lambda: directory.erased_by(fleet.company_id), "the erasure")
        directory.set(fleet.company_id, ACTIVE)
        directory.announce(fleet.company_id)
        directory.announce(fleet.company_id, version=1)
        count = len(here)
        eventually(lambda: len(here) > count + 10, "further uploads")

    assert set(here + there) <= {"", "COMPANY_SUSPENDED", "UNAVAILABLE", "DEVICE_REVOKED"}
    assert "" not in here[-5:] + there[-5:]
    assert rows_left(telemetry_database, fleet.company_id) == TOMBSTONE
    with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
        fleet.register()


def test_a_suspended_company_is_deleted_like_any_other(
    fleet: Fleet, directory: ScriptedDirectory, telemetry_database: FreshDatabase
) -> None:
    """Which is how it happens: deletion comes after suspension."""
    fill(fleet, directory)
    directory.set(fleet.company_id, SUSPENDED)
    directory.announce(fleet.company_id)
    delete(fleet, directory)
    eventually(lambda: directory.erased_by(fleet.company_id) == ["telemetry"], "the erasure")
    assert rows_left(telemetry_database, fleet.company_id) == TOMBSTONE


async def test_an_erasure_goes_on_where_it_was_stopped(pool: Database) -> None:
    """Each step is bounded; one that is cut off counts for nothing, and the next one goes on."""
    company_id = new_id()
    await fill_tables(pool, company_id, 7)
    now = datetime.now(UTC)
    await PostgresCompanies(pool).apply(CompanyStanding(company_id, 1, CompanyState.DELETING), now)
    before = sum((await rows_of(pool, company_id)).values())

    assert await PostgresEraser(pool, step_rows=3).erase_some(now)
    after = sum((await rows_of(pool, company_id)).values())
    # Three devices, each with its entry in the directory.
    assert before - after == 6
    # Whoever dies in the middle of a step takes its transaction along.
    with pytest.raises(ZeroDivisionError):
        await cut_short(pool, company_id)
    assert sum((await rows_of(pool, company_id)).values()) == after

    steps = 0
    while (await rows_of(pool, company_id)) != TOMBSTONE:
        assert await PostgresEraser(pool, step_rows=3).erase_some(now)
        steps += 1
    assert steps >= (before - 6) // 6
    assert not await PostgresLatestFolder(pool).fold()
    assert await rows_of(pool, company_id) == TOMBSTONE


async def cut_short(database: Database, company_id: uuid.UUID) -> None:
    """Die in the middle of a step."""
    async with database.transaction() as session:
        delete_devices = sa.text("DELETE FROM device WHERE company_id = :id")
        await session.execute(delete_devices, {"id": company_id})
        raise ZeroDivisionError


async def fill_tables(database: Database, company_id: uuid.UUID, devices: int) -> None:
    """Write devices and what hangs on them without a service."""
    statements = (
        "INSERT INTO device VALUES (:company, :device, :text, '', NULL, 'claimed', now())",
        "INSERT INTO device_directory VALUES (:text, :device, :company)",
        "INSERT INTO device_boot VALUES (:company, :device, 1, 1)",
        "INSERT INTO device_span VALUES (:company, :device, 1)",
        "INSERT INTO device_sensors VALUES (:company, :device, '{a}')",
    )
    async with database.transaction() as session:
        for _ in range(devices):
            device_id = new_id()
            values = {"company": company_id, "device": device_id, "text": str(device_id)}
            for statement in statements:
                await session.execute(sa.text(statement), values)


def test_devices_of_the_deleted_are_not_listed(fleet: Fleet, directory: ScriptedDirectory) -> None:
    """Nor their assignments."""
    fill(fleet, directory)
    delete(fleet, directory)
    eventually(lambda: directory.erased_by(fleet.company_id), "the erasure")

    devices = fleet.devices.ListDevices(pb.ListDevicesRequest(), metadata=fleet.person())
    assignments = fleet.devices.ListDeviceAssignments(
        pb.ListDeviceAssignmentsRequest(), metadata=fleet.person()
    )

    assert not devices.devices
    assert not assignments.assignments
