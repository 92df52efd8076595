"""What the gateway tells about requests: metrics under the promised names, a trace, a log line."""

import contextlib
import json
import re
from typing import Any

import grpc
import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.identity import Role
from tests.fixtures.otlp import TraceReceiver
from tests.fixtures.tokens import TokenMint
from tests.fixtures.waiting import eventually
from tests.gateway.backend import Services
from tests.gateway.calls import authorization, http2_status, native_unary
from tests.gateway.envoy import RunningGateway

ME = "dashtrack.users.v1.UserService/GetCurrentUser"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def samples(rest: httpx.Client, name: str) -> dict[tuple[str, str, str], float]:
    """Return the values of a metric by method, route and status."""
    found = {}
    for family in text_string_to_metric_families(rest.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels.get("le", "+Inf") == "+Inf":
                labels = sample.labels
                assert labels.keys() - {"le"} == {"method", "route", "status"}
                found[labels["method"], labels["route"], labels["status"]] = sample.value
    return found


def test_requests_are_counted_under_the_promised_names(
    rest: httpx.Client, gateway: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """Method and status are the client's; a failure over gRPC counts as the same over REST."""
    before = samples(rest, "http_requests_total")
    headers = authorization(token_mint.user(Role.MASTER))
    rest.get("/v1/me", headers=headers)
    rest.get("/v1/me")
    rest.get(f"/nothing/{token_mint.kid}")
    with grpc.insecure_channel(gateway.target) as channel, contextlib.suppress(grpc.RpcError):
        native_unary(channel, f"/{ME}")

    def counted() -> dict[tuple[str, str, str], float] | None:
        now = samples(rest, "http_requests_total")
        more = {key: value - before.get(key, 0) for key, value in now.items()}
        wanted = {
            ("GET", ME, "200"): 1,
            ("GET", ME, "401"): 1,
            ("POST", ME, "401"): 1,
            ("GET", "unmatched", "404"): 1,
        }
        return more if more.items() >= wanted.items() else None

    eventually(counted, "the four requests")


def test_durations_are_in_seconds(
    rest: httpx.Client, services: Services, token_mint: TokenMint
) -> None:
    """The histogram has buckets from a millisecond to half a minute, and one count a request."""
    rest.get("/v1/me", headers=authorization(token_mint.user(Role.MASTER)))

    def observed() -> float | None:
        return samples(rest, "http_request_duration_seconds_count").get(("GET", ME, "200"))

    eventually(observed, "a duration")
    text = rest.get("/metrics").text
    assert "# TYPE http_request_duration_seconds histogram" in text
    assert "# TYPE http_requests_total counter" in text
    assert "envoy_http_request" not in text
    own = [
        line
        for line in text.splitlines()
        if line.startswith("http_request_duration") and ME in line
    ]
    bounds = {float(bound) for line in own for bound in re.findall(r'le="([0-9.]+)"', line)}
    assert (min(bounds), max(bounds)) == (2**-10, 32.0)
    total_s = samples(rest, "http_request_duration_seconds_sum")["GET", ME, "200"]
    count = samples(rest, "http_request_duration_seconds_count")["GET", ME, "200"]
    assert total_s / count < 5


def test_made_up_methods_and_paths_make_no_series(
    rest: httpx.Client, gateway: RunningGateway
) -> None:
    """Labels have few values, whatever clients send; HTTP/2 lets them send any method."""
    rest.get("/a/b/c")
    assert http2_status(gateway.url, {":method": "FROB", ":path": "/v1/me"}) == 404

    series = samples(rest, "http_requests_total")

    assert not [route for _, route, _ in series if route.startswith("/a")]
    assert ("OTHER", "unmatched", "404") in series
    assert "FROB" not in {method for method, _, _ in series}


def test_a_trace_from_outside_is_continued(
    rest: httpx.Client,
    services: Services,
    token_mint: TokenMint,
    trace_receiver: TraceReceiver,
) -> None:
    """The client's trace id goes on; that the client didn't sample it keeps nothing from us."""
    given = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-00"}

    rest.get("/v1/me", headers=authorization(token_mint.user(Role.MASTER)) | given)

    version, trace_id, span_id, flags = services.calls[0].metadata["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "01")

    def exported() -> Any:
        return [span for span in trace_receiver.spans(TRACE_ID) if span.span_id == span_id]

    (span,) = eventually(exported, "the gateway's span")
    assert (span.service, span.parent_span_id) == ("gateway", "00f067aa0ba902b7")
    assert span.attributes["http.route"] == ME


def test_a_malformed_traceparent_is_dropped(
    rest: httpx.Client, services: Services, token_mint: TokenMint
) -> None:
    """Garbage doesn't keep a call from being traced."""
    headers = authorization(token_mint.user(Role.MASTER))
    malformed = ["00", "x" * 55, f"00-{TRACE_ID}-00f067aa0ba902b7-0g", f"{TRACE_ID * 2}"]
    for traceparent in malformed:
        rest.get("/v1/me", headers=headers | {"traceparent": traceparent})

    for call in services.calls:
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", call.metadata["traceparent"])
        assert TRACE_ID not in call.metadata["traceparent"]


def test_each_request_is_a_line_of_json_without_secrets(
    rest: httpx.Client, gateway: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """The line has the route, the status and the trace; not the token, not the query."""
    token = token_mint.user(Role.MASTER)
    given = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "user-agent": "log-test"}
    response = rest.get("/v1/users?pageSize=3", headers=authorization(token) | given)
    request_id = response.headers["x-request-id"]

    def logged() -> dict[str, Any] | None:
        lines = gateway.log.read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if request_id in line]
        return found[0] if found else None

    line = eventually(logged, "the line of the request")
    assert line["path"] == "/v1/users"
    assert line["method"] == "GET"
    assert line["route"] == "dashtrack.users.v1.UserService/ListUsers"
    assert line["status"] == 200
    assert line["trace_id"] == TRACE_ID
    assert line["user_agent"] == "log-test"
    assert token not in gateway.log.read_text("utf-8")
