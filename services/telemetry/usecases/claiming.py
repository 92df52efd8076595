"""How a board becomes a device: a claim code for a secret, the secret for a token."""

import hmac
import uuid

from services.chassis.audit.entries import note_resource
from services.telemetry.domain.devices import (
    Credentials,
    DeviceStatus,
    claim_code_hash,
    derive_secret,
    secret_hash,
)
from services.telemetry.domain.errors import (
    ClaimCodeInvalid,
    DeviceRevoked,
    DeviceSecretInvalid,
    UploadsSuspended,
)
from services.telemetry.ports.general import Clock
from services.telemetry.ports.registry import DeviceToken, Registry, TokenIssuer


class ClaimUseCases:
    """What boards do before they may upload."""

    def __init__(
        self,
        registry: Registry,
        tokens: TokenIssuer,
        *,
        clock: Clock,
        claim_key: bytes,
        suspended_retry_s: float,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._clock = clock
        self._claim_key = claim_key
        self._suspended_retry_s = suspended_retry_s

    async def claim(self, code: str, hardware_id: str, nonce: bytes) -> tuple[uuid.UUID, str]:
        """Give a board its id and its secret.

        The secret is derived from claim and nonce, so that it is known again, though it is stored
        hashed, until the board has shown that it got it.
        """
        claim_hash = claim_code_hash(code)
        async with self._registry.begin() as work:
            device = await work.credentials.by_claim(claim_hash)
            if device is None or device.hardware_id != hardware_id:
                raise ClaimCodeInvalid
            note_resource("device", device.device_id, device.company_id)
            if not self._may_claim(device, nonce):
                raise ClaimCodeInvalid
            self._require_open(device)
            secret = derive_secret(self._claim_key, device.device_id, claim_hash, nonce)
            await work.credentials.record_claim(device, nonce, secret_hash(secret))
        return device.device_id, secret

    async def exchange(self, device_id: uuid.UUID, secret: str) -> DeviceToken:
        """Give a device a token for uploads."""
        async with self._registry.begin() as work:
            device = await work.credentials.by_id(device_id)
            if device is not None:
                note_resource("device", device_id, device.company_id)
            # An unknown device costs the same comparison.
            expected = (device.secret_hash if device else None) or bytes(32)
            if not hmac.compare_digest(secret_hash(secret), expected) or device is None:
                raise DeviceSecretInvalid
            if device.status is DeviceStatus.DISABLED:
                raise DeviceRevoked(device_id)
            self._require_open(device)
            if not device.secret_used:
                await work.credentials.record_secret_use(device, self._clock())
            # With the row still locked: whoever disables the device waits, and then revokes a token
            # that has been issued, rather than one that is about to be.
            return await self._tokens.issue(device.company_id, device_id)

    def _require_open(self, device: Credentials) -> None:
        # Only once the board has proved itself, so that strangers learn nothing.
        if device.company_closed:
            raise UploadsSuspended(device.company_id, self._suspended_retry_s)

    def _may_claim(self, device: Credentials, nonce: bytes) -> bool:
        if device.status is DeviceStatus.REGISTERED:
            expires_at = device.claim_expires_at
            return expires_at is not None and self._clock() < expires_at
        return (
            device.status is DeviceStatus.CLAIMED
            and not device.secret_used
            and device.nonce is not None
            and hmac.compare_digest(device.nonce, nonce)
        )
