"""What each service may say and hear on NATS."""

from collections.abc import Mapping, Sequence

from services.stack.nats import NatsAccount

_STREAM = "EVENTS"

_HINTS: Mapping[str, Sequence[str]] = {
    "auth": ["dashtrack.revoked"],
    "telemetry": [
        "dashtrack.committed.>",
        "dashtrack.companies.changed",
        "dashtrack.devices.changed",
        "tel.>",
    ],
}
"""Messages that may be lost, by the service that sends them."""

_AUDIT_STREAM = "AUDIT"

# Whoever comes first makes the streams, and each its consumers; nobody deletes or purges.
_STREAM_INTERFACE = [
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    f"$JS.API.STREAM.INFO.{_STREAM}",
    f"$JS.API.STREAM.CREATE.{_STREAM}",
    f"$JS.API.STREAM.UPDATE.{_STREAM}",
    f"$JS.API.STREAM.INFO.{_AUDIT_STREAM}",
    f"$JS.API.STREAM.CREATE.{_AUDIT_STREAM}",
    f"$JS.API.CONSUMER.CREATE.{_STREAM}.>",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{_STREAM}.>",
    f"$JS.API.CONSUMER.INFO.{_STREAM}.>",
    f"$JS.API.CONSUMER.MSG.NEXT.{_STREAM}.>",
    f"$JS.ACK.{_STREAM}.>",
]


# Records are for auth alone to take: whoever acknowledged one would make it disappear.
_SEALER = "auth"
_SEALER_INTERFACE = [
    f"$JS.API.CONSUMER.CREATE.{_AUDIT_STREAM}.>",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{_AUDIT_STREAM}.>",
    f"$JS.API.CONSUMER.INFO.{_AUDIT_STREAM}.>",
    f"$JS.API.CONSUMER.MSG.NEXT.{_AUDIT_STREAM}.>",
    f"$JS.ACK.{_AUDIT_STREAM}.>",
]


def nats_account(service: str, password: str) -> NatsAccount:
    """Return the login of a service, which speaks for itself alone and may hear the others."""
    return NatsAccount(
        user=service,
        password=password,
        publish=[
            f"events.{service}.>",
            f"audit.{service}.>",
            *_HINTS.get(service, []),
            *_STREAM_INTERFACE,
            *(_SEALER_INTERFACE if service == _SEALER else []),
        ],
        subscribe=["events.>", "dashtrack.>", "tel.>", "_INBOX.>"],
    )
