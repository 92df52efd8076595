"""Bad input gets a clear, typed answer from the real services through the real gateway."""

import gzip
import uuid

import httpx
import pytest

from services.chassis.identity import Role
from tests.fixtures.platform import PROTOBUF, BoardAccess, Member, Platform, reading_batch

pytestmark = pytest.mark.timeout(120)

NOWHERE = "00000000-0000-7000-8000-00000000dead"


@pytest.fixture(scope="module")
def company_id(platform: Platform) -> str:
    """The company that the caller belongs to."""
    return platform.company()


@pytest.fixture(scope="module")
def manager(platform: Platform, company_id: str) -> Member:
    """A manager of the company."""
    return platform.member(Role.MANAGER, company_id)


@pytest.fixture(scope="module")
def board(platform: Platform, company_id: str) -> BoardAccess:
    """A board of the company."""
    return platform.board(company_id)


@pytest.fixture(scope="module")
def foreign_board(platform: Platform) -> BoardAccess:
    """A board of another company."""
    return platform.board(platform.company())


def reason_of(response: httpx.Response) -> str:
    """Return the reason in the error's `ErrorInfo`."""
    for detail in response.json()["details"]:
        if detail["@type"].endswith("google.rpc.ErrorInfo"):
            assert detail["domain"] == "dashtrack"
            return str(detail["reason"])
    pytest.fail(f"no ErrorInfo in {response.text}")


def get(platform: Platform, path: str, token: str | None) -> httpx.Response:
    """GET with a token, or without one."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return platform.client.get(path, headers=headers)


def forged(token: str) -> str:
    """Change the signature of a token."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[:-8]}{'A' * 8 if signature[-8:] != 'A' * 8 else 'B' * 8}"


@pytest.mark.parametrize("path", ["/v1/me", "/v1/devices", "/v1/users", "/v1/companies"])
def test_a_missing_or_forged_token_is_refused(
    platform: Platform, manager: Member, path: str
) -> None:
    """Without a good token nothing is answered but 401, and the reason says what is wrong."""
    missing = get(platform, path, None)
    assert (missing.status_code, reason_of(missing)) == (401, "TOKEN_MISSING")
    altered = get(platform, path, forged(manager.token))
    assert (altered.status_code, reason_of(altered)) == (401, "TOKEN_INVALID")


def test_a_token_of_the_wrong_kind_is_refused(
    platform: Platform, manager: Member, board: BoardAccess
) -> None:
    """A board can't ask as a person, and a person can't upload as a board."""
    as_person = get(platform, "/v1/devices", board.token)
    assert (as_person.status_code, reason_of(as_person)) == (403, "TOKEN_AUDIENCE")
    impostor = BoardAccess(board.device_id, board.company_id, "", manager.token)
    as_board = platform.upload(impostor, reading_batch().SerializeToString())
    assert (as_board.status_code, as_board.headers["x-dashtrack-reason"]) == (403, "TOKEN_AUDIENCE")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"/v1/devices/{NOWHERE}", "DEVICE_NOT_FOUND"),
        (f"/v1/devices/{NOWHERE}/latest", "DEVICE_NOT_FOUND"),
        (f"/v1/devices/{NOWHERE}/sensors/speed_kmh/readings", "DEVICE_NOT_FOUND"),
        (f"/v1/users/{NOWHERE}", "USER_NOT_FOUND"),
        (f"/v1/companies/{NOWHERE}", "COMPANY_NOT_FOUND"),
        (f"/v1/vehicles/{NOWHERE}", "VEHICLE_NOT_FOUND"),
    ],
)
def test_unknown_ids_are_not_found(
    platform: Platform, manager: Member, path: str, reason: str
) -> None:
    """An id that nothing has answers 404 with the reason of its kind."""
    response = get(platform, path, manager.token)
    assert (response.status_code, reason_of(response)) == (404, reason)


