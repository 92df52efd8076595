"""Properties of limits, codes, passwords and keys."""

import base64
import json
from datetime import timedelta

import jwt
from hypothesis import given
from hypothesis import strategies as st

from services.auth.adapters.key_ring import Ed25519KeyGenerator
from services.auth.domain import keys, throttling
from services.auth.domain.credentials import invitation_digest, new_code
from services.auth.domain.mails import retry_delay
from services.auth.domain.throttling import Charge, Limit
from tests.fixtures.auth_fakes import START

limits = st.builds(
    Limit,
    failures_max=st.integers(1, 50),
    window=st.timedeltas(timedelta(seconds=1), timedelta(days=1)),
)


@given(limits, st.lists(st.timedeltas(timedelta(0), timedelta(hours=2)), max_size=80))
def test_a_limit_holds_over_any_window(limit: Limit, pauses: list[timedelta]) -> None:
    """Whatever the pauses, twice the limit is the most that a window sees."""
    charge, now = Charge(b"key", limit), START
    buckets: throttling.Buckets = {}
    admitted = []
    for pause in pauses:
        now += pause
        if throttling.wait_s([charge], buckets, now) == 0:
            buckets = throttling.charged([charge], buckets, now)
            admitted.append(now)

    for first in admitted:
        within = [moment for moment in admitted if first <= moment < first + limit.window]
        assert len(within) <= 2 * limit.failures_max


@given(limits, st.integers(0, 200))
def test_the_wait_is_bounded_and_enough(limit: Limit, attempts: int) -> None:
    """However often somebody fails, a wait of one step at most lets them try again."""
    charge = Charge(b"key", limit)
    buckets: throttling.Buckets = {}
    for _ in range(attempts):
        if throttling.wait_s([charge], buckets, START) == 0:
            buckets = throttling.charged([charge], buckets, START)

    wait_s = throttling.wait_s([charge], buckets, START)

    assert wait_s <= limit.step.total_seconds()
    later = START + timedelta(seconds=wait_s)
    assert throttling.wait_s([charge], buckets, later) == 0


@given(limits, st.integers(1, 20))
def test_a_refund_undoes_a_charge(limit: Limit, attempts: int) -> None:
    """Attempts that turn out well leave the bucket as it was."""
    charge = Charge(b"key", limit)
    before: throttling.Buckets = {b"key": START}
    buckets = before
    for _ in range(attempts):
        charged = throttling.charged([charge], buckets, START)
        buckets = throttling.refunded([charge], charged)

    assert buckets == before


def test_invitation_codes_differ_and_are_long() -> None:
    """160 bits, in groups that can be read out."""
    codes = {new_code() for _ in range(100)}

    assert len(codes) == 100
    assert all(len(code.replace("-", "")) == 32 for code in codes)


@given(st.text(max_size=200))
def test_any_text_can_be_tried_as_a_code(text: str) -> None:
    """What isn't a code has a digest that nobody has."""
    assert len(invitation_digest(text.encode(errors="replace").decode())) == 32


@given(st.integers(1, 10_000))
def test_mail_is_tried_again_within_minutes(attempts: int) -> None:
    """The pauses grow to ten minutes and stay there."""
    assert timedelta(seconds=5) <= retry_delay(attempts) <= timedelta(minutes=10)


def test_a_thumbprint_is_that_of_the_standard() -> None:
    """The example of RFC 8037, appendix A.3."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

    assert (
        keys.thumbprint(base64.urlsafe_b64decode(x + "="))
        == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )


def test_the_key_set_holds_public_halves_only() -> None:
    """And it is one that a JWT library reads."""
    key = Ed25519KeyGenerator().generate(START)

    document = json.loads(keys.json_web_key_set([key]))

    (entry,) = document["keys"]
    assert set(entry) == {"kty", "crv", "x", "use", "alg", "kid"}
    assert jwt.PyJWKSet.from_dict(document)[key.kid].key_id == key.kid


def test_secrets_stay_out_of_what_is_printed() -> None:
    """A key that ends up in a log shows its public half only."""
    key = Ed25519KeyGenerator().generate(START)

    assert repr(key.private_key) not in repr(key)
