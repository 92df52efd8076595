"""What operators see: one trace from the upload to the SQL, and the promised series."""

import secrets
import time
import urllib.request
from collections.abc import Iterator

import grpc
import pytest

from services.telemetry import app
from services.telemetry.settings import TelemetrySettings
from services.telemetry.storage import MIGRATIONS
from tests.fixtures.otlp import TraceReceiver
from tests.fixtures.serving import ServedService, served
from tests.fixtures.waiting import eventually
from tests.integration.telemetry.conftest import Fleet, batch_of


@pytest.fixture(scope="module")
def traced_service(
    telemetry_settings: TelemetrySettings, trace_receiver: TraceReceiver
) -> Iterator[ServedService]:
    """The service, exporting its spans, with flushes slow enough to be shared."""
    settings = telemetry_settings.model_copy(
        update={
            "otlp_endpoint": f"http://127.0.0.1:{trace_receiver.port}",
            "flush_interval_ms": 100.0,
        }
    )
    with served("telemetry", settings, app.build, MIGRATIONS) as service:
        yield service


@pytest.fixture
def traced(traced_service: ServedService, fleet: Fleet) -> Iterator[Fleet]:
    """The fleet on that service."""
    with grpc.insecure_channel(traced_service.target) as channel:
        yield fleet.on(channel)


def test_one_trace_shows_handler_flush_and_sql(
    traced: Fleet, trace_receiver: TraceReceiver
) -> None:
    """Each is a child of the one before; the flush refers to the upload that it serves as well."""
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    board = traced.board()

    traced.upload(board, batch_of(1.0), traceparent=f"00-{trace_id}-{caller}-01")

    spans = trace_receiver.wait_for(trace_id, "telemetry: ingest.flush")
    flush = spans["telemetry: ingest.flush"]
    handlers = [span for span in spans.values() if span.parent_span_id == caller]
    (handler,) = handlers
    assert "Upload" in handler.name
    assert flush.parent_span_id == handler.span_id
    assert flush.linked_span_ids == {handler.span_id}

    def sql_of_the_flush() -> bool:
        return any(
            "INSERT INTO telemetry_batch" in span.attributes.get("db.statement", "")
            and span.parent_span_id == flush.span_id
            for span in trace_receiver.spans(trace_id)
        )

    eventually(sql_of_the_flush, "the SQL's span")


def test_every_traced_upload_of_a_flush_finds_it(
    traced: Fleet, trace_receiver: TraceReceiver
) -> None:
    """One upload's trace has the flush itself, the others' have a span that refers to it."""
    board = traced.board()
    traced.upload(board, batch_of(0.0))
    trace_ids = [secrets.token_hex(16) for _ in range(3)]
    calls = [
        traced.links.UploadBatch.future(
            batch_of(1.0, seq=seq),
            metadata=[
                ("authorization", f"Bearer {board.token}"),
                ("traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01"),
            ],
        )
        for seq, trace_id in enumerate(trace_ids, start=1)
    ]
    for call in calls:
        call.result()

    for trace_id in trace_ids:
        trace_receiver.wait_for(trace_id, "telemetry: ingest.flush")


def test_unsampled_uploads_leave_no_spans(traced: Fleet, trace_receiver: TraceReceiver) -> None:
    """The caller decides; nothing is recorded behind its back."""
    trace_id = secrets.token_hex(16)

    traced.upload(
        traced.board(), batch_of(1.0), traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-00"
    )

    assert trace_receiver.spans(trace_id) == []


def test_the_promised_series_count(traced: Fleet, traced_service: ServedService) -> None:
    """Devices, readings, durations, refusals and the writer's own."""

    def series() -> dict[str, float]:
        with urllib.request.urlopen(f"{traced_service.http_url}/metrics") as response:  # noqa: S310
            lines = response.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value.split()[0]) for name, _, value in samples}

    before = series()
    board = traced.board()
    batch = batch_of(1.0, 2.0, start_unix_ms=int(time.time() * 1000))
    for _ in range(2):
        traced.upload(board, batch)
    with pytest.raises(grpc.RpcError):
        traced.send(board, b"")
    after = series()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown("sensor_readings_total") == 2
    assert grown("esp32_devices_connected") == 1
    assert grown("data_processing_duration_seconds_count") == 2
    assert grown('telemetry_batches_total{outcome="stored"}') == 1
    assert grown('telemetry_batches_total{outcome="repeated"}') == 1
    assert grown('telemetry_uploads_refused_total{reason="BATCH_EMPTY"}') == 1
    assert grown("telemetry_flush_batches_count") == 2
    assert after["telemetry_ingest_queue_batches"] == 0
    assert after["telemetry_log_lag_seconds"] < 60
