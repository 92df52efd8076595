"""Finds out before the start what would fail later with an obscure message: a taken port."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from services.stack.parts import ListeningPort, Part

_LISTENING = "0A"
_RELEASE_TIMEOUT_S = 65.0  # a closed connection holds its ports for a minute
_POLL_S = 0.2


class PortTaken(Exception):
    """Another program listens where a part should."""

    def __init__(self, part: str, port: ListeningPort) -> None:
        super().__init__(
            f"port {port.number} of {part} is taken by another program: "
            f"move it with {port.setting}, or all ports with `make up PORT_OFFSET=100`"
        )


async def require_free_ports(
    parts: Sequence[Part], waits: Callable[[Part, ListeningPort], None]
) -> None:
    """Make sure that every port can be listened on.

    Settings may place a port in the range that the kernel picks clients' ports from. One that a
    client has had, on its way to wherever, is free again soon: only a listener is there to stay.

    Args:
        parts: whose ports they are.
        waits: called when one has to be waited for.

    Raises:
        PortTaken: one can't.
    """
    deadline_s = time.monotonic() + _RELEASE_TIMEOUT_S
    for part in parts:
        for port in part.ports:
            while not _can_listen(port):
                if _is_listened_on(port.number) or time.monotonic() > deadline_s:
                    raise PortTaken(part.name, port)
                waits(part, port)
                await asyncio.sleep(_POLL_S)


def _can_listen(port: ListeningPort) -> bool:
    with socket.socket() as probe:
        # As servers do: connections to one that has just ended are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
            probe.listen(1)
        except OSError as err:
            if err.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def _is_listened_on(number: int) -> bool:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == number:
                return True
    return False
