"""What is measured: a whole stack, boards with tokens, and the programs it is compared with."""

import base64
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import asyncpg
import httpx
import numpy as np
import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from dashtrack.device.v1 import reading_batch_pb2 as batches

from services.stack.credentials import load_credentials
from tests.bench.loads import Parcel
from tests.fixtures.platform import BoardAccess, Platform, platform_of
from tests.fixtures.ports import reserved_ports
from tests.fixtures.stack import Stack, stack_in
from tests.fixtures.waiting import eventually

BOARDS = 32
SENSORS = 6
POINTS = 30
READINGS = SENSORS * POINTS
_STEP_MS = 1000


@dataclass
class Rig:
    """A running system with boards that are ready to upload."""

    stack: Stack
    platform: Platform
    boards: Sequence[BoardAccess]
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    _source: Iterator[Parcel] = field(init=False)

    def __post_init__(self) -> None:
        """Begin the boards' one long drive: no batch repeats another's times."""
        self._source = self._endless_parcels()

    @property
    def telemetry_port(self) -> int:
        """The gRPC port of telemetry, behind the gateway."""
        return self.stack.ports["telemetry_grpc_port"]

    @property
    def gateway_port(self) -> int:
        """The port that boards post to."""
        return self.stack.ports["gateway_port"]

    def telemetry_process(self) -> psutil.Process:
        """The process whose CPU time is measured."""
        return psutil.Process(self.stack.pid("telemetry"))

    def parcels(self, count: int) -> list[Parcel]:
        """Encode the next `count` batches of the boards, in turns."""
        return list(islice(self._source, count))

    def json_parcels(self, count: int) -> list[Parcel]:
        """Encode as many batches with the same numbers the way the baseline takes them."""
        return [_as_json(parcel) for parcel in self.parcels(count)]

    def _endless_parcels(self) -> Iterator[Parcel]:
        boots = [uuid.uuid4().int >> 64 for _ in self.boards]
        start_ms = int((time.time() - 86_400) * 1000)
        seq = 0
        while True:
            for board, boot_id in zip(self.boards, boots, strict=True):
                values = self._random.normal(50.0, 10.0, (SENSORS, POINTS)).astype(np.float32)
                batch = batches.ReadingBatch(
                    boot_id=boot_id,
                    seq=seq,
                    start_unix_ms=start_ms + seq * POINTS * _STEP_MS,
                    sample_count=POINTS,
                    step_ms=_STEP_MS,
                    sensors=[
                        batches.SensorColumn(key=f"sensor_{number}", values=column.tolist())
                        for number, column in enumerate(values)
                    ],
                )
                yield Parcel(board.token, batch.SerializeToString(), READINGS)
            seq += 1

    def database_dsn(self, name: str, user: str | None = None) -> str:
        """Return where a database of the stack's PostgreSQL is, as its owner or the superuser."""
        credentials = load_credentials(self.stack.layout.secrets)
        password = credentials.databases[user] if user else credentials.postgres_superuser
        port = self.stack.ports["postgres_port"]
        return f"postgresql://{user or 'postgres'}:{password}@127.0.0.1:{port}/{name}"

    async def make_database(self, name: str) -> str:
        """Make an empty database in the stack's PostgreSQL; returns its address."""
        connection = await asyncpg.connect(self.database_dsn("postgres"))
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()
        return self.database_dsn(name)

    def public_key_pem(self) -> str:
        """Return the key that board tokens are signed with."""
        response = self.platform.client.get("/.well-known/jwks.json")
        key = response.json()["keys"][0]["x"]
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        return (
            Ed25519PublicKey.from_public_bytes(raw)
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )


def _as_json(parcel: Parcel) -> Parcel:
    batch = batches.ReadingBatch.FromString(parcel.body)
    start = np.datetime64(batch.start_unix_ms, "ms")
    moments = start + np.arange(batch.sample_count) * np.timedelta64(batch.step_ms, "ms")
    rows = [
        f'{{"sensor":"{column.key}","time":"{moment}Z","value":{value:.6g}}}'
        for column in batch.sensors
        for moment, value in zip(moments, column.values, strict=True)
    ]
    identity = f'"boot_id":"{batch.boot_id:x}","seq":{batch.seq}'
    text = f'{{{identity},"readings":[{",".join(rows)}]}}'
    return Parcel(parcel.token, text.encode(), parcel.readings)


@contextmanager
def running_rig(state_dir: Path) -> Iterator[Rig]:
    """Start a stack whose limits don't stand in a load's way, and claim its boards."""
    limits = (
        "device_uploads_per_s",
        "device_uploads_burst",
        "address_calls_per_s",
        "address_calls_burst",
    )
    unlimited = dict.fromkeys(limits, "100000")
    with stack_in(state_dir, **unlimited) as stack:
        stack.up()
        with platform_of(stack) as platform:
            company_id = platform.company("unlimited")
            yield Rig(stack, platform, [platform.board(company_id) for _ in range(BOARDS)])


@contextmanager
def running_program(
    arguments: Sequence[str], port: int, environment: Mapping[str, str]
) -> Iterator[psutil.Process]:
    """Run a Python module that listens on a port, until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", *arguments], env={**os.environ, **environment}
    ) as process:
        try:
            eventually(lambda: _listens(port), f"{arguments[0]} to listen")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def running_baseline(dsn: str, public_key_pem: str, *, rows_only: bool) -> Iterator[int]:
    """Run the baseline service; gives its port."""
    with reserved_ports(1) as (port,):
        server = ["uvicorn", "tests.bench.baseline_app:app", "--port", str(port)]
        options = ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
        # Between its turns nobody calls; it shall not hang up meanwhile.
        options += ["--no-access-log", "--timeout-keep-alive", "600"]
        environment = {
            "BENCH_DATABASE_DSN": dsn,
            "BENCH_PUBLIC_KEY": public_key_pem,
            "BENCH_ROWS_ONLY": "1" if rows_only else "0",
        }
        with running_program([*server, *options], port, environment):
            eventually(lambda: _answers(port), "the baseline to answer")
            yield port


@contextmanager
def running_noop() -> Iterator[tuple[int, psutil.Process]]:
    """Run the bare handler; gives its port and its process."""
    with (
        reserved_ports(1) as (port,),
        running_program(["tests.bench.noop_server", str(port)], port, {}) as process,
    ):
        yield port, process


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200
    except httpx.TransportError:
        return False
