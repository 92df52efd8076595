"""Upload bodies as they arrive: plain or gzip, never larger than the limit."""

import zlib

from services.telemetry.domain.batches import BODY_BYTES_MAX
from services.telemetry.domain.errors import BatchEmpty, BatchTooLarge, ContentEncodingInvalid

_GZIP = 16 + zlib.MAX_WBITS


def plain_body(body: bytes, content_encoding: str) -> bytes:
    """Undo the content encoding.

    Raises:
        BatchEmpty: nothing was sent.
        BatchTooLarge: the body is too large, compressed or plain.
        ContentEncodingInvalid: another encoding than gzip, or a damaged body.
    """
    if len(body) > BODY_BYTES_MAX:
        raise BatchTooLarge("body_bytes", limit=BODY_BYTES_MAX, actual=len(body))
    if body and content_encoding not in ("", "identity"):
        if content_encoding.lower() not in ("gzip", "x-gzip"):
            raise ContentEncodingInvalid
        body = _gunzipped(body)
    if not body:
        raise BatchEmpty
    return body


def _gunzipped(body: bytes) -> bytes:
    plain = b""
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            # One byte more than is allowed shows that there is more, without unpacking it.
            plain += member.decompress(body, BODY_BYTES_MAX + 1 - len(plain))
        except zlib.error as err:
            raise ContentEncodingInvalid from err
        if len(plain) > BODY_BYTES_MAX:
            raise BatchTooLarge("body_bytes", limit=BODY_BYTES_MAX, actual=len(plain))
        if not member.eof:
            raise ContentEncodingInvalid
        body = member.unused_data
    return plain
