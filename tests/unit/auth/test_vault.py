"""Encryption at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.storage.vault import SealBroken, Vault

VAULT = Vault("k" * 32)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_is_opened(plain: bytes, context: str) -> None:
    """Under the same key and in the same context."""
    assert VAULT.open(VAULT.seal(plain, context), context) == plain


def test_the_same_is_sealed_differently_each_time() -> None:
    """A dump doesn't tell what is equal."""
    assert VAULT.seal(b"plain", "mail") != VAULT.seal(b"plain", "mail")


def test_another_context_does_not_open() -> None:
    """A row can't be passed off as another."""
    with pytest.raises(SealBroken):
        VAULT.open(VAULT.seal(b"plain", "mail 1"), "mail 2")


def test_another_key_does_not_open() -> None:
    """The error says so, without the data."""
    with pytest.raises(SealBroken, match="another encryption key"):
        Vault("l" * 32).open(VAULT.seal(b"plain", "mail"), "mail")


@given(st.binary(max_size=60))
def test_anything_else_does_not_open(data: bytes) -> None:
    """Short and altered data are refused alike."""
    with pytest.raises(SealBroken):
        VAULT.open(data, "mail")


def test_digests_depend_on_the_key() -> None:
    """Whoever has the database alone can't try all addresses."""
    assert VAULT.digest("192.0.2.1") == VAULT.digest("192.0.2.1")
    assert VAULT.digest("192.0.2.1") != Vault("l" * 32).digest("192.0.2.1")
