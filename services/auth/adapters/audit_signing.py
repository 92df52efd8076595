"""Ed25519 signatures under heads of the audit log."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.auth.domain.audit_heads import AuditKey, Head, SignatureInvalid, key_id_of


class Ed25519HeadSigning:
    """Signs heads and verifies them."""

    def generate(self, now: datetime) -> tuple[AuditKey, bytes]:
        """Make a key pair."""
        private_key = Ed25519PrivateKey.generate()
        public_key = private_key.public_key().public_bytes_raw()
        return AuditKey(key_id_of(public_key), public_key, now), private_key.private_bytes_raw()

    def sign(self, private_key: bytes, payload: bytes) -> bytes:
        """Sign."""
        return Ed25519PrivateKey.from_private_bytes(private_key).sign(payload)

    def verify(self, keys: Sequence[AuditKey], head: Head) -> None:
        """Check a head's signature.

        Raises:
            SignatureInvalid: no such key, or it signed something else.
        """
        for key in keys:
            # The key says its name, not the row that it came in.
            if key_id_of(key.public_key) == head.key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(key.public_key).verify(
                        head.signature, head.signed()
                    )
                except (InvalidSignature, ValueError) as err:
                    raise SignatureInvalid(head.key_id) from err
                return
        raise SignatureInvalid(head.key_id)
