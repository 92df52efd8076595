"""Signing keys, their publication and their rotation, on real servers."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

import asyncpg
import grpc
import jwt
import pytest
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from grpc import StatusCode

from services.auth import app
from services.auth.storage import MIGRATIONS
from services.auth.storage.vault import SealBroken
from services.chassis.service import serve
from tests.fixtures.auth_service import FIRST_MASTER_PASSWORD, AuthSite, MakeSite
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import refused
from tests.fixtures.running import run_async
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually


def fetch(service: ServedService, path: str) -> tuple[Mapping[str, str], bytes]:
    """Read a page of a service."""
    with urllib.request.urlopen(service.http_url + path, timeout=10) as answer:  # noqa: S310
        return answer.headers, answer.read()


def kids(service: ServedService) -> list[str]:
    """Name the keys that a service publishes."""
    _, body = fetch(service, "/.well-known/jwks.json")
    return [key["kid"] for key in json.loads(body)["keys"]]


def login(service: ServedService) -> pb.Session:
    """Log the first master in."""
    request = pb.LoginRequest(email=FIRST_MASTER_EMAIL, password=FIRST_MASTER_PASSWORD)
    with grpc.insecure_channel(service.target) as channel:
        # The generated stubs are typed for grpc.aio; over this channel they are synchronous.
        stub: Any = AuthServiceStub(channel)  # type: ignore[arg-type]
        session: pb.Session = stub.Login(request)
    return session


def logout(service: ServedService, token: str) -> None:
    """Use a token."""
    with grpc.insecure_channel(service.target) as channel:
        stub: Any = AuthServiceStub(channel)  # type: ignore[arg-type]
        stub.Logout(pb.LogoutRequest(), metadata=bearer(token))


def kid_of(session: pb.Session) -> str:
    """Name the key that signed a session's token."""
    return str(jwt.get_unverified_header(session.access_token)["kid"])


def rotate_by_hand(site: AuthSite) -> str:
    """Rotate keys as an operator does, beside the running service."""
    settings = site.settings()
    own = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "NATS_PASSWORD": "unused-here",
        "SERVICE_SECRET": settings.service_secret.get_secret_value(),
        "SERVICE_SECRETS": "{}",
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "MAILBOX_DIR": str(settings.mailbox_dir),
        "JWKS_REFRESH_INTERVAL_S": str(settings.jwks_refresh_interval_s),
    }
    environment = {f"DASHTRACK_AUTH_{name}": value for name, value in own.items()}
    done = subprocess.run(
        [sys.executable, "-m", "services.auth", "rotate-keys"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def test_the_key_set_verifies_what_is_issued(auth_service: ServedService, grpc_stub: Any) -> None:
    """Over HTTP and gRPC alike, and without private halves."""
    headers, body = fetch(auth_service, "/.well-known/jwks.json")
    answer = grpc_stub.GetJsonWebKeySet(pb.GetJsonWebKeySetRequest())

    assert (answer.content_type, answer.data) == (headers["content-type"], body)
    assert headers["content-type"] == "application/jwk-set+json"
    assert headers["cache-control"] == "public, max-age=60"
    document = json.loads(body)
    (entry,) = document["keys"]
    assert (entry["kty"], entry["crv"], entry["alg"], entry["use"]) == (
        "OKP",
        "Ed25519",
        "EdDSA",
        "sig",
    )
    assert "d" not in entry
    session = login(auth_service)
    key = jwt.PyJWKSet.from_dict(document)[kid_of(session)]
    claims = jwt.decode(session.access_token, key, ["EdDSA"], audience="dashtrack-api")
    assert claims["role"] == "master"


def test_replicas_that_start_together_make_one_key(make_auth_site: MakeSite) -> None:
    """And each accepts what the other issued."""
    site = make_auth_site()
    with site.serve() as one, site.serve() as other:
        assert kids(one) == kids(other)
        assert len(kids(one)) == 1
        logout(other, login(one).access_token)


def test_a_new_key_signs_after_it_was_published(make_auth_site: MakeSite) -> None:
    """Tokens of the old key go on working, and each key signs in its time."""
    site = make_auth_site()
    quick = {"jwks_refresh_interval_s": 1, "upkeep_interval_s": 0.2}
    with site.serve(**quick) as service:
        before = login(service)
        fresh = rotate_by_hand(site)
        eventually(lambda: fresh in kids(service), "the publication of the new key")
        assert kids(service) == [kid_of(before), fresh]
        # The command line ran with the site's interval of a minute: the key waits for two.
        assert kid_of(login(service)) == kid_of(before)
        logout(service, before.access_token)


def test_keys_change_hands_without_a_gap(make_auth_site: MakeSite) -> None:
    """Rotated by the service itself, under somebody who logs in all the time."""
    site = make_auth_site()
    with site.serve() as service:
        first = login(service)
    _age_keys(site)
    with site.serve(jwks_refresh_interval_s=1, upkeep_interval_s=0.2) as service:

        def second_key() -> pb.Session | None:
            session = login(service)
            return session if kid_of(session) != kid_of(first) else None

        second = eventually(second_key, "the new key's first signature")
        assert kids(service) == [kid_of(first), kid_of(second)]
        logout(service, first.access_token)
        logout(service, second.access_token)


def test_an_expired_token_is_refused(make_auth_site: MakeSite) -> None:
    """By the clock, with nobody having revoked it."""
    with make_auth_site().serve(access_token_ttl_s=1) as service:
        session = login(service)
        expires_at_s = jwt.decode(
            session.access_token, options={"verify_signature": False, "verify_exp": False}
        )["exp"]
        eventually(lambda: time.time() > expires_at_s, "the token's expiry")

        with refused(StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"):
            logout(service, session.access_token)


async def test_another_encryption_key_stops_the_start(make_auth_site: MakeSite) -> None:
    """Rather than signing with keys that nobody knows."""
    site = make_auth_site()
    async with serve("auth", site.settings(), app.build, migrations=MIGRATIONS):
        pass
    wrong = site.settings(encryption_key="another encryption key, which is long too")

    with pytest.raises(SealBroken):
        async with serve("auth", wrong, app.build, migrations=MIGRATIONS):
            pass


def test_authentications_are_counted(auth_service: ServedService) -> None:
    """By role and by reason, from zero."""
    login(auth_service)
    with refused(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"):
        logout(auth_service, "nonsense")

    _, body = fetch(auth_service, "/metrics")

    text = body.decode()
    assert 'auth_success_total{role="master"}' in text
    assert 'auth_success_total{role="helper"} 0.0' in text
    assert 'auth_failures_total{reason="refresh_token_reused"} 0.0' in text
    assert "user_sessions_total" in text


def _age_keys(site: AuthSite) -> None:
    """Have the keys signed for longer than a key should."""

    async def age() -> None:
        connection = await asyncpg.connect(site.database.dsn)
        try:
            await connection.execute(
                "update signing_keys set signs_from = signs_from - interval '31 days'"
            )
        finally:
            await connection.close()

    run_async(age())
