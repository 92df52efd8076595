"""The telemetry service in process, and boards and people that talk to it."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from dashtrack.device.v1 import device_link_service_pb2_grpc as link_grpc
from dashtrack.device.v1.reading_batch_pb2 import ReadingBatch, SensorColumn, UploadAck
from dashtrack.telemetry.v1 import device_service_pb2 as device_pb
from dashtrack.telemetry.v1 import reading_service_pb2 as reading_pb
from dashtrack.telemetry.v1.device_service_pb2_grpc import DeviceServiceStub
from dashtrack.telemetry.v1.reading_service_pb2_grpc import ReadingServiceStub
from google.api.httpbody_pb2 import HttpBody

from services.chassis.identity import Role
from services.telemetry import app
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage import MIGRATIONS
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.serving import ServedService, served, settings_for
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.tokens import TokenMint, bearer

CLAIM_KEY = "a-claim-key-of-the-tests-only"
TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Board:
    """A device with a token."""

    device_id: uuid.UUID
    company_id: uuid.UUID
    token: str


class Fleet:
    """Boards and people of one company, on one replica of the service."""

    def __init__(self, channel: grpc.Channel, mint: TokenMint, company_id: uuid.UUID) -> None:
        # The generated stubs are typed for grpc.aio; over this channel they are synchronous.
        untyped: Any = channel
        self.channel = channel
        self.links: Any = link_grpc.DeviceLinkServiceStub(untyped)
        self.bodies: Any = link_grpc.DeviceLinkHttpServiceStub(untyped)
        self.devices: Any = DeviceServiceStub(untyped)
        self.readings: Any = ReadingServiceStub(untyped)
        self.company_id = company_id
        self.mint = mint

    def on(self, channel: grpc.Channel) -> "Fleet":
        """The same fleet on another replica."""
        return Fleet(channel, self.mint, self.company_id)

    def person(self, role: Role = Role.MANAGER) -> Any:
        """Metadata of somebody of the company, or of a master."""
        return bearer(self.mint.user(role, None if role is Role.MASTER else self.company_id))

    def register(self, **device: Any) -> device_pb.RegisterDeviceResponse:
        """Register a board."""
        device.setdefault("hardware_id", uuid.uuid4().hex)
        request = device_pb.RegisterDeviceRequest(device=device_pb.Device(**device))
        response: device_pb.RegisterDeviceResponse = self.devices.RegisterDevice(
            request, metadata=self.person(), timeout=TIMEOUT_S
        )
        return response

    def board(self) -> Board:
        """Register a board and give it a token."""
        device_id = uuid.UUID(self.register().device.device_id)
        token = self.mint.device(self.company_id, device_id)
        return Board(device_id, self.company_id, token)

    def send(self, board: Board, body: bytes, **headers: str) -> UploadAck:
        """Upload a body as a board does; header names have underscores for dashes."""
        metadata = [(name.replace("_", "-"), value) for name, value in headers.items()]
        answer = self.bodies.Upload(
            HttpBody(content_type="application/x-protobuf", data=body),
            metadata=[*bearer(board.token), *metadata],
            timeout=TIMEOUT_S,
        )
        return UploadAck.FromString(answer.data)

    def upload(self, board: Board, batch: ReadingBatch, **headers: str) -> UploadAck:
        """Upload a batch as a board does."""
        return self.send(board, batch.SerializeToString(), **headers)

    def latest(self, board: Board) -> dict[str, float]:
        """Return the newest value of each sensor."""
        request = reading_pb.GetLatestReadingsRequest(device_id=str(board.device_id))
        answer = self.readings.GetLatestReadings(request, metadata=self.person(), timeout=TIMEOUT_S)
        return {reading.sensor: reading.value for reading in answer.sensors}

    def history(self, board: Board, sensor: str, **request: Any) -> list[tuple[int, float]]:
        """Return all readings of a sensor, page by page, with times in milliseconds."""
        found: list[tuple[int, float]] = []
        asked = {"device_id": str(board.device_id), "sensor": sensor, **request}
        while True:
            page = self.readings.ListReadings(
                reading_pb.ListReadingsRequest(**asked),
                metadata=self.person(),
                timeout=TIMEOUT_S,
            )
            found.extend(
                (reading.time.ToMilliseconds(), reading.value) for reading in page.readings
            )
            if not page.next_page_token:
                return found
            asked["page_token"] = page.next_page_token


def batch_of(*values: float, seq: int = 0, **fields: Any) -> ReadingBatch:
    """A batch of one sensor with a reading a second, ending now unless the fields say else."""
    usual: dict[str, Any] = {
        "boot_id": 7,
        "seq": seq,
        "sample_count": len(values),
        "step_ms": 1000,
        "sensors": [SensorColumn(key="speed_kmh", values=values)],
    }
    if "start_uptime_ms" not in fields:
        usual["start_unix_ms"] = int(time.time() * 1000) - 1000 * len(values)
    return ReadingBatch(**(usual | fields))


@pytest.fixture(scope="module")
def telemetry_database(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """The service's database."""
    database = postgres_server.create_database("telemetry")
    yield database
    postgres_server.drop_database(database)


@pytest.fixture(scope="module")
def telemetry_settings(
    telemetry_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    companies_service: ServedService,
) -> TelemetrySettings:
    """The service's settings."""
    return settings_for(
        TelemetrySettings,
        telemetry_database,
        nats_server,
        token_authority,
        companies_target=companies_service.target,
        claim_key=CLAIM_KEY,
    )


@pytest.fixture(scope="module")
def telemetry_service(telemetry_settings: TelemetrySettings) -> Iterator[ServedService]:
    """The service."""
    with served("telemetry", telemetry_settings, app.build, MIGRATIONS) as service:
        yield service


@pytest.fixture
def fleet(
    telemetry_service: ServedService, token_mint: TokenMint, company_id: uuid.UUID
) -> Iterator[Fleet]:
    """A fleet of a company of the test's own."""
    with grpc.insecure_channel(telemetry_service.target) as channel:
        yield Fleet(channel, token_mint, company_id)


@pytest.fixture
def second_replica(telemetry_settings: TelemetrySettings, fleet: Fleet) -> Iterator[Fleet]:
    """The fleet on another replica of the service."""
    with (
        served("telemetry", telemetry_settings, app.build, MIGRATIONS) as service,
        grpc.insecure_channel(service.target) as channel,
    ):
        yield fleet.on(channel)
