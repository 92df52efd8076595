"""Where a call comes from."""

from typing import Any

from services.auth.domain.sessions import Origin
from services.chassis.addresses import client_address, user_agent


def origin_of(context: Any, proxies_trusted: int) -> Origin:
    """Read where a call comes from, as far as that can be known."""
    metadata = context.invocation_metadata() or ()
    address = client_address(metadata, context.peer(), proxies_trusted)
    return Origin.of(address, user_agent(metadata))
