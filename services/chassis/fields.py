"""Fields that messages of all services have: ids, times, roles."""

import uuid
from datetime import datetime

from dashtrack.options.v1 import options_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.identity import Restriction, Role

ROLES = {options_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
ROLE_NUMBERS = {role: number for number, role in ROLES.items()}
RESTRICTIONS = {
    options_pb2.Restriction.Value(f"RESTRICTION_{restriction.name}"): restriction
    for restriction in Restriction
}
_RESTRICTION_NUMBERS = {restriction: number for number, restriction in RESTRICTIONS.items()}


def decode_id(text: str) -> uuid.UUID:
    """Read an id that the contract's rules have found to be one."""
    return uuid.UUID(text)


def decode_optional_id(text: str) -> uuid.UUID | None:
    """Read an id that may be left out."""
    return uuid.UUID(text) if text else None


def encode_time(moment: datetime) -> Timestamp:
    """Write a moment."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def encode_restriction(restriction: Restriction | None) -> "options_pb2.Restriction.ValueType":
    """Write what narrows a token, if anything does."""
    if restriction is None:
        return options_pb2.RESTRICTION_UNSPECIFIED
    return _RESTRICTION_NUMBERS[restriction]
