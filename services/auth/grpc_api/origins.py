"""Where a call comes from, and from within which session."""

import uuid
from typing import Any

from services.auth.domain.sessions import Origin
from services.auth.usecases.passwords import SessionOwner
from services.chassis.addresses import client_address, user_agent
from services.chassis.errors import TokenInvalid
from services.chassis.identity import current_caller


def origin_of(context: Any, proxies_trusted: int) -> Origin:
    """Read where a call comes from, as far as that can be known."""
    metadata = context.invocation_metadata() or ()
    address = client_address(metadata, context.peer(), proxies_trusted)
    return Origin.of(address, user_agent(metadata))


def current_session_id() -> uuid.UUID:
    """Return the session that the caller's token is of.

    Raises:
        TokenInvalid: it names none.
    """
    session_id = current_caller().session_id
    if session_id is None:
        raise TokenInvalid("The token names no session.")
    return session_id


def session_owner(context: Any, proxies_trusted: int) -> SessionOwner:
    """Return who calls from within a session, and from where."""
    origin = origin_of(context, proxies_trusted)
    return SessionOwner(current_caller().user_id, current_session_id(), origin)
