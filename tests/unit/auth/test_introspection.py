"""What callers are told of tokens, on fakes."""

import uuid

import pytest

from services.auth.ports.api_keys import ExaminedToken
from services.auth.usecases.introspection import IntrospectToken
from services.chassis.identity import Caller, CallerKind, Role

COMPANY, OTHER = uuid.uuid4(), uuid.uuid4()


def holder(kind: CallerKind, company_id: uuid.UUID | None) -> Caller:
    """Make whom a token belongs to."""
    return Caller(kind, str(uuid.uuid4()), None, company_id, None, 2**40)


TOKENS = {
    "own": ExaminedToken(holder(CallerKind.DEVICE, COMPANY), 1.0),
    "foreign": ExaminedToken(holder(CallerKind.API_KEY, OTHER), 1.0),
    "service": ExaminedToken(holder(CallerKind.SERVICE, None), 1.0),
}


async def examine(token: str) -> ExaminedToken | None:
    """Judge a token."""
    return TOKENS.get(token)


@pytest.mark.parametrize(
    ("role", "company_id", "seen"),
    [(Role.COMPANY_ADMIN, COMPANY, {"own"}), (Role.MASTER, None, set(TOKENS))],
)
async def test_tokens_in_reach_are_told_of(
    role: Role, company_id: uuid.UUID | None, seen: set[str]
) -> None:
    """Of all others nothing is said, not even that they are good."""
    introspect = IntrospectToken(examine)
    caller = Caller(CallerKind.USER, str(uuid.uuid4()), role, company_id, None, 2**40)

    told = {token: await introspect(caller, token) for token in (*TOKENS, "unreadable")}

    assert {token for token, found in told.items() if found is not None} == seen
