"""What Envoy answers by itself, in the shape that services' errors have.

Each reply comes in two forms. REST clients and gRPC-Web clients get a status code and the JSON of
a `google.rpc.Status`. Native gRPC clients get trailers, so their form leaves the message as plain
text and puts the same status, serialized, into `grpc-status-details-bin`.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from gateway.extensions import CEL_FILTER, Config, header, typed

DOMAIN = "dashtrack"
RETRY_AFTER_S = 1

# The transcoder has made a gRPC request of a REST call by then, and left the old path behind.
_NATIVE_GRPC = (
    "(request.headers['content-type'].startsWith('application/grpc')"
    " && !('x-envoy-original-path' in request.headers))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One kind of refusal by Envoy, and the words for it."""

    reason: str
    code: int
    """A `google.rpc.Code`."""
    http_status: int
    message: str
    statuses: Sequence[int]
    """The statuses that Envoy gives it."""
    detail: str = ""
    """A part of Envoy's response code details that tells it from others of its status."""
    grpc_code: int | None = None
    """What native gRPC clients get, if not `code`."""
    retry: bool = False

    @property
    def condition(self) -> str:
        """The CEL expression that recognizes it."""
        codes = " || ".join(f"response.code == {status}" for status in self.statuses)
        if not self.detail:
            return f"({codes})"
        return f"({codes}) && response.code_details.contains('{self.detail}')"


# The first that fits is taken, so the particular stand before the general.
REPLIES: Sequence[Reply] = (
    Reply(
        reason="UNAVAILABLE",
        code=code_pb2.UNAVAILABLE,
        http_status=503,
        message="The keys that verify tokens are not known yet.",
        statuses=(401,),
        detail="Jwks_remote_fetch_is_failed",
        retry=True,
    ),
    Reply(
        reason="TOKEN_MISSING",
        code=code_pb2.UNAUTHENTICATED,
        http_status=401,
        message="The call needs a bearer token.",
        statuses=(401,),
        detail="Jwt_is_missing",
    ),
    Reply(
        reason="TOKEN_EXPIRED",
        code=code_pb2.UNAUTHENTICATED,
        http_status=401,
        message="The token has expired.",
        statuses=(401,),
        detail="Jwt_is_expired",
    ),
    Reply(
        reason="TOKEN_INVALID",
        code=code_pb2.UNAUTHENTICATED,
        http_status=401,
        message="The token is not one of ours or was altered.",
        statuses=(401,),
    ),
    Reply(
        reason="TOKEN_AUDIENCE",
        code=code_pb2.PERMISSION_DENIED,
        http_status=403,
        message="The token is for another kind of caller.",
        statuses=(403,),
        detail="Audiences_in_Jwt_are_not_allowed",
    ),
    Reply(
        reason="PERMISSION_DENIED",
        code=code_pb2.PERMISSION_DENIED,
        http_status=403,
        message="This is not open to the caller.",
        statuses=(403,),
    ),
    Reply(
        reason="ROUTE_NOT_FOUND",
        code=code_pb2.NOT_FOUND,
        grpc_code=code_pb2.UNIMPLEMENTED,
        http_status=404,
        message="Nothing is served at this path with this verb.",
        statuses=(404,),
    ),
    Reply(
        reason="REQUEST_TOO_LARGE",
        code=code_pb2.INVALID_ARGUMENT,
        http_status=413,
        message="The body is larger than the method takes.",
        statuses=(413,),
    ),
    Reply(
        reason="REQUEST_TOO_LARGE",
        code=code_pb2.INVALID_ARGUMENT,
        http_status=431,
        message="The headers are larger than the gateway takes.",
        statuses=(431,),
    ),
    Reply(
        reason="RATE_LIMITED",
        code=code_pb2.RESOURCE_EXHAUSTED,
        http_status=429,
        message="Too many requests.",
        statuses=(429,),
        retry=True,
    ),
    Reply(
        reason="DEADLINE_EXCEEDED",
        code=code_pb2.DEADLINE_EXCEEDED,
        http_status=504,
        message="The call did not end in its time.",
        statuses=(408, 504),
    ),
    Reply(
        reason="UNAVAILABLE",
        code=code_pb2.UNAVAILABLE,
        http_status=503,
        message="A part of the system does not answer.",
        statuses=(500, 502, 503),
        retry=True,
    ),
    Reply(
        reason="INVALID_ARGUMENT",
        code=code_pb2.INVALID_ARGUMENT,
        http_status=400,
        # What the transcoder says about the JSON or the parameters helps.
        message="The request is malformed: %LOCAL_REPLY_BODY%",
        statuses=(400,),
        detail="grpc_json_transcode_failure",
    ),
    Reply(
        reason="INVALID_ARGUMENT",
        code=code_pb2.INVALID_ARGUMENT,
        http_status=400,
        message="The request is malformed.",
        statuses=(400,),
    ),
)


def reasons() -> frozenset[str]:
    """Return every reason that the gateway answers by itself."""
    return frozenset(reply.reason for reply in REPLIES)


def local_reply_config() -> Config:
    """Return Envoy's configuration of its own replies."""
    return {"mappers": [mapper for reply in REPLIES for mapper in _mappers(reply)]}


def _mappers(reply: Reply) -> Iterator[Config]:
    yield {
        "filter": _filter(f"{_NATIVE_GRPC} && {reply.condition}"),
        "headers_to_add": [
            *_headers(reply),
            # Envoy's own choice for some of these is UNKNOWN.
            header("grpc-status", str(_grpc_code(reply))),
            header("grpc-status-details-bin", _packed(reply)),
        ],
        "body_format_override": {"text_format_source": {"inline_string": reply.message}},
    }
    yield {
        "filter": _filter(reply.condition),
        "status_code": reply.http_status,
        "headers_to_add": _headers(reply),
        "body_format_override": {
            "json_format": _status_json(reply),
            "content_type": "application/json",
        },
    }


def _grpc_code(reply: Reply) -> int:
    return reply.code if reply.grpc_code is None else reply.grpc_code


def _filter(condition: str) -> Config:
    expression = typed(CEL_FILTER, expression=condition)
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel"} | expression}


def _headers(reply: Reply) -> list[Config]:
    headers = [header("x-dashtrack-reason", reply.reason)]
    if reply.retry:
        headers.append(header("retry-after", str(RETRY_AFTER_S)))
    return headers


def _status_json(reply: Reply) -> Config:
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reply.reason,
            "domain": DOMAIN,
            "metadata": {},
        }
    ]
    if reply.retry:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": f"{RETRY_AFTER_S}s",
            }
        )
    return {"code": reply.code, "message": reply.message, "details": details}


def _packed(reply: Reply) -> str:
    status = status_pb2.Status(code=_grpc_code(reply), message=reply.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reply.reason, domain=DOMAIN))
    if reply.retry:
        delay = duration_pb2.Duration(seconds=RETRY_AFTER_S)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return base64.b64encode(status.SerializeToString(deterministic=True)).decode().rstrip("=")
