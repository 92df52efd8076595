"""Tokens judged by the chassis, as in every service."""

from services.auth.ports.api_keys import ExaminedToken
from services.chassis.rpc.access import examine_token as judge


async def examine_token(token: str) -> ExaminedToken | None:
    """Return what a token says that is good now.

    Raises:
        Unavailable: nobody can tell now.
    """
    verified = await judge(token)
    if verified is None:
        return None
    return ExaminedToken(verified.caller, verified.issued_at_s)