def test_foreign_ids_answer_as_unknown_ones(
    platform: Platform, manager: Member, foreign_board: BoardAccess
) -> None:
    """Another company's device and company can't be told from ones that don't exist."""
    for path, foreign_id in (
        ("/v1/devices/{}", foreign_board.device_id),
        ("/v1/devices/{}/latest", foreign_board.device_id),
        ("/v1/companies/{}", foreign_board.company_id),
    ):
        foreign = get(platform, path.format(foreign_id), manager.token)
        unknown = get(platform, path.format(NOWHERE), manager.token)
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.text.replace(foreign_id, NOWHERE) == unknown.text


@pytest.mark.parametrize(
    ("method", "path", "content", "reason"),
    [
        ("GET", "/v1/devices/not-a-uuid", b"", "INVALID_ARGUMENT"),
        ("GET", "/v1/devices?pageSize=5000", b"", "INVALID_ARGUMENT"),
        ("GET", "/v1/devices?pageToken=forged", b"", "PAGE_TOKEN_INVALID"),
        ("POST", "/v1/vehicles", b'{"vehicle": {}}', "INVALID_ARGUMENT"),
        ("POST", "/v1/vehicles", b'{"vehicle": {"plate": "\\n"}}', "INVALID_ARGUMENT"),
        ("POST", "/v1/users", b'{"user": {"email": "x"}}', "INVALID_ARGUMENT"),
    ],
)
def test_values_that_break_a_rule_are_named(
    platform: Platform, manager: Member, method: str, path: str, content: bytes, reason: str
) -> None:
    """Each broken rule answers 400 with its reason."""
    response = platform.client.request(
        method,
        path,
        content=content,
        headers={
            "authorization": f"Bearer {manager.token}",
            "content-type": "application/json",
        },
    )
    assert (response.status_code, reason_of(response)) == (400, reason), response.text


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"vehicle": 3}', b"\xff\xfe", b'"text"'])
def test_json_that_does_not_parse_is_a_bad_request(
    platform: Platform, manager: Member, content: bytes
) -> None:
    """Bytes that aren't the request's JSON answer 400 in the shape of every error."""
    response = platform.client.post(
        "/v1/vehicles",
        content=content,
        headers={
            "authorization": f"Bearer {manager.token}",
            "content-type": "application/json",
        },
    )
    assert (response.status_code, reason_of(response)) == (400, "INVALID_ARGUMENT"), response.text


def test_an_unknown_path_is_not_found(platform: Platform, manager: Member) -> None:
    """A path that no method has answers 404, in the shape of every error."""
    assert get(platform, "/v1/nothing", manager.token).status_code == 404
    assert get(platform, "/v1/nothing", manager.token).json()["details"]


GOOD = reading_batch(seq=1, boot_id=1).SerializeToString()
GZIP = {"content_encoding": "gzip"}
MANY = reading_batch(values={"speed_kmh": [0.0] * 10_001}).SerializeToString()


BAD_UPLOADS = {
    "no body": (b"", {}, 400, "BATCH_EMPTY"),
    "noise": (b"\xff" * 40, {}, 400, "BATCH_MALFORMED"),
    "a zero": (b"\x00", {}, 400, "BATCH_MALFORMED"),
    "cut short": (GOOD[:-3], {}, 400, "BATCH_MALFORMED"),
    "too many readings": (MANY, {}, 413, "BATCH_TOO_LARGE"),
    "too many bytes": (b"x" * 70_000, {}, 413, "REQUEST_TOO_LARGE"),
    "too many bytes unzipped": (gzip.compress(b"x" * 70_000), GZIP, 413, "BATCH_TOO_LARGE"),
    "gzip cut short": (gzip.compress(GOOD)[:-9], GZIP, 400, "CONTENT_ENCODING_INVALID"),
    "not gzip": (GOOD, GZIP, 400, "CONTENT_ENCODING_INVALID"),
    "an unknown encoding": (GOOD, {"content_encoding": "br"}, 400, "CONTENT_ENCODING_INVALID"),
}


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_bad_uploads_have_the_status_that_the_board_needs(
    platform: Platform, board: BoardAccess, name: str
) -> None:
    """Quarantine (400) or split (413), with the reason in a header."""
    body, headers, status, reason = BAD_UPLOADS[name]
    response = platform.upload(board, body, **headers)
    assert (response.status_code, response.headers["x-dashtrack-reason"]) == (status, reason)


