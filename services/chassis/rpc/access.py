"""The layer that lets in whom the proto names, and says who it was."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from services.chassis.audit.entries import current_entry
from services.chassis.errors import (
    ApiKeyRefused,
    PermissionDenied,
    ScopeMissing,
    TokenAudience,
    TokenInvalid,
    TokenMissing,
    TwoFactorEnrollmentRequired,
    Unauthenticated,
    Unavailable,
)
from services.chassis.identity import Caller, CallerKind, Restriction, set_caller
from services.chassis.rpc.calls import Context, StreamHandler, UnaryHandler, current_call
from services.chassis.rpc.methods import MethodSpec
from services.chassis.tokens import TokenVerifier, VerifiedToken

_SCHEME = "bearer "
_REFUSALS: Mapping[Restriction, type[TwoFactorEnrollmentRequired]] = {
    Restriction.TWO_FACTOR_ENROLLMENT: TwoFactorEnrollmentRequired,
}


class AccessGate:
    """Checks the bearer token of each call against what its method asks for."""

    def __init__(self, verifier: TokenVerifier) -> None:
        """Verify with this."""
        self._verifier = verifier

    def admit_unary(self, spec: MethodSpec, inner: UnaryHandler) -> UnaryHandler:
        """Wrap a method that answers with one message."""
        if spec.public:
            return inner

        async def admitted(request: Any, context: Context) -> Any:
            await self._admit(spec)
            return await inner(request, context)

        return admitted

    def admit_stream(self, spec: MethodSpec, inner: StreamHandler) -> StreamHandler:
        """Wrap a method that answers with many messages."""
        if spec.public:
            return inner

        async def admitted(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            await self._admit(spec)
            async with contextlib.aclosing(inner(request, context)) as responses:
                async for response in responses:
                    yield response

        return admitted

    async def _admit(self, spec: MethodSpec) -> None:
        call = current_call()
        token = _bearer(call.authorization if call is not None else None)
        verified = self._verifier.recall(token) or await self._verifier.verify(token)
        if call is not None:
            call.verifier = self._verifier
        entry = current_entry()
        if entry is not None:
            entry.actor = verified.caller
        _require_open(spec, verified.caller)
        set_caller(verified.caller)


def _require_open(spec: MethodSpec, caller: Caller) -> None:
    """Make sure that a method is open to a caller.

    Raises:
        PermissionDenied: it is not.
    """
    # An API key calls what people call: with a role as they do, and with scopes besides.
    kind = CallerKind.USER if caller.kind is CallerKind.API_KEY else caller.kind
    if kind is not spec.caller:
        raise TokenAudience(f"The token is for callers of kind {caller.kind}, not {spec.caller}.")
    if caller.kind is CallerKind.API_KEY and spec.scope is None:
        raise ApiKeyRefused
    if kind is CallerKind.USER and caller.role not in spec.roles:
        raise PermissionDenied(
            f"The role {caller.role} may not call this method.", method=spec.path
        )
    if caller.kind is CallerKind.API_KEY and spec.scope not in caller.scopes:
        raise ScopeMissing(str(spec.scope))
    if caller.restriction is not None and caller.restriction not in spec.open_to:
        raise _REFUSALS[caller.restriction]


async def examine_token(token: str) -> VerifiedToken | None:
    """Judge a token as the gate judges those that calls carry; None if it is not good.

    Raises:
        Unavailable: nobody can tell now.
    """
    call = current_call()
    if call is None or call.verifier is None:
        raise Unavailable("Tokens are judged within a call that carries one.")
    try:
        return call.verifier.recall(token) or await call.verifier.verify(token)
    except (Unauthenticated, PermissionDenied):
        return None


async def recheck_access() -> None:
    """Make sure that the token of the call that is being served still holds: for long streams.

    Raises:
        DomainError: it has expired or was revoked since the call began.
    """
    call = current_call()
    if call is not None and call.verifier is not None:
        token = _bearer(call.authorization)
        if call.verifier.recall(token) is None:
            await call.verifier.verify(token)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise TokenMissing("The call needs a bearer token.")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise TokenInvalid("The authorization is not a bearer token.")
    return authorization[len(_SCHEME) :].strip()
