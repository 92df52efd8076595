"""Which access tokens are believed."""

import base64
import json
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.errors import (
    DomainError,
    TokenAudience,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
    Unavailable,
)
from services.chassis.identity import CallerKind, Role
from services.chassis.tokens import AUDIENCE_API, AUDIENCE_SERVICE, TokenVerifier
from tests.fixtures.tokens import ISSUER, StaticKeys, TokenMint
from tests.unit.chassis.conftest import Revoked

COMPANY = uuid.UUID(int=7)


class ChangingKeys:
    """A key source whose keys a test changes."""

    def __init__(self, *mints: TokenMint) -> None:
        self.mints = list(mints)
        self.upcoming: list[TokenMint] = []

    def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of a mint that is published."""
        return next((mint.private_key.public_key() for mint in self.mints if mint.kid == kid), None)

    async def refresh(self) -> None:
        """Publish what is upcoming."""
        self.mints += self.upcoming


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Put a token together by hand."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join(
        [part(json.dumps(header).encode()), part(json.dumps(claims).encode()), part(signature)]
    )


def claims(**changes: Any) -> dict[str, Any]:
    """Make the claims of a good token."""
    now_s = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE_API,
        "sub": str(uuid.UUID(int=1)),
        "iat": now_s,
        "exp": now_s + 60,
        "jti": "1",
        "role": "manager",
        "company_id": str(COMPANY),
    }
    return usual | changes


async def test_user_token_says_who_it_is(verifier: TokenVerifier, token_mint: TokenMint) -> None:
    """A person's token names the person, role, company and session."""
    session_id, user_id = uuid.UUID(int=3), uuid.UUID(int=4)
    token = token_mint.user(Role.DRIVER, COMPANY, user_id, sid=str(session_id))
    caller = (await verifier.verify(token)).caller
    assert caller.kind is CallerKind.USER
    assert (caller.user_id, caller.role) == (user_id, Role.DRIVER)
    assert (caller.company_id, caller.session_id) == (COMPANY, session_id)


async def test_device_and_service_tokens_say_who_they_are(
    verifier: TokenVerifier, token_mint: TokenMint
) -> None:
    """Devices belong to a company, services to none."""
    device_id = uuid.UUID(int=5)
    device = (await verifier.verify(token_mint.device(COMPANY, device_id))).caller
    assert (device.device_id, device.company_id, device.role) == (device_id, COMPANY, None)
    service = (await verifier.verify(token_mint.service("users"))).caller
    assert (service.kind, service.subject) == (CallerKind.SERVICE, "users")


async def test_token_seen_before_is_recalled(
    verifier: TokenVerifier, token_mint: TokenMint
) -> None:
    """The second time a token costs no signature check."""
    token = token_mint.user(Role.MASTER)
    assert verifier.recall(token) is None
    verified = await verifier.verify(token)
    assert verifier.recall(token) is verified


async def test_unsigned_token_is_refused(verifier: TokenVerifier, token_mint: TokenMint) -> None:
    """The algorithm `none` opens nothing."""
    token = forged({"alg": "none", "kid": token_mint.kid}, claims())
    with pytest.raises(TokenInvalid):
        await verifier.verify(token)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("encoding", ["raw", "pem"])
async def test_public_key_as_shared_secret_is_refused(
    verifier: TokenVerifier, token_mint: TokenMint, encoding: str
) -> None:
    """A token that is MACed with our public key is not taken for a signed one."""
    public = token_mint.private_key.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    secret = public.public_bytes_raw() if encoding == "raw" else pem
    header = {"alg": "HS256", "kid": token_mint.kid}
    signing_input = forged(header, claims()).rpartition(".")[0]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        signing_input.encode(), secret
    )
    with pytest.raises(TokenInvalid):
        await verifier.verify(forged(header, claims(), signature))


async def test_token_of_another_key_under_our_id_is_refused(
    verifier: TokenVerifier, token_mint: TokenMint
) -> None:
    """Naming our key is not having it."""
    stranger = TokenMint(kid=token_mint.kid)
    with pytest.raises(TokenInvalid):
        await verifier.verify(stranger.user(Role.MASTER))


async def test_altered_claims_are_refused(verifier: TokenVerifier, token_mint: TokenMint) -> None:
    """A signature holds for the claims that were signed."""
    head, _, signature = token_mint.user(Role.HELPER, COMPANY).split(".")
    body = forged({}, claims(role="master")).split(".")[1]
    with pytest.raises(TokenInvalid):
        await verifier.verify(f"{head}.{body}.{signature}")


async def test_expired_token_is_refused(verifier: TokenVerifier, token_mint: TokenMint) -> None:
    """Yesterday's token is not today's."""
    with pytest.raises(TokenExpired):
        await verifier.verify(token_mint.expired(Role.MANAGER, COMPANY))


