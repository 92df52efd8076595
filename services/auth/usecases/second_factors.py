"""Proving to have a second factor."""

import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from services.auth.domain.credentials import new_code, spelled_code
from services.auth.domain.totp import (
    BACKUP_CODE_SIZE_BYTES,
    BACKUP_CODES,
    Proof,
    backup_digest_text,
)
from services.auth.ports import Clock, Digest, Transaction


class Verdict(enum.Enum):
    """What a proof is worth."""

    UNNEEDED = enum.auto()
    PASSED = enum.auto()
    MISSING = enum.auto()
    WRONG = enum.auto()


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """Judges proofs, and makes backup codes."""

    hash: Digest
    clock: Clock

    async def judge(self, tx: Transaction, user_id: uuid.UUID, proof: Proof) -> Verdict:
        """Judge a proof of somebody whose credential is locked, and use it up."""
        totp = await tx.second_factors.find(user_id)
        if totp is None or totp.confirmed_at is None:
            return Verdict.UNNEEDED
        if proof.is_missing:
            return Verdict.MISSING
        if proof.totp_code:
            accepted = totp.accepted(proof.totp_code, self.clock())
            if accepted is None:
                return Verdict.WRONG
            await tx.second_factors.save(accepted)
            return Verdict.PASSED
        digest = self._digest(user_id, proof.backup_code)
        used = await tx.second_factors.use_backup_code(user_id, digest)
        return Verdict.PASSED if used else Verdict.WRONG

    async def new_backup_codes(self, tx: Transaction, user_id: uuid.UUID) -> Sequence[str]:
        """Replace somebody's backup codes."""
        codes = [new_code(BACKUP_CODE_SIZE_BYTES) for _ in range(BACKUP_CODES)]
        digests = [self._digest(user_id, code) for code in codes]
        await tx.second_factors.replace_backup_codes(user_id, digests)
        return codes

    def _digest(self, user_id: uuid.UUID, code: str) -> bytes:
        return self.hash(backup_digest_text(user_id, spelled_code(code)))
