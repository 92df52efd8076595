"""The layer that has calls leave a record in the audit log: one each, whatever comes of them."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from services.chassis.addresses import client_address, user_agent
from services.chassis.audit.entries import OK, Entry, begin
from services.chassis.audit.facts import describe
from services.chassis.audit.trail import AuditTrail
from services.chassis.errors import DomainError, Kind, Unauthenticated
from services.chassis.identity import CallerKind
from services.chassis.rpc.calls import Context, StreamHandler, UnaryHandler, current_call
from services.chassis.rpc.methods import Audited, MethodSpec

# Whether these calls would have been let do what they asked is not known: nothing was decided.
_UNDECIDED = frozenset({Kind.EXHAUSTED, Kind.EXPIRED, Kind.UNAVAILABLE})


class Auditor:
    """Wraps the methods that are audited."""

    def __init__(self, trail: AuditTrail, proxies_trusted: int) -> None:
        """Store records here; trust that many proxies about where calls come from."""
        self._trail = trail
        self._proxies_trusted = proxies_trusted

    def audit_unary(self, spec: MethodSpec, inner: UnaryHandler) -> UnaryHandler:
        """Wrap a method that answers with one message."""
        if spec.audited is Audited.NONE:
            return inner

        async def audited(request: Any, context: Context) -> Any:
            entry = self._begin(spec, request, context)
            try:
                response = await inner(request, context)
                await self._succeeded(entry)
            except Exception as err:
                await self._refused(entry, err)
                raise
            finally:
                entry.closed = True
            return response

        return audited

    def audit_stream(self, spec: MethodSpec, inner: StreamHandler) -> StreamHandler:
        """Wrap a method that answers with many messages: it is recorded before the first."""
        if spec.audited is Audited.NONE:
            return inner

        async def audited(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            entry = self._begin(spec, request, context)
            try:
                async with contextlib.aclosing(inner(request, context)) as responses:
                    async for response in responses:
                        await self._succeeded(entry)
                        yield response
                await self._succeeded(entry)
            except Exception as err:
                await self._refused(entry, err)
                raise
            finally:
                entry.closed = True

        return audited

    def _begin(self, spec: MethodSpec, request: Any, context: Context) -> Entry:
        call = current_call()
        metadata = context.invocation_metadata() or ()
        entry = Entry(
            spec.action,
            trace_id=call.trace_id if call is not None else "",
            address=client_address(metadata, context.peer(), self._proxies_trusted),
            user_agent=user_agent(metadata),
        )
        if spec.audited is Audited.REFUSALS:
            # Nothing that it commits is recorded, since nothing but a refusal is.
            entry.recorded = OK
        describe(entry, request)
        if spec.harmless:
            entry.changed_fields = ()
        begin(entry)
        return entry

    async def _succeeded(self, entry: Entry) -> None:
        if entry.recorded is None:
            await self._trail.record(entry)

    async def _refused(self, entry: Entry, err: Exception) -> None:
        if _matters(entry, err):
            await self._trail.record_refusal(entry, err)


def _matters(entry: Entry, err: Exception) -> bool:
    """Tell whether a refusal is recorded: of strangers, only what was tried on somebody."""
    if not isinstance(err, DomainError):
        return entry.actor.kind is not CallerKind.ANONYMOUS
    if err.kind in _UNDECIDED:
        return False
    if entry.actor.kind is CallerKind.ANONYMOUS:
        return entry.subject_known and err.kind is not Kind.INVALID
    return not (isinstance(err, Unauthenticated) and err.reason.startswith("TOKEN_"))
