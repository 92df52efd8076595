"""Opaque page tokens: where a list goes on, sealed together with the request that it belongs to.

A token is signed, so a service may trust the shape of what it decodes, and bound to a fingerprint
of the request, so a token that is used with other filters is refused rather than misread.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from services.chassis.errors import FieldViolation, InvalidArgument

PAGE_SIZE_DEFAULT = 50
"""How many entries a page has for which nobody said how many."""

_VERSION = 1
_MAC_SIZE_BYTES = 12
_TOKEN_LENGTH_MAX = 4096

# Until a service installs the key that its replicas share, tokens live as long as the process.
_keys = {_VERSION: secrets.token_bytes(32)}


class PageTokenInvalid(InvalidArgument):
    """The page token was not made for this list with these filters, or was tampered with."""

    reason = "PAGE_TOKEN_INVALID"

    def __init__(self) -> None:
        """Point at the field; there is nothing more to tell about a token that can't be read."""
        description = "This is not a page token of this list with these filters and this order."
        super().__init__(description, violations=[FieldViolation("page_token", description)])


def install_page_token_key(secret: str) -> None:
    """Derive the signing key from a secret that all replicas of the service share."""
    _keys[_VERSION] = hashlib.blake2b(secret.encode(), person=b"page-tokens").digest()


def fingerprint(request: Message) -> str:
    """Digest what a list request asks for, apart from which page of it and how long that is."""
    question = type(request)()
    question.CopyFrom(request)
    for field in ("page_token", "page_size"):
        if field in question.DESCRIPTOR.fields_by_name:
            question.ClearField(field)
    name = question.DESCRIPTOR.full_name.encode()
    return hashlib.blake2b(
        name + b"\0" + question.SerializeToString(deterministic=True)
    ).hexdigest()


def encode_page_token(payload: Mapping[str, str | int], request_fingerprint: str) -> str:
    """Seal the position where the next page starts."""
    body = json.dumps(dict(payload), separators=(",", ":"), sort_keys=True).encode()
    token = bytes([_VERSION]) + _mac(body, request_fingerprint) + body
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode_page_token(token: str, request_fingerprint: str) -> dict[str, str | int]:
    """Open a token made by `encode_page_token` with the same fingerprint.

    Raises:
        PageTokenInvalid: anything else.
    """
    raw = _unarmour(token)
    mac, body = raw[1 : 1 + _MAC_SIZE_BYTES], raw[1 + _MAC_SIZE_BYTES :]
    if raw[:1] != bytes([_VERSION]) or not hmac.compare_digest(
        mac, _mac(body, request_fingerprint)
    ):
        raise PageTokenInvalid
    payload: dict[str, str | int] = json.loads(body)
    return payload


def decode_page_start(request: Any) -> uuid.UUID | None:
    """Read after which id a page of a list that is ordered by ids starts: None at the beginning.

    Args:
        request: a list request, whose `page_token` it is.

    Raises:
        PageTokenInvalid: the token is not one of this list with these filters.
    """
    if not request.page_token:
        return None
    position = decode_page_token(request.page_token, fingerprint(request))
    try:
        return uuid.UUID(str(position["after"]))
    except (KeyError, ValueError) as err:
        raise PageTokenInvalid from err


def encode_next_page(after: uuid.UUID | None, request: Message) -> str:
    """Write the token of the page after this id: empty if there is none."""
    return "" if after is None else encode_page_token({"after": str(after)}, fingerprint(request))


def _unarmour(token: str) -> bytes:
    if len(token) > _TOKEN_LENGTH_MAX:
        raise PageTokenInvalid
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as err:
        raise PageTokenInvalid from err
    # Base64 leaves bits over at its end: only the spelling that we produce is accepted.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        raise PageTokenInvalid
    return raw


def _mac(body: bytes, request_fingerprint: str) -> bytes:
    digest = hashlib.blake2b(key=_keys[_VERSION], digest_size=_MAC_SIZE_BYTES)
    digest.update(len(request_fingerprint).to_bytes(4, "big"))
    digest.update(request_fingerprint.encode())
    digest.update(body)
    return digest.digest()
