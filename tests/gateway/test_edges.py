"""The edge: protocols, TLS, paths, other origins, pages, and who may read metrics."""

import ssl
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from gateway import TlsFiles
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.calls import RAW, authorization, http2_status, native_unary
from tests.gateway.conftest import ALLOWED_ORIGIN
from tests.gateway.envoy import RunningGateway

ME = "/dashtrack.users.v1.UserService/GetCurrentUser"


@pytest.fixture
def secure(gateway: RunningGateway, certificate: TlsFiles) -> Iterator[httpx.Client]:
    """A REST client with TLS."""
    context = ssl.create_default_context(cafile=str(certificate.certificate))
    with httpx.Client(base_url=gateway.tls_url, verify=context) as client:
        yield client


def test_tls_serves_rest_and_grpc(
    secure: httpx.Client,
    gateway: RunningGateway,
    certificate: TlsFiles,
    services: Services,
    token_mint: TokenMint,
) -> None:
    """The same routes stand behind the TLS port, in HTTP/1.1 and in HTTP/2."""
    headers = authorization(token_mint.user(Role.MASTER))
    credentials = grpc.ssl_channel_credentials(certificate.certificate.read_bytes())
    target = f"localhost:{gateway.settings.tls_port}"

    assert secure.get("/v1/me", headers=headers).status_code == httpx.codes.OK
    with grpc.secure_channel(target, credentials) as channel:
        native_unary(channel, ME, b"", headers)

    assert [call.path for call in services.calls] == [ME, ME]
    assert services.calls[0].metadata["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_upload_over_http2_arrives_whole(
    scheme: str, gateway: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """HTTP/2 by prior knowledge or by ALPN carries bodies as HTTP/1.1 does."""
    headers = authorization(token_mint.device(uuid.uuid4())) | {
        ":method": "POST",
        ":path": "/v1/telemetry",
        "content-type": RAW,
    }
    url = gateway.url if scheme == "http" else gateway.tls_url

    assert http2_status(url, headers, "ab" * 10_000) == 200

    received: Any = services.calls[0].request
    assert received.data == b"ab" * 10_000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1//me", 200),
        ("/v1/./me", 200),
        ("/v1/users/../me", 200),
        ("/v1/%6De", 200),
        ("/v1/users%2F..%2Fme", 400),
        ("/v1%5Cme", 400),
        ("/v1/me/", 404),
        ("/V1/me", 404),
    ],
)
def test_paths_are_normalized_before_they_are_matched(
    path: str, status: int, gateway: RunningGateway, services: Services, token_mint: TokenMint
) -> None:
    """No spelling of a path gets around a rule; escaped slashes are refused."""
    url = httpx.URL(gateway.url).copy_with(raw_path=path.encode())
    headers = authorization(token_mint.user(Role.MASTER))

    assert httpx.get(url, headers=headers).status_code == status


def test_an_allowed_origin_may_ask_and_call(
    rest: httpx.Client, services: Services, token_mint: TokenMint
) -> None:
    """A browser's preflight is answered without a token, and the call carries the permission."""
    asking = {
        "origin": ALLOWED_ORIGIN,
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }

    preflight = rest.options("/v1/me", headers=asking)
    call = rest.get(
        "/v1/me",
        headers=authorization(token_mint.user(Role.MASTER)) | {"origin": ALLOWED_ORIGIN},
    )

    assert preflight.status_code == httpx.codes.OK
    assert preflight.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    assert call.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert "x-dashtrack-reason" in call.headers["access-control-expose-headers"]


def test_errors_are_readable_for_an_allowed_origin(rest: httpx.Client) -> None:
    """A page sees why it was refused."""
    response = rest.get("/v1/me", headers={"origin": ALLOWED_ORIGIN})

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN


def test_other_origins_get_no_permission(rest: httpx.Client, services: Services) -> None:
    """What is not listed is not allowed; nothing of a preflight reaches a service."""
    for origin in ("https://evil.example", "null", f"{ALLOWED_ORIGIN}.evil.example"):
        asking = {"origin": origin, "access-control-request-method": "GET"}
        response = rest.options("/v1/me", headers=asking)
        assert "access-control-allow-origin" not in response.headers
    assert services.calls == []


def test_the_openapi_document_is_served(rest: httpx.Client) -> None:
    """Compressed for those who understand it, plain for the rest, with an ETag for both."""
    zipped = rest.get("/openapi.json")
    plain = rest.get("/openapi.json", headers={"accept-encoding": "identity"})
    known = rest.get("/openapi.json", headers={"if-none-match": zipped.headers["etag"]})
    head = rest.head("/openapi.json")

    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.json() == plain.json()
    assert plain.json()["openapi"].startswith("3.1")
    assert (known.status_code, known.content) == (httpx.codes.NOT_MODIFIED, b"")
    assert (head.status_code, head.content) == (httpx.codes.OK, b"")


def test_the_documentation_page_needs_nothing_from_elsewhere(rest: httpx.Client) -> None:
    """Everything that the page loads is there, may be kept, and is all that it may load."""
    page = rest.get("/", follow_redirects=True)
    assert page.url.path == "/docs/"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy

    links = [part.split('"')[0] for part in page.text.split('="')[1:]]
    assets = [link for link in links if link.startswith("/docs/")]
    assert len(assets) == 5
    for asset in assets:
        response = rest.get(asset)
        assert response.status_code == httpx.codes.OK
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_metrics_are_for_private_sources_alone(gateway: RunningGateway) -> None:
    """Neither another address nor somebody behind a proxy reads them."""
    own = httpx.Client(base_url=gateway.url)
    other = httpx.Client(
        base_url=gateway.url, transport=httpx.HTTPTransport(local_address="127.0.0.2")
    )
    proxied = {"x-forwarded-for": "10.0.0.1"}
    with own, other:
        for path in ("/metrics", "/metrics/auth", "/metrics/telemetry"):
            assert own.get(path).status_code == httpx.codes.OK
            assert other.get(path).status_code == httpx.codes.FORBIDDEN
            assert own.get(path, headers=proxied).status_code == httpx.codes.FORBIDDEN


def test_each_services_metrics_are_reached(rest: httpx.Client) -> None:
    """One port is enough for a Prometheus outside."""
    for service in ("auth", "users", "companies", "telemetry"):
        assert rest.get(f"/metrics/{service}").text == "answer 42\n"


def test_the_request_id_is_the_gateways_own(
    rest: httpx.Client, services: Services, token_mint: TokenMint
) -> None:
    """A client is told the id, and can't choose it."""
    headers = authorization(token_mint.user(Role.MASTER)) | {"x-request-id": "mine"}

    response = rest.get("/v1/me", headers=headers)

    assert response.headers["x-request-id"] != "mine"
    assert services.calls[0].metadata["x-request-id"] == response.headers["x-request-id"]
