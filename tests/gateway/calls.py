"""Calls of any RPC in the three forms that the gateway understands."""

import base64
import json
import os
import struct
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.message import Message

from gateway.contract import Rpc
from gateway.openapi.examples import request_example
from gateway.openapi.schemas import Types
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services

RAW = "application/x-protobuf"
GRPC_WEB = "application/grpc-web+proto"
_TRAILERS = 0x80
_PATIENCE_S = 20
_HTTP2 = Path(__file__).with_name("http2_request.js")


@dataclass(frozen=True, slots=True)
class RestCall:
    """A REST call, and the message that it means."""

    verb: str
    path: str
    message: Message
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def send(self, client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
        """Send it."""
        return client.request(
            self.verb, self.path, params=self.query, json=self.body, headers=headers
        )


def rest_call(rpc: Rpc, services: Services) -> RestCall:
    """Make a REST call of an RPC from its example."""
    assert rpc.binding is not None
    types = Types(services.files)
    example = request_example(types, rpc.input_type)
    message = json_format.ParseDict(
        example, services.message(rpc.input_type), descriptor_pool=services.pool
    )
    path, rest = rpc.binding.template, dict(example)
    for variable in [part.partition("}")[0] for part in path.split("{")[1:]]:
        value, target = str(uuid.UUID(int=7)), message
        *parents, last = variable.split(".")
        for parent in parents:
            target = getattr(target, parent)
        if last == "sensor":
            value = "coolant_temperature_c"
        setattr(target, last, value)
        path = path.replace("{" + variable + "}", value)
        rest.pop(variable, None)
        rest.pop(_camel(variable), None)
    body = None
    if rpc.binding.body == "*":
        body = rest
    elif rpc.binding.body:
        body = rest.pop(rpc.binding.body)
    query = {} if rpc.binding.body == "*" else {key: str(value) for key, value in rest.items()}
    return RestCall(rpc.binding.verb, path, message, query, body)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def token_for(rpc: Rpc, mint: TokenMint) -> str | None:
    """Issue a token that opens an RPC, if it needs one."""
    if rpc.public:
        return None
    return mint.device(uuid.uuid4()) if rpc.for_devices else mint.user(Role.MASTER)


def wrong_token_for(rpc: Rpc, mint: TokenMint) -> str:
    """Issue a good token of another kind of caller."""
    return mint.user(Role.MASTER) if rpc.for_devices else mint.device(uuid.uuid4())


def authorization(token: str | None) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"authorization": f"Bearer {token}"} if token else {}


def native_call(
    channel: grpc.Channel, rpc: Rpc, body: bytes, headers: dict[str, str]
) -> list[bytes]:
    """Call an RPC over gRPC; return the messages."""
    if not rpc.server_streaming:
        return [native_unary(channel, rpc.path, body, headers)]
    method: Any = channel.unary_stream(rpc.path)
    return list(method(body, metadata=tuple(headers.items()), timeout=_PATIENCE_S))


def native_unary(
    channel: grpc.Channel, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """Call a method that answers with one message; return it, serialized."""
    method: Any = channel.unary_unary(path)
    answer: bytes = method(body, metadata=tuple((headers or {}).items()), timeout=_PATIENCE_S)
    return answer


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a gRPC-Web client makes of an answer."""

    http_status: int
    grpc_status: int
    messages: list[bytes]
    headers: httpx.Headers

    @property
    def details(self) -> bytes:
        """The serialized status."""
        text = self.headers["grpc-status-details-bin"]
        return base64.b64decode(text + "=" * (-len(text) % 4))


def web_frame(body: bytes) -> bytes:
    """Return a message as gRPC-Web sends it."""
    return struct.pack(">BI", 0, len(body)) + body


def web_frames(content: bytes) -> tuple[list[bytes], dict[str, str]]:
    """Return the messages and the trailers in what gRPC-Web sent."""
    messages, trailers = [], {}
    while content:
        flags, length = struct.unpack(">BI", content[:5])
        frame, content = content[5 : 5 + length], content[5 + length :]
        if flags & _TRAILERS:
            trailers = dict(line.split(":", 1) for line in frame.decode().split("\r\n") if line)
        else:
            messages.append(frame)
    return messages, trailers


def web_call(
    client: httpx.Client, rpc: Rpc, body: bytes, headers: dict[str, str] | None = None
) -> WebAnswer:
    """Call an RPC over gRPC-Web."""
    response = client.post(
        rpc.path, content=web_frame(body), headers={"content-type": GRPC_WEB} | (headers or {})
    )
    messages, trailers = web_frames(response.content)
    status = response.headers.get("grpc-status", trailers.get("grpc-status"))
    assert status is not None, response.text
    return WebAnswer(response.status_code, int(status), messages, response.headers)


def http2_status(url: str, headers: dict[str, str], body: str = "") -> int:
    """Send a request over HTTP/2, which Python's clients here don't speak; return the status."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    finished = subprocess.run(
        ["node", str(_HTTP2)],  # noqa: S607 - the wheel's, beside the interpreter
        input=json.dumps({"url": url, "headers": headers, "body": body}),
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE_S,
        env={"PATH": programs},
    )
    status: int = json.loads(finished.stdout)["status"]
    return status
