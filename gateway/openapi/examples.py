"""Examples of messages: plausible values, chosen by what a field is called and what it must be."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2

from gateway.contract import rules
from gateway.openapi.schemas import ANY, Types

Field = descriptor_pb2.FieldDescriptorProto

_DEPTH_MAX = 5
_UUID = "01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10"
_TIME = "2026-03-01T12:00:00Z"

_API_KEY = "dt_019cf0a2b3c47d5e8f90a1b2c3d4e5f6"
_BY_NAME: Mapping[str, Any] = {
    "address": "203.0.113.7",
    "backup_codes": ["MFRG-GZDF", "NBSW-Y3DP"],
    "base": "905",
    "boot_id": "1311768467463790320",
    "claim_code": "K7QF-93MD-X2TB",
    "current_password": "correct horse battery",
    "decimals": 1,
    "deltas": [0, 2, -1],
    "device": "Firefox on Windows",
    "display_name": "Ana Lima",
    "email": "ana@example.com",
    "emails": ["fleet@example.com"],
    "end_time": _TIME,
    "expires_in_s": 900,
    "hardware_id": "24:6F:28:AA:BB:CC",
    "invitation_code": "5Vw3mPq8",
    "key": "coolant_temperature_c",
    "language_code": "pt",
    "latitude_deg": 38.7223,
    "longitude_deg": -9.1393,
    "new_password": "seven quiet river stones",
    "next_page_token": "",
    "nonce": "AAECAwQFBgcICQoLDA0ODw==",
    "email_code": "MFRG-GZDF-NBSW-Y3DP",
    "new_email": "ana.lima@example.com",
    "odometer_m": "48250000",
    "otpauth_uri": "otpauth://totp/DashTrack:ana@example.com?secret=JBSWY3DPEHPK3PXP&issuer=DashTrack",
    "page_size": 50,
    "page_token": "",
    "password": "correct horse battery",
    "plan_id": "standard",
    "plate": "AB-12-CD",
    "qr_svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "quota": "vehicles",
    "reason": "TOKEN_EXPIRED",
    "refresh_token": "rt_2b7e151628aed2a6abf7158809cf4f3c",
    "reset_code": "MFRG-GZDF-NBSW-Y3DP",
    "sample_count": 3,
    "scopes": ["telemetry:read"],
    "secret_key": f"{_API_KEY}_{'5' * 48}1f0c7d2e",
    "prefix": _API_KEY,
    "last_use_address": "203.0.113.7",
    "secret": "s3c-9f86d081884c7d659a2feaa0c55ad015",
    "sensor": "coolant_temperature_c",
    "seq": 17,
    "start_unix_ms": "1772366400000",
    "step_ms": 1000,
    "team_name": "North",
    "time_zone": "Europe/Lisbon",
    "token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
    "access_token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
    "token_type": "Bearer",
    "totp_code": "287082",
    "type": "overview",
    "unavailable_parts": ["devices"],
    "update_mask": "displayName",
    "value": 90.5,
    "vin": "1HGCM82633A004352",
    "etag": "",
}
# Where the name alone would say something else.
_BY_FIELD: Mapping[tuple[str, str], Any] = {
    (".dashtrack.companies.v1.Plan", "display_name"): "Standard",
    (".dashtrack.companies.v1.SuspendCompanyRequest", "reason"): "Invoices are overdue.",
    (".dashtrack.companies.v1.Suspension", "reason"): "Invoices are overdue.",
}
_BY_TYPE: Mapping[str, Any] = {
    ".google.protobuf.Timestamp": _TIME,
    ".google.protobuf.Duration": "1s",
    ".google.protobuf.FieldMask": "displayName",
    ".google.protobuf.Empty": {},
    ANY: {"@type": "type.googleapis.com/google.protobuf.Empty", "value": {}},
}
_LONG = {
    Field.TYPE_INT64,
    Field.TYPE_UINT64,
    Field.TYPE_SINT64,
    Field.TYPE_FIXED64,
    Field.TYPE_SFIXED64,
}


def request_example(types: Types, message: str) -> Any:
    """Return a body as a client sends it."""
    return _example(types, message, 0, lambda comment: not comment.startswith("Output only"))


def response_example(types: Types, message: str) -> Any:
    """Return an answer."""
    return _example(types, message, 0, lambda _: True)


def _example(types: Types, message: str, depth: int, wanted: Callable[[str], bool]) -> Any:
    if message in _BY_TYPE:
        return _BY_TYPE[message]
    if depth > _DEPTH_MAX:
        return {}
    made: dict[str, Any] = {}
    chosen: set[int] = set()
    for field in types.message(message).field:
        comment = types.field_comment(message, field.name)
        if not wanted(comment):
            continue
        if field.HasField("oneof_index"):
            if field.oneof_index in chosen:
                continue
            chosen.add(field.oneof_index)
        # Encodings exclude each other; the small one is shown.
        if field.name in {"values", "offsets_ms", "present", "positions", "dropped_readings"}:
            continue
        example = _BY_FIELD.get((message, field.name))
        if example is None:
            example = _field_example(types, field, depth, wanted)
        made[field.json_name] = example
    return made


def _field_example(types: Types, field: Field, depth: int, wanted: Callable[[str], bool]) -> Any:
    if field.name in _BY_NAME and field.type not in {Field.TYPE_MESSAGE, Field.TYPE_ENUM}:
        return _BY_NAME[field.name]
    if field.type == Field.TYPE_MESSAGE:
        value = _example(types, field.type_name, depth + 1, wanted)
    elif field.type == Field.TYPE_ENUM:
        # The first role is that of the platform's operators, which few places take.
        position = -1 if field.name.endswith(("role", "roles")) else 1
        value = types.enum(field.type_name).value[position].name
    else:
        value = _scalar(field)
    return [value] if field.label == Field.LABEL_REPEATED else value


def _scalar(field: Field) -> Any:
    if rules(field).string.uuid or field.name.endswith("_id"):
        return _UUID
    if field.type in _LONG:
        return "42"
    if field.type == Field.TYPE_BOOL:
        return False
    if field.type in {Field.TYPE_STRING, Field.TYPE_BYTES}:
        return ""
    return 0
