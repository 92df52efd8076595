"""AuditService: decode a call, run its use case, encode the outcome."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from dashtrack.audit.v1 import audit_service_pb2 as pb
from dashtrack.audit.v1.audit_service_pb2_grpc import AuditServiceServicer
from google.api.httpbody_pb2 import HttpBody

from services.auth.codec import PAGE_SIZE_DEFAULT
from services.auth.codec import audit as codec
from services.auth.domain.audit_heads import Head
from services.auth.usecases.audit_reading import AuditReading, log_of
from services.chassis.fields import decode_optional_id
from services.chassis.identity import current_caller

AUDIT_SERVICE = pb.DESCRIPTOR.services_by_name["AuditService"].full_name

_CHUNK_SIZE_BYTES = 65_536


class AuditServicer(AuditServiceServicer):
    """Serves administrators and auditors."""

    def __init__(self, reading: AuditReading) -> None:
        self._reading = reading

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, context: Any
    ) -> pb.ListAuditRecordsResponse:
        page = await self._reading.list_records(
            log_of(current_caller(), decode_optional_id(request.company_id)),
            codec.decode_query(request),
            before=codec.decode_before(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_page(page, request)

    async def ExportAuditRecords(
        self, request: pb.ExportAuditRecordsRequest, context: Any
    ) -> AsyncGenerator[HttpBody, None]:
        company_id = log_of(current_caller(), decode_optional_id(request.company_id))
        start, end = (codec.decode_moment(request, name) for name in ("start_time", "end_time"))
        csv = request.format == pb.ExportAuditRecordsRequest.FORMAT_CSV
        export = codec.CsvExport() if csv else codec.NdjsonExport()
        chunk, records = export.begin(), 0
        async with aclosing(self._reading.export(company_id, start, end)) as items:
            async for item in items:
                records += not isinstance(item, Head)
                chunk += export.write(item)
                if len(chunk) >= _CHUNK_SIZE_BYTES:
                    yield codec.encode_chunk(export.content_type, chunk)
                    chunk = b""
        yield codec.encode_chunk(export.content_type, chunk + export.end(records))

    async def ListAuditHeads(
        self, request: pb.ListAuditHeadsRequest, context: Any
    ) -> pb.ListAuditHeadsResponse:
        page = await self._reading.list_heads(
            log_of(current_caller(), decode_optional_id(request.company_id)),
            before=codec.decode_before(request),
            limit=request.page_size or PAGE_SIZE_DEFAULT,
        )
        return codec.encode_heads(page, request)

    async def VerifyAuditLog(
        self, request: pb.VerifyAuditLogRequest, context: Any
    ) -> pb.VerifyAuditLogResponse:
        verdict = await self._reading.verify(
            log_of(current_caller(), decode_optional_id(request.company_id)),
            after=request.after_sequence,
        )
        return codec.encode_verdict(verdict)
