"""The path of boards: protobuf in plain HTTP bodies, untouched on their way."""

import gzip
import uuid
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Context, Services
from tests.gateway.calls import RAW, authorization, native_unary
from tests.gateway.envoy import RunningGateway

UPLOAD = "dashtrack.device.v1.DeviceLinkHttpService/Upload"
EVERY_BYTE = bytes(range(256)) * 16


@pytest.fixture
def device(token_mint: TokenMint) -> dict[str, str]:
    """The headers of a device's upload."""
    return authorization(token_mint.device(uuid.uuid4())) | {"content-type": RAW}


def aborting(code: grpc.StatusCode, reason: str, *more: tuple[str, str]) -> Any:
    """Make an answer that fails."""

    async def answer(_: Message, context: Context) -> Message:
        await context.abort(code, reason, (("x-dashtrack-reason", reason), *more))
        raise AssertionError

    return answer


@pytest.mark.parametrize(
    "content_type", [RAW, f"{RAW}; charset=utf-8", f"{RAW};v=1"], ids=["plain", "charset", "v"]
)
def test_a_body_arrives_byte_for_byte(
    content_type: str, services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """The content type chooses the route, parameters or not; the bytes are not looked at."""
    headers = device | {"content-type": content_type}

    response = rest.post("/v1/telemetry", content=EVERY_BYTE, headers=headers)

    assert response.status_code == httpx.codes.OK
    request: Any = services.calls[0].request
    assert (services.calls[0].path, request.data) == (f"/{UPLOAD}", EVERY_BYTE)
    assert request.content_type == content_type


@pytest.mark.parametrize("corrupt", [False, True])
def test_a_compressed_body_passes_untouched(
    corrupt: bool,  # noqa: FBT001 - a parameter of the test
    services: Services,
    rest: httpx.Client,
    device: dict[str, str],
) -> None:
    """The service gets the bytes and the encoding, and says itself what is wrong with them."""
    body = gzip.compress(EVERY_BYTE)
    body = body[: len(body) // 2] if corrupt else body

    response = rest.post(
        "/v1/telemetry", content=body, headers=device | {"content-encoding": "gzip"}
    )

    assert response.status_code == httpx.codes.OK
    request: Any = services.calls[0].request
    assert request.data == body
    assert services.calls[0].metadata["content-encoding"] == "gzip"


def test_a_body_without_a_length_arrives_whole(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """Boards that stream their body use chunks."""
    rest.post("/v1/telemetry", content=(bytes([n]) * 100 for n in range(50)), headers=device)

    request: Any = services.calls[0].request
    assert request.data == b"".join(bytes([n]) * 100 for n in range(50))


def test_an_empty_body_reaches_the_service(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """An empty upload is the service's to refuse; it must not vanish on the way."""
    services.answers[UPLOAD] = aborting(grpc.StatusCode.INVALID_ARGUMENT, "BATCH_EMPTY")

    response = rest.post("/v1/telemetry", content=b"", headers=device)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["x-dashtrack-reason"] == "BATCH_EMPTY"
    request: Any = services.calls[0].request
    assert request.data == b""


def test_what_changes_from_try_to_try_travels_in_headers(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """The device's own headers reach the service as metadata."""
    own = {
        "x-dashtrack-uptime-ms": "12345",
        "x-dashtrack-attempt": "2",
        "x-dashtrack-signal-dbm": "-71",
        "x-dashtrack-firmware": "1.4.0",
    }

    rest.post("/v1/telemetry", content=b"\x01", headers=device | own)

    assert services.calls[0].metadata.items() >= own.items()


def test_the_answer_is_the_services_bytes(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """An acknowledgement is protobuf, with the content type that the service gave it."""

    async def answer(_: Message, __: Context) -> Message:
        return services.message(".google.api.HttpBody", content_type=RAW, data=EVERY_BYTE)

    services.answers[UPLOAD] = answer

    response = rest.post("/v1/telemetry", content=b"\x01", headers=device)

    assert (response.content, response.headers["content-type"]) == (EVERY_BYTE, RAW)


@pytest.mark.parametrize(
    ("content_type", "path"),
    [
        ("application/json", "/dashtrack.device.v1.DeviceLinkService/UploadBatch"),
        ("text/plain", "/dashtrack.device.v1.DeviceLinkService/UploadBatch"),
    ],
)
def test_other_content_types_are_json(
    content_type: str, path: str, services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """The same path takes JSON, for people without protobuf."""
    headers = device | {"content-type": content_type}

    response = rest.post("/v1/telemetry", content=b'{"seq": 3}', headers=headers)

    assert response.status_code == httpx.codes.OK
    assert services.calls[0].path == path
    assert services.calls[0].request == services.message(".dashtrack.device.v1.ReadingBatch", seq=3)


@pytest.mark.parametrize("path", ["/v1/devices:claim", "/v1/devices:exchange"])
def test_boards_without_a_token_get_one(path: str, services: Services, rest: httpx.Client) -> None:
    """Claiming and exchanging need no token, and take protobuf as well."""
    response = rest.post(path, content=b"\x0a\x01a", headers={"content-type": RAW})

    assert response.status_code == httpx.codes.OK
    request: Any = services.calls[0].request
    assert request.data == b"\x0a\x01a"
    assert services.calls[0].path.startswith("/dashtrack.device.v1.DeviceLinkHttpService/")


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE])
@pytest.mark.parametrize("content_type", [RAW, "application/json"])
def test_a_batch_that_is_too_large_answers_413(
    code: grpc.StatusCode,
    content_type: str,
    services: Services,
    rest: httpx.Client,
    device: dict[str, str],
) -> None:
    """A board splits what it is told is too large; gRPC has no such status, HTTP does."""
    typed = "dashtrack.device.v1.DeviceLinkService/UploadBatch"
    for label in (UPLOAD, typed):
        services.answers[label] = aborting(code, "BATCH_TOO_LARGE")
    headers = device | {"content-type": content_type}

    response = rest.post("/v1/telemetry", content=b"{}", headers=headers)

    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert response.headers["x-dashtrack-reason"] == "BATCH_TOO_LARGE"


def test_a_batch_that_is_too_large_is_an_ordinary_error_over_grpc(
    services: Services, gateway: RunningGateway, token_mint: TokenMint
) -> None:
    """Native clients get the service's own status."""
    label = "dashtrack.device.v1.DeviceLinkService/UploadBatch"
    services.answers[label] = aborting(grpc.StatusCode.OUT_OF_RANGE, "BATCH_TOO_LARGE")
    headers = authorization(token_mint.device(uuid.uuid4()))

    with grpc.insecure_channel(gateway.target) as channel, pytest.raises(grpc.RpcError) as raised:
        native_unary(channel, f"/{label}", b"", headers)

    assert raised.value.code() is grpc.StatusCode.OUT_OF_RANGE


def test_a_body_beyond_the_contracts_limit_is_refused_by_the_gateway(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """It costs a service nothing; with a length or without one."""
    body = b"x" * 65_600
    for content in (body, iter([body])):
        response = rest.post("/v1/telemetry", content=content, headers=device)

        assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        assert response.headers["x-dashtrack-reason"] == "REQUEST_TOO_LARGE"
    assert services.calls == []


def test_the_largest_body_passes(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """The limit itself is within the limit."""
    response = rest.post("/v1/telemetry", content=b"x" * 65_536, headers=device)

    assert response.status_code == httpx.codes.OK
    request: Any = services.calls[0].request
    assert len(request.data) == 65_536


def test_an_overloaded_service_says_when_to_come_back(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """A board obeys `retry-after`."""
    services.answers[UPLOAD] = aborting(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "INGEST_OVERLOADED", ("retry-after", "3")
    )

    response = rest.post("/v1/telemetry", content=b"\x01", headers=device)

    assert response.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert response.headers["retry-after"] == "3"
    assert response.headers["x-dashtrack-reason"] == "INGEST_OVERLOADED"


def test_a_board_that_is_to_come_back_later_is_not_tried_for_meanwhile(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """The service asks the gateway to leave it at one try; the board gets its own time."""
    services.answers[UPLOAD] = aborting(
        grpc.StatusCode.UNAVAILABLE,
        "COMPANY_SUSPENDED",
        ("retry-after", "300"),
        ("x-envoy-ratelimited", "true"),
    )

    response = rest.post("/v1/telemetry", content=b"\x01", headers=device)

    assert (response.status_code, response.headers["retry-after"]) == (503, "300")
    assert response.headers["x-dashtrack-reason"] == "COMPANY_SUSPENDED"
    assert len(services.calls) == 1
    assert "x-envoy-ratelimited" not in response.headers


def test_a_company_that_uploads_too_much_is_told_its_limit_alone(
    services: Services, rest: httpx.Client, device: dict[str, str]
) -> None:
    """Of two limits the one that refused is told; the device has plenty left of its own."""
    services.answers[UPLOAD] = aborting(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "UPLOAD_RATE_EXCEEDED",
        ("retry-after", "7"),
        ("x-ratelimit-limit", "600"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "7"),
    )

    response = rest.post("/v1/telemetry", content=b"\x01", headers=device)

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert told_limits(response) == {"limit": ["600"], "remaining": ["0"], "reset": ["7"]}


def test_a_board_within_its_limits_is_told_its_own(
    rest: httpx.Client, device: dict[str, str]
) -> None:
    """How many uploads the device has left, once."""
    response = rest.post("/v1/telemetry", content=b"\x01", headers=device)

    told = told_limits(response)
    assert response.status_code == httpx.codes.OK
    assert {name: len(values) for name, values in told.items()} == dict.fromkeys(told, 1)
    assert 0 < int(told["remaining"][0]) < int(told["limit"][0])


def told_limits(response: httpx.Response) -> dict[str, list[str]]:
    """Return every value of each header about limits."""
    return {
        name: response.headers.get_list(f"x-ratelimit-{name}")
        for name in ("limit", "remaining", "reset")
    }