def test_a_doubled_upload_is_acknowledged_and_stored_once(
    platform: Platform, board: BoardAccess
) -> None:
    """The second time says `repeated`; plain and gzip'd bodies are the same batch."""
    body = reading_batch(values={"doubled": [1.0, 2.0]}).SerializeToString()
    for content, headers in (
        (body, {}),
        (body, {}),
        (gzip.compress(body), {"content_encoding": "gzip"}),
    ):
        assert platform.upload(board, content, **headers).status_code == 200
    path = f"/v1/devices/{board.device_id}/sensors/doubled/readings"
    assert len(platform.call("GET", path)["readings"]) == 2


def test_another_payload_under_the_same_identity_conflicts(
    platform: Platform, board: BoardAccess
) -> None:
    """It is refused as 409, and what was stored first stays."""
    first = reading_batch(values={"conflicting": [1.0, 2.0]})
    assert platform.upload(board, first.SerializeToString()).status_code == 200
    first.sensors[0].values[1] = 3.0
    second = platform.upload(board, first.SerializeToString())
    assert second.status_code == 409
    assert second.headers["x-dashtrack-reason"] == "BATCH_CONFLICT"
    path = f"/v1/devices/{board.device_id}/sensors/conflicting/readings"
    values = [reading["value"] for reading in platform.call("GET", path)["readings"]]
    assert values == [1.0, 2.0]


def test_a_disabled_board_is_told_to_stop(platform: Platform) -> None:
    """Its uploads are refused, by the device's state or its token's; it gets no new token."""
    board = platform.board(platform.company())
    platform.call("POST", f"/v1/devices/{board.device_id}:disable", {})
    upload = platform.upload(board, reading_batch().SerializeToString())
    refusal = (upload.status_code, upload.headers["x-dashtrack-reason"])
    assert refusal in {(403, "DEVICE_REVOKED"), (401, "TOKEN_REVOKED")}
    exchange = platform.client.post(
        "/v1/devices:exchange", json={"deviceId": board.device_id, "secret": board.secret}
    )
    assert (exchange.status_code, reason_of(exchange)) == (403, "DEVICE_REVOKED")


def test_json_and_protobuf_uploads_share_the_path(platform: Platform, board: BoardAccess) -> None:
    """People without protobuf post the same batch as JSON."""
    batch = reading_batch(values={"from_json": [1.5, 2.5]})
    response = platform.client.post(
        "/v1/telemetry",
        headers={"authorization": f"Bearer {board.token}"},
        json={
            "bootId": str(uuid.uuid4().int >> 64),
            "seq": 0,
            "startUnixMs": str(batch.start_unix_ms),
            "sampleCount": 2,
            "stepMs": 1000,
            "sensors": [{"key": "from_json", "values": [1.5, "NaN"]}],
        },
    )
    assert response.status_code == 200, response.text
    assert not response.json()["repeated"]
    path = f"/v1/devices/{board.device_id}/sensors/from_json/readings"
    assert [reading["value"] for reading in platform.call("GET", path)["readings"]] == [1.5]


def test_a_board_route_refuses_other_content(platform: Platform, board: BoardAccess) -> None:
    """A protobuf body that is declared as JSON is a bad request, not a stored batch."""
    response = platform.client.post(
        "/v1/telemetry",
        content=GOOD,
        headers={
            "authorization": f"Bearer {board.token}",
            "content-type": "application/json",
        },
    )
    assert response.status_code == 400
    assert PROTOBUF not in response.headers["content-type"]
