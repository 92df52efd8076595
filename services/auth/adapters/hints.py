"""The hint over NATS that something was revoked."""

from services.chassis.messaging import Messaging
from services.chassis.revocations import HINT_SUBJECT


class NatsRevocationHint:
    """Has every service pull the log at once instead of within seconds."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    async def announce(self) -> None:
        """Say so; while NATS is away it is lost, and the regular pull makes up for it."""
        await self._messaging.publish(HINT_SUBJECT, b"")
