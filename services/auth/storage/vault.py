"""Encryption at rest, and keyed hashes, under keys derived from one secret setting."""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12
_VERSION = b"\x01"


class SealBroken(Exception):
    """The data were sealed under another encryption key, or altered: nothing can be done here."""


class Vault:
    """Seals what must not be readable in a dump of the database (AES-256-GCM)."""

    def __init__(self, secret: str) -> None:
        """Derive the keys; the secret is long and random, so no slow derivation is needed."""
        self._cipher = AESGCM(_derive(secret, b"sealing"))
        self._digest_key = _derive(secret, b"digests")

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt; the context (what it is and whose) must be the same when it is opened."""
        nonce = secrets.token_bytes(_NONCE_SIZE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt.

        Raises:
            SealBroken: another key, another context, or altered.
        """
        nonce, body = sealed[1 : 1 + _NONCE_SIZE_BYTES], sealed[1 + _NONCE_SIZE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) < _NONCE_SIZE_BYTES:
            raise SealBroken(f"unknown format of {context}")
        try:
            return self._cipher.decrypt(nonce, body, context.encode())
        except InvalidTag as err:
            message = f"{context} was sealed under another encryption key"
            raise SealBroken(message) from err

    def digest(self, text: str) -> bytes:
        """Hash personal data such as an address, which a plain hash would not hide."""
        return hmac.digest(self._digest_key, text.encode(), "sha256")


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_SIZE_BYTES, salt=None, info=b"dashtrack auth " + purpose).derive(
        secret.encode()
    )
