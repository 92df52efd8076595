"""PostgreSQL goes away while boards upload: nothing acknowledged is lost or doubled."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

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


def ask(database: FreshDatabase, statement: str) -> list[asyncpg.Record]:
    """Ask the database itself."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(database.dsn)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    return run_async(run())


def stored(database: FreshDatabase) -> tuple[int, ...]:
    """Count rows, different keys, and batches that the log names."""
    (row,) = ask(
        database,
        "SELECT count(*), count(DISTINCT (device_id, boot_id, seq)), "
        "(SELECT sum(cardinality(device_ids)) FROM ingest_log) FROM telemetry_batch",
    )
    return tuple(row)


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


@pytest.fixture
def failing(mortal_database: FreshDatabase) -> Iterator[Callable[[str, str], None]]:
    """Have PostgreSQL itself fail inserts that meet a condition with an SQLSTATE."""

    def fail(sqlstate: str, condition: str) -> None:
        execute(
            mortal_database,
            f"""
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {condition} THEN RAISE EXCEPTION 'failing' USING ERRCODE = '{sqlstate}'; END IF;
                RETURN NEW;
            END $$""",
            "DROP TRIGGER IF EXISTS fail ON telemetry_batch",
            "CREATE TRIGGER fail BEFORE INSERT ON telemetry_batch "
            "FOR EACH ROW EXECUTE FUNCTION fail()",
        )

    yield fail
    execute(mortal_database, "DROP TRIGGER IF EXISTS fail ON telemetry_batch")


def execute(database: FreshDatabase, *statements: str) -> None:
    """Change the database behind the service's back."""
    for statement in statements:
        ask(database, statement)


def test_a_full_disk_is_told_and_recovered_from(
    fleet: Fleet, mortal_database: FreshDatabase, failing: Callable[[str, str], None]
) -> None:
    """Boards come again, and once there is room their batches are stored: nobody restarts."""
    board = fleet.board()
    failing("53100", "true")
    with pytest.raises(grpc.RpcError) as raised:
        fleet.upload(board, batch_of(1.0))
    refusal = refusal_of(raised.value)
    assert (refusal.code, refusal.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert refusal.retry_after_s

    execute(mortal_database, "DROP TRIGGER fail ON telemetry_batch")

    assert not persist(fleet, board, 0)


def test_only_the_batch_that_the_database_refuses_is_quarantined(
    fleet: Fleet, failing: Callable[[str, str], None]
) -> None:
    """Its neighbours in the flush are stored."""
    board = fleet.board()
    failing("22000", "NEW.seq = 13")

    def outcome(seq: int) -> str:
        try:
            fleet.upload(board, batch_of(float(seq), seq=seq))
        except grpc.RpcError as err:
            return refusal_of(err).reason
        return "stored"

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(outcome, range(20)))

    assert outcomes.pop(13) == "BATCH_MALFORMED"
    assert set(outcomes) == {"stored"}


def test_a_deadlock_is_nobodys_business(
    fleet: Fleet, mortal_database: FreshDatabase, failing: Callable[[str, str], None]
) -> None:
    """PostgreSQL sacrifices a flush now and then; it is tried again."""
    board = fleet.board()
    execute(mortal_database, "CREATE SEQUENCE IF NOT EXISTS tries")
    failing("40P01", "nextval('tries') % 3 <> 0")

    assert not fleet.upload(board, batch_of(1.0)).repeated


def test_a_service_that_stops_answers_what_it_took_in(
    mortal_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    companies_service: ServedService,
    fleet: Fleet,
) -> None:
    """Under load: whatever was acknowledged is stored, and no call is left hanging."""
    settings = settings_for(
        TelemetrySettings,
        mortal_database,
        nats_server,
        token_authority,
        companies_target=companies_service.target,
        claim_key=CLAIM_KEY,
    )
    boards = [fleet.board() for _ in range(8)]
    acknowledged: list[tuple[uuid.UUID, int]] = []
    with ExitStack() as outlives_the_service, ThreadPoolExecutor(len(boards)) as pool:
        with served("telemetry", settings, app.build, MIGRATIONS) as replica:
            channel = outlives_the_service.enter_context(grpc.insecure_channel(replica.target))
            stopping = fleet.on(channel)

            def work(board: Board) -> StatusCode | None:
                for seq in range(10_000):
                    try:
                        stopping.upload(board, batch_of(float(seq), seq=seq))
                    except grpc.RpcError as err:
                        return refusal_of(err).code
                    acknowledged.append((board.device_id, seq))
                return None

            working = [pool.submit(work, board) for board in boards]
            eventually(lambda: len(acknowledged) > 100, "some acknowledgements")
        ends = {done.result() for done in working}

    # gRPC itself cancels a call that it has received and not yet handed to its handler.
    assert ends <= _RETRIED | {StatusCode.CANCELLED}
    rows = ask(mortal_database, "SELECT device_id, seq FROM telemetry_batch")
    assert set(acknowledged) <= {(row["device_id"], row["seq"]) for row in rows}
