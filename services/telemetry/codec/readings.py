"""Readings to messages, and ranges out of requests."""

import uuid
from weakref import WeakKeyDictionary

from dashtrack.telemetry.v1 import reading_service_pb2 as pb

from services.chassis.fields import encode_time
from services.chassis.page_tokens import (
    PageTokenInvalid,
    decode_page_token,
    encode_page_token,
    fingerprint,
)
from services.telemetry.codec.times import decode_ms_up, encode_ms
from services.telemetry.domain.columns import Numbers, Times
from services.telemetry.domain.latest import Latest
from services.telemetry.ports.reading import CommittedBatch
from services.telemetry.usecases.reading import RangePage, RangeQuery
from services.telemetry.usecases.watching import (
    BatchItem,
    EndItem,
    HeartbeatItem,
    LatestItem,
    WatchItem,
)

PAGE_SIZE_DEFAULT = 1000
_E7 = 10**7

RangeRequest = pb.ListReadingsRequest | pb.ListPositionsRequest


def decode_range(request: RangeRequest) -> RangeQuery:
    """Read the range of a first page from its bounds, of a later one from its token."""
    limit = request.page_size or PAGE_SIZE_DEFAULT
    if request.page_token:
        position = decode_page_token(request.page_token, fingerprint(request))
        try:
            start_ms, end_ms = int(position["start"]), int(position["end"])
        except (KeyError, ValueError) as err:
            raise PageTokenInvalid from err
        return RangeQuery(start_ms, end_ms, limit, continued=True)
    return RangeQuery(
        decode_ms_up(request.start_time) if request.HasField("start_time") else None,
        decode_ms_up(request.end_time) if request.HasField("end_time") else None,
        limit,
    )


def encode_readings(page: RangePage, request: pb.ListReadingsRequest) -> pb.ListReadingsResponse:
    """Write a page of readings."""
    response = pb.ListReadingsResponse(next_page_token=_next_token(page, request))
    if len(page.grid):
        response.readings.extend(_readings(page.grid.times_ms, page.grid.rows[0]))
    return response


def encode_positions(page: RangePage, request: pb.ListPositionsRequest) -> pb.ListPositionsResponse:
    """Write a page of positions."""
    response = pb.ListPositionsResponse(next_page_token=_next_token(page, request))
    if len(page.grid):
        response.positions.extend(_positions(page.grid.times_ms, *page.grid.rows))
    return response


def encode_latest(device_id: uuid.UUID, latest: Latest) -> pb.LatestReadings:
    """Write the newest of a device, sensors in the order of their keys."""
    message = pb.LatestReadings(
        device_id=str(device_id),
        sensors=[
            pb.SensorReading(sensor=sensor, time=encode_ms(newest.time_ms), value=newest.value)
            for sensor, newest in sorted(latest.sensors.items())
            if not newest.is_missing
        ],
    )
    if latest.fix is not None:
        fix = latest.fix
        message.position.CopyFrom(_position(fix.time_ms, fix.latitude_e7, fix.longitude_e7))
    return message


class WatchEncoder:
    """Writes the items of watches; a batch that many watch is written once."""

    def __init__(self) -> None:
        self._encoded: WeakKeyDictionary[CommittedBatch, pb.WatchReadingsResponse] = (
            WeakKeyDictionary()
        )

    def encode(self, item: WatchItem) -> pb.WatchReadingsResponse:
        """Write an item."""
        match item:
            case BatchItem(batch, 0):
                return self._batch(batch)
            case BatchItem(batch, skipped):
                response = pb.WatchReadingsResponse()
                response.CopyFrom(self._batch(batch))
                response.batch.skipped = skipped
                return response
            case LatestItem(device_id, latest):
                return pb.WatchReadingsResponse(latest=encode_latest(device_id, latest))
            case HeartbeatItem(at):
                return pb.WatchReadingsResponse(heartbeat=pb.Heartbeat(time=encode_time(at)))
            case EndItem(reason):
                return pb.WatchReadingsResponse(end=pb.WatchEnd(reason=reason))

    def _batch(self, batch: CommittedBatch) -> pb.WatchReadingsResponse:
        response = self._encoded.get(batch)
        if response is None:
            columns, track = batch.columns, batch.columns.track
            positions = _positions(track.times_ms, track.latitudes_e7, track.longitudes_e7)
            series = [
                pb.Series(sensor=sensor, readings=_readings(column.times_ms, column.values))
                for sensor, column in columns.sensors.items()
                if len(column)
            ]
            message = pb.ReadingsBatch(
                device_id=str(batch.device_id), series=series, positions=positions
            )
            response = pb.WatchReadingsResponse(batch=message)
            self._encoded[batch] = response
        return response


def _readings(times_ms: Times, values: Numbers) -> list[pb.Reading]:
    return [
        pb.Reading(time=encode_ms(time_ms), value=value)
        for time_ms, value in zip(times_ms.tolist(), values.tolist(), strict=True)
    ]


def _positions(times_ms: Times, latitudes: Numbers, longitudes: Numbers) -> list[pb.Position]:
    fixes = zip(times_ms.tolist(), latitudes.tolist(), longitudes.tolist(), strict=True)
    return [_position(*fix) for fix in fixes]


def _position(time_ms: int, latitude_e7: int, longitude_e7: int) -> pb.Position:
    return pb.Position(
        time=encode_ms(time_ms),
        latitude_deg=latitude_e7 / _E7,
        longitude_deg=longitude_e7 / _E7,
    )


def _next_token(page: RangePage, request: RangeRequest) -> str:
    if page.next_start_ms is None:
        return ""
    return encode_page_token(
        {"start": page.next_start_ms, "end": page.end_ms}, fingerprint(request)
    )
