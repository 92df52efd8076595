"""Encryption of personal data in the audit log, under a key per company that can be destroyed."""

import secrets
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.auth.domain.audit import (
    NOTHING_PERSONAL,
    Personal,
    Record,
    SealedPersonal,
    new_salt,
    personal_digest,
    personal_plain,
    read_personal,
)
from services.auth.ports.audit import ShownRecord
from services.auth.storage.vault import Vault

_KEY_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12


class DataKey:
    """A company's key, opened."""

    def __init__(self, raw: bytes) -> None:
        self._cipher = AESGCM(raw)

    def seal(self, act_id: uuid.UUID, personal: Personal) -> SealedPersonal:
        """Encrypt personal data (AES-256-GCM), bound to the act that they belong to."""
        plain = personal_plain(personal, new_salt())
        nonce = secrets.token_bytes(_NONCE_SIZE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plain, act_id.bytes)
        return SealedPersonal(sealed, personal_digest(plain))

    def show(self, record: Record) -> ShownRecord:
        """Decrypt what a record holds, and say whether it is what was recorded."""
        sealed = record.personal.sealed
        nonce, body = sealed[:_NONCE_SIZE_BYTES], sealed[_NONCE_SIZE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, body, record.act.event_id.bytes)
        except (InvalidTag, ValueError):
            return ShownRecord(record, None, b"", personal_matches=False)
        return ShownRecord(
            record,
            *read_personal(plain),
            personal_matches=personal_digest(plain) == record.personal.digest,
        )


def new_sealed_key(vault: Vault, company_id: uuid.UUID) -> bytes:
    """Make a company's key, as it is stored."""
    return vault.seal(secrets.token_bytes(_KEY_SIZE_BYTES), _context(company_id))


def open_key(vault: Vault, company_id: uuid.UUID, sealed_key: bytes) -> DataKey:
    """Open a company's key."""
    return DataKey(vault.open(sealed_key, _context(company_id)))


def show(key: DataKey | None, record: Record, *, erased: bool) -> ShownRecord:
    """Show a record; what was recorded without personal data has none to show.

    Args:
        key: the company's key; None if there is none.
        record: the record.
        erased: whether there should be no key.
    """
    if record.personal == NOTHING_PERSONAL:
        return ShownRecord(record, None, b"", personal_matches=True)
    if key is None:
        return ShownRecord(record, None, b"", personal_matches=erased)
    return key.show(record)


def _context(company_id: uuid.UUID) -> str:
    return f"audit key of {company_id}"
