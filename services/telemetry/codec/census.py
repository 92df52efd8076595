"""Messages about numbers of devices."""

import dataclasses

from dashtrack.telemetry.internal.v1 import census_service_pb2 as pb

from services.telemetry.domain.census import DeviceCensus


def encode_census(census: DeviceCensus) -> pb.CountDevicesResponse:
    """Write them."""
    return pb.CountDevicesResponse(**dataclasses.asdict(census))
