"""Where a running stack is reached, and by whom: for people, the demo and tests."""

from dataclasses import dataclass, field
from pathlib import Path

from services.stack.credentials import load_credentials
from services.stack.layout import Layout
from services.stack.settings import StackSettings
from services.stack.status import read_status

HOST = "127.0.0.1"


class NotRunning(Exception):
    """No stack runs in this state folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the parts of a running stack are found."""

    rest: str
    """Base URL of REST, gRPC-Web and device uploads."""
    tls: str
    grpc: str
    """Target of native gRPC, in plain text."""
    documentation: str
    metrics: str
    authority: Path
    """Certificate to trust for the TLS address."""
    mailbox: Path
    logs: Path
    administrator_email: str
    administrator_password: str = field(repr=False)
    """The password that the first administrator was created with."""
    nats: str
    postgres: str


def read_addresses(settings: StackSettings | None = None) -> Addresses:
    """Read where the running stack is.

    Raises:
        NotRunning: it isn't.
    """
    settings = settings or StackSettings()
    layout = Layout(settings.state_dir)
    status = read_status(layout.status)
    if status is None or not status.supervisor.alive:
        raise NotRunning(f"no stack runs in {layout.folder}; start it with `make up`")
    ports = status.ports
    rest = f"http://{HOST}:{ports['gateway_port']}"
    return Addresses(
        rest=rest,
        tls=f"https://localhost:{ports['gateway_tls_port']}",
        grpc=f"{HOST}:{ports['gateway_port']}",
        documentation=f"{rest}/docs/",
        metrics=f"{rest}/metrics",
        authority=layout.tls / "ca.pem",
        mailbox=layout.mailbox,
        logs=layout.logs,
        administrator_email=status.administrator_email,
        administrator_password=load_credentials(layout.secrets).administrator_password,
        nats=f"nats://{HOST}:{ports['nats_port']}",
        postgres=f"{HOST}:{ports['postgres_port']}",
    )


def describe(addresses: Addresses) -> str:
    """Lay the addresses out for people."""
    rows = [
        ("REST", addresses.rest),
        ("TLS", f"{addresses.tls}  (trust {addresses.authority})"),
        ("gRPC", f"{addresses.grpc}  (reflection on)"),
        ("API docs", addresses.documentation),
        ("metrics", addresses.metrics),
        ("mailbox", str(addresses.mailbox)),
        ("logs", str(addresses.logs)),
        ("administrator", addresses.administrator_email),
        ("password", f"{addresses.administrator_password}  (the first one; change it)"),
    ]
    return "\n".join(f"  {name:<14}{value}" for name, value in rows)
