"""Which errors an RPC answers with, from its comment and from what holds for all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from google.protobuf import descriptor_pb2
from google.rpc import code_pb2

from gateway.contract import Rpc, leading_comments
from gateway.openapi.schemas import STATUS, Schema, reference
from gateway.replies import DOMAIN

_REASON_FILE = "dashtrack/errors/v1/error_reason.proto"
_PREFIX = "ERROR_REASON_"
_HTTP_STATUS: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_ALWAYS = (
    "INVALID_ARGUMENT",
    "REQUEST_TOO_LARGE",
    "RATE_LIMITED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
)
_WITH_TOKEN = ("TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_REVOKED", "TOKEN_AUDIENCE")
_FOR_PEOPLE = ("PERMISSION_DENIED",)
_UNLESS_OPEN_TO_RESTRICTED = ("TWO_FACTOR_ENROLLMENT_REQUIRED",)
_LISTED = re.compile(r"\n\s*Errors: (?P<reasons>[^.]*)\.", re.DOTALL)
_REASON = re.compile(r"(?P<name>[A-Z][A-Z_]+[A-Z])(?: \((?P<http>\d{3})\))?")
_STATUS = re.compile(r"Status (?P<code>[A-Z_]+)(?:, (?P<http>\d{3}))?")


_STATUS_SENTENCE = re.compile(r" Status [A-Z_]+[^.]*\.")


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of the catalogue."""

    name: str
    text: str
    code: str
    http_status: int


def catalogue(files: descriptor_pb2.FileDescriptorSet) -> Mapping[str, Reason]:
    """Return every reason of the contract."""
    file = next(file for file in files.file if file.name == _REASON_FILE)
    comments = leading_comments(file)
    found = {}
    for index, value in enumerate(file.enum_type[0].value):
        name = value.name.removeprefix(_PREFIX)
        text = comments.get((5, 0, 2, index), "").split("\n\n")[0]
        status = _STATUS.search(" ".join(text.split()))
        if status:
            http_status = int(status["http"] or _HTTP_STATUS[status["code"]])
            _, _, said = _STATUS_SENTENCE.sub("", " ".join(text.split())).partition(": ")
            found[name] = Reason(name, said, status["code"], http_status)
    return found


def reasons(rpc: Rpc, known: Mapping[str, Reason], comments: Mapping[str, str]) -> Sequence[Reason]:
    """Return the reasons that a call may fail for, the particular first."""
    listed = _listed(rpc.comment, comments)
    names = [*listed, *_ALWAYS]
    if not rpc.public:
        names += _WITH_TOKEN
    if rpc.access.roles:
        names += _FOR_PEOPLE
        if not rpc.access.open_to:
            names += _UNLESS_OPEN_TO_RESTRICTED
        names.append("SCOPE_MISSING" if rpc.scope else "API_KEY_REFUSED")
    return [_reason(known[name], listed.get(name)) for name in dict.fromkeys(names)]


def _reason(reason: Reason, http_status: int | None) -> Reason:
    """Return the reason with the status that this RPC gives it, where that isn't the usual one."""
    return reason if http_status is None else replace(reason, http_status=http_status)


def _listed(comment: str, comments: Mapping[str, str]) -> dict[str, int | None]:
    found = _LISTED.search("\n" + comment)
    if not found:
        return {}
    text = found["reasons"]
    other = re.match(r"those of (\w+)", text)
    inherited = _listed(comments[other[1]], comments) if other else {}
    own = {
        item["name"]: int(item["http"]) if item["http"] else None for item in _REASON.finditer(text)
    }
    return inherited | own


def responses(failures: Sequence[Reason]) -> dict[str, Schema]:
    """Return the document's responses, by status."""
    by_status: dict[int, list[Reason]] = {}
    for failure in failures:
        by_status.setdefault(failure.http_status, []).append(failure)
    return {str(status): _response(group) for status, group in sorted(by_status.items())}


def _response(group: Sequence[Reason]) -> Schema:
    lines = [f"- `{reason.name}`: {reason.text}" for reason in group]
    response: Schema = {
        "description": "\n".join(lines),
        "content": {
            "application/json": {
                "schema": reference(STATUS),
                "examples": {
                    reason.name: {"$ref": f"#/components/examples/{reason.name}"}
                    for reason in group
                },
            }
        },
    }
    if group[0].http_status in {429, 503}:
        response["headers"] = {
            "retry-after": {
                "description": "Seconds to wait before the next try.",
                "schema": {"type": "integer"},
            }
        }
    return response


def examples(known: Mapping[str, Reason]) -> dict[str, Schema]:
    """Return an error for each reason."""
    return {name: {"value": _example(reason)} for name, reason in sorted(known.items())}


def _example(reason: Reason) -> Schema:
    return {
        "code": code_pb2.Code.Value(reason.code),
        "message": "What happened, in words for people.",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason.name,
                "domain": DOMAIN,
                "metadata": {},
            }
        ],
    }


def without_list(comment: str) -> str:
    """Return a comment without its list of errors."""
    return _LISTED.sub("", "\n" + comment).strip()
