"""One upload is one trace, from the gateway to the SQL that stored it."""

import json
from collections.abc import Iterator

import pytest

from tests.fixtures.otlp import ReceivedSpan, TraceReceiver
from tests.fixtures.platform import Platform, platform_of, reading_batch
from tests.fixtures.stack import stack_in
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def traced_platform(
    tmp_path_factory: pytest.TempPathFactory, trace_receiver: TraceReceiver
) -> Iterator[Platform]:
    """A stack that samples everything and exports it to the test."""
    with stack_in(
        tmp_path_factory.mktemp("traced") / "state",
        otlp_endpoint=f"http://127.0.0.1:{trace_receiver.port}",
        trace_sample_ratio="1",
    ) as stack:
        stack.up()
        with platform_of(stack) as platform:
            yield platform


def _ancestors(span: ReceivedSpan, by_id: dict[str, ReceivedSpan]) -> list[str]:
    names = []
    while span.parent_span_id in by_id:
        span = by_id[span.parent_span_id]
        names.append(f"{span.service}: {span.name}")
    return names


def test_one_trace_goes_from_the_gateway_to_the_sql(
    traced_platform: Platform, trace_receiver: TraceReceiver
) -> None:
    """Gateway, handler, flush and SQL are ancestors of each other in a single trace."""
    board = traced_platform.board(traced_platform.company())
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    response = traced_platform.upload(
        board,
        reading_batch().SerializeToString(),
        traceparent=f"00-{trace_id}-b7ad6b7169203331-01",
    )
    assert response.status_code == 200, response.text

    def sql_of_the_flush() -> list[str] | None:
        spans = trace_receiver.spans(trace_id)
        by_id = {span.span_id: span for span in spans}
        for span in spans:
            above = _ancestors(span, by_id)
            statement = span.attributes.get(
                "db.query.text", span.attributes.get("db.statement", "")
            )
            if "telemetry_batch" in statement and len(above) >= 3:
                return above
        return None

    above = eventually(sql_of_the_flush, "the SQL span of the upload's trace")
    services = [name.split(":")[0] for name in above]
    assert services[-1] == "gateway"
    assert services[:-1] == ["telemetry"] * (len(services) - 1)
    assert any("Upload" in name for name in above)
    assert any("flush" in name for name in above)


def test_a_call_between_services_stays_in_the_trace(
    traced_platform: Platform, trace_receiver: TraceReceiver
) -> None:
    """Registering a device asks companies about the company, in the caller's trace."""
    company_id = traced_platform.company()
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    traced_platform.call(
        "POST",
        "/v1/devices",
        {"device": {"hardwareId": "traced-board", "companyId": company_id}},
        headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"},
    )

    def services() -> set[str] | None:
        seen = {span.service for span in trace_receiver.spans(trace_id)}
        return seen if seen >= {"gateway", "telemetry", "companies"} else None

    eventually(services, "spans of gateway, telemetry and companies in one trace")


def test_the_access_log_has_the_trace(
    traced_platform: Platform, trace_receiver: TraceReceiver
) -> None:
    """The gateway's log line of a request names the trace that the spans are in."""
    trace_id = "00000000000000001111111111111111"
    traced_platform.call(
        "GET", "/v1/me", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    )
    logs = traced_platform.stack.addresses.logs

    def line() -> dict[str, object] | None:
        for text in (logs / "gateway.log").read_text().splitlines():
            if trace_id in text and text.startswith("{"):
                return dict(json.loads(text))
        return None

    assert eventually(line, "an access log line with the trace id")
    assert eventually(lambda: trace_receiver.spans(trace_id), "spans of the request")
