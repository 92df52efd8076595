"""PostgreSQL goes away while boards upload: nothing acknowledged is lost or doubled."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import grpc
import pytest
from grpc import StatusCode

from services.telemetry import app
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage import MIGRATIONS
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase, PostgresServer, running_postgres
from tests.fixtures.refusals import refusal_of
from tests.fixtures.running import run_async
from tests.fixtures.serving import ServedService, served, settings_for
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.tokens import TokenMint
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import CLAIM_KEY, Board, Fleet, batch_of

_RETRIED = {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED}


@pytest.fixture(scope="module")
def mortal_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server that only this module kills."""
    careless = {"fsync": "off", "full_page_writes": "off"}
    with running_postgres(tmp_path_factory, careless) as server:
        yield server


@pytest.fixture(scope="module")
def mortal_database(mortal_postgres: PostgresServer) -> FreshDatabase:
    """The service's database on it."""
    return mortal_postgres.create_database("telemetry")


@pytest.fixture(scope="module")
def service(
    mortal_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    companies_service: ServedService,
) -> Iterator[ServedService]:
    """The service on it."""
    settings = settings_for(
        TelemetrySettings,
        mortal_database,
        nats_server,
        token_authority,
        companies_target=companies_service.target,
        claim_key=CLAIM_KEY,
    )
    with served("telemetry", settings, app.build, MIGRATIONS) as service:
        yield service


@pytest.fixture
def fleet(service: ServedService, token_mint: TokenMint, company_id: uuid.UUID) -> Iterator[Fleet]:
    """A fleet on it."""
    with grpc.insecure_channel(service.target) as channel:
        yield Fleet(channel, token_mint, company_id)


def persist(fleet: Fleet, board: Board, seq: int) -> bool:
    """Upload a batch until it is acknowledged, as a board does; tell whether it was a repeat."""
    batch = batch_of(float(seq), seq=seq)

    def acknowledged() -> list[bool] | None:
        try:
            return [fleet.upload(board, batch).repeated]
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            assert refusal.code in _RETRIED, refusal
            return None

    return eventually(acknowledged, "the acknowledgement")[0]


def stored(database: FreshDatabase) -> tuple[int, int, int]:
    """Count rows, different keys, and batches that the log names."""

    async def fetch() -> tuple[int, int, int]:
        connection = await asyncpg.connect(database.dsn)
        try:
            row = await connection.fetchrow(
                "SELECT count(*), count(DISTINCT (device_id, boot_id, seq)), "
                "(SELECT sum(cardinality(device_ids)) FROM ingest_log) FROM telemetry_batch"
            )
        finally:
            await connection.close()
        assert row is not None
        return row[0], row[1], row[2]

    return run_async(fetch())


@pytest.mark.timeout(120)
def test_every_acknowledged_batch_is_there_once_after_postgres_was_killed(
    fleet: Fleet, mortal_postgres: PostgresServer, mortal_database: FreshDatabase
) -> None:
    """Killed in the middle of flushes, three times: stored once, logged once, newest right."""
    boards = [fleet.board() for _ in range(6)]
    rounds = 3
    per_round = 30

    def work(board: Board, seqs: range) -> None:
        for seq in seqs:
            persist(fleet, board, seq)

    for number in range(rounds):
        seqs = range(number * per_round, (number + 1) * per_round)
        with ThreadPoolExecutor(len(boards)) as pool:
            working = [pool.submit(work, board, seqs) for board in boards]
            time.sleep(0.1)
            mortal_postgres.restart()
            for done in working:
                done.result()

    expected = len(boards) * rounds * per_round
    assert stored(mortal_database) == (expected, expected, expected)
    for board in boards:
        assert fleet.latest(board) == {"speed_kmh": float(rounds * per_round - 1)}


@pytest.mark.timeout(120)
def test_while_the_database_is_down_boards_are_told_to_come_again(
    fleet: Fleet, mortal_postgres: PostgresServer
) -> None:
    """UNAVAILABLE with a time, and recovery without anybody's help."""
    board = fleet.board()
    fleet.upload(board, batch_of(0.0))
    mortal_postgres.stop()
    try:
        for seq in range(1, 4):
            with pytest.raises(grpc.RpcError) as raised:
                fleet.upload(board, batch_of(float(seq), seq=seq))
            refusal = refusal_of(raised.value)
            assert (refusal.code, refusal.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
            assert refusal.retry_after_s
    finally:
        mortal_postgres.start()

    assert not persist(fleet, board, 1)
    eventually(lambda: fleet.latest(board) == {"speed_kmh": 1.0}, "the newest value")
