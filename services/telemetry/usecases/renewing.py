"""Gives devices a fresh token with an upload, well before the one they have ends."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable

from services.chassis.errors import DomainError
from services.telemetry.ports.registry import DeviceToken, TokenIssuer

_PAUSE_S = 30.0
_TOKENS_KEPT_MAX = 10_000


class TokenRenewals:
    """Renews tokens as they age; an upload never fails for want of a renewal."""

    def __init__(
        self, issuer: TokenIssuer, *, before_end_s: float, now: Callable[[], float] = time.time
    ) -> None:
        self._issuer = issuer
        self._before_end_s = before_end_s
        self._now = now
        self._issued: OrderedDict[uuid.UUID, DeviceToken] = OrderedDict()
        self._paused_until_s = 0.0

    async def renewed(self, expires_at_s: int, company_id: uuid.UUID, device_id: uuid.UUID) -> str:
        """Return the token that replaces one that ends then, or nothing while that is far off."""
        now_s = self._now()
        if expires_at_s - now_s > self._before_end_s:
            return ""
        issued = self._issued.get(device_id)
        if issued is not None and issued.expires_at_s > expires_at_s:
            # The answer that carried it may have got lost.
            return issued.token
        if now_s < self._paused_until_s:
            return ""
        try:
            issued = await self._issuer.issue(company_id, device_id)
        except DomainError:
            # The old token still works, and there are many uploads to come.
            self._paused_until_s = now_s + _PAUSE_S
            return ""
        self._issued[device_id] = issued
        if len(self._issued) > _TOKENS_KEPT_MAX:
            self._issued.popitem(last=False)
        return issued.token