async def test_token_that_expires_after_its_first_use_is_refused(
    verifier: TokenVerifier, token_mint: TokenMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache does not keep a token alive."""
    token = token_mint.user(Role.MASTER)
    await verifier.verify(token)
    later_s = time.time() + 86_400
    monkeypatch.setattr("services.chassis.tokens.time.time", lambda: later_s)
    with pytest.raises(TokenExpired):
        verifier.recall(token)


@pytest.mark.parametrize("audience", ["somebody-else", "dashtrack"])
async def test_unknown_audience_is_refused(
    verifier: TokenVerifier, token_mint: TokenMint, audience: str
) -> None:
    """A genuine token for somebody else is not for us."""
    with pytest.raises(TokenAudience):
        await verifier.verify(token_mint.sign(audience, str(uuid.UUID(int=1)), role="master"))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "elsewhere"},
        {"role": "emperor"},
        {"role": "service"},
        {"role": None},
        {"sub": "not-a-uuid"},
        {"company_id": "not-a-uuid"},
        {"company_id": 7},
        {"sid": ["a"]},
        {"company_id": None},
        {"exp": "soon"},
        {"exp": str(2**33)},
        {"exp": float("inf")},
        {"iat": "then"},
        {"iat": float("inf")},
        {"iat": 2**33},
        {"nbf": 2**33},
        {"aud": [AUDIENCE_API, AUDIENCE_SERVICE]},
        {"jti": None},
    ],
)
async def test_malformed_claims_are_refused(
    verifier: TokenVerifier, token_mint: TokenMint, changes: dict[str, Any]
) -> None:
    """A signed token that doesn't say what it must is no use, and no crash either."""
    own = claims(**changes)
    token = token_mint.sign(own.pop("aud"), own.pop("sub"), **own)
    with pytest.raises(DomainError):
        await verifier.verify(token)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "exp", "iat", "jti", "role"])
async def test_missing_claims_are_refused(
    verifier: TokenVerifier, token_mint: TokenMint, missing: str
) -> None:
    """Every claim that we rely on has to be there."""
    own = claims()
    del own[missing]
    token = jwt.encode(
        own, token_mint.private_key, algorithm="EdDSA", headers={"kid": token_mint.kid}
    )
    with pytest.raises(DomainError):
        await verifier.verify(token)


async def test_a_clock_that_is_a_little_ahead_is_believed(
    verifier: TokenVerifier, token_mint: TokenMint
) -> None:
    """Auth's clock and the service's are never quite the same."""
    soon_s = time.time() + 5
    token = token_mint.user(Role.MANAGER, COMPANY, iat=soon_s, nbf=soon_s)
    assert (await verifier.verify(token)).issued_at_s == soon_s


DEEP = base64.urlsafe_b64encode(b"[" * 2900).decode()


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "....", "x" * 10_000, "e30.e30.e30", f"{DEEP}.e30.e30"]
)
async def test_malformed_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    """Rubbish is refused as such."""
    with pytest.raises(TokenInvalid):
        await verifier.verify(token)


@given(token=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
async def test_no_text_crashes_the_verifier(token: str) -> None:
    """Whatever is sent as a token is refused with a reason."""
    verifier = TokenVerifier(StaticKeys(TokenMint()), Revoked(), issuer=ISSUER)
    with pytest.raises(DomainError):
        await verifier.verify(token)


async def test_new_key_is_found_when_a_token_names_it(revoked: Revoked) -> None:
    """A key that was published since the last look is fetched at once."""
    keys, newer = ChangingKeys(TokenMint()), TokenMint()
    verifier = TokenVerifier(keys, revoked, issuer=ISSUER)
    with pytest.raises(TokenInvalid):
        await verifier.verify(newer.user(Role.MASTER))
    keys.upcoming = [newer]
    assert (await verifier.verify(newer.user(Role.MASTER))).kid == newer.kid


async def test_withdrawn_key_ends_the_tokens_that_it_signed(revoked: Revoked) -> None:
    """Tokens in the cache die with their key."""
    mint = TokenMint()
    keys = ChangingKeys(mint)
    verifier = TokenVerifier(keys, revoked, issuer=ISSUER)
    token = mint.user(Role.MASTER)
    await verifier.verify(token)
    keys.mints.clear()
    with pytest.raises(TokenInvalid):
        verifier.recall(token)


async def test_revoked_token_is_refused(
    verifier: TokenVerifier, token_mint: TokenMint, revoked: Revoked
) -> None:
    """A revoked token is refused the first time as well as later."""
    subject = str(uuid.UUID(int=9))
    token = token_mint.user(Role.MASTER, user_id=uuid.UUID(subject))
    revoked.subjects.add(subject)
    with pytest.raises(TokenRevoked):
        await verifier.verify(token)


async def test_nobody_is_called_a_forger_while_there_are_no_keys(revoked: Revoked) -> None:
    """Before the keys were read, a token can be neither believed nor refused."""

    class NoKeysYet:
        def key(self, kid: str) -> Ed25519PublicKey | None:
            raise Unavailable("no keys yet")

        async def refresh(self) -> None:
            """Find nothing."""

    verifier = TokenVerifier(NoKeysYet(), revoked, issuer=ISSUER)
    with pytest.raises(Unavailable):
        await verifier.verify(TokenMint().user(Role.MASTER))
