"""Channels to other services: deadlines, traces and service tokens travel along."""

import grpc.aio

from services.chassis.settings import ServiceSettings


class Channels:
    """One channel per target, made when first asked for."""

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        raise NotImplementedError

    def channel(self, target: str) -> grpc.aio.Channel:
        """Return the channel to this address; it is shared and closed with the service."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close every channel."""
        raise NotImplementedError
