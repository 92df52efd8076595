"""What JSON looks like in and out, and what is made of JSON that is not right."""

from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract import Rpc
from services.chassis.identity import Role
from tests.fixtures.tokens import TokenMint
from tests.gateway.backend import Services
from tests.gateway.calls import authorization, rest_call, token_for
from tests.gateway.golden import assert_golden

SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_DOUBLE: 1.5,
    FieldDescriptor.CPPTYPE_FLOAT: float("nan"),
    FieldDescriptor.CPPTYPE_INT32: -7,
    FieldDescriptor.CPPTYPE_INT64: -9007199254740993,
    FieldDescriptor.CPPTYPE_STRING: "é",
    FieldDescriptor.CPPTYPE_UINT32: 7,
    FieldDescriptor.CPPTYPE_UINT64: 9007199254740993,
}

MOMENT = Timestamp(seconds=1_772_366_400, nanos=123_456_000)


def filled(message: Message) -> Message:
    """Set every field, of a oneof the first."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        message.MergeFromString(MOMENT.SerializeToString())
        return message
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof and message.WhichOneof(oneof.name):
            continue
        if field.message_type:
            held = getattr(message, field.name)
            filled(held.add() if field.is_repeated else held)
            if not field.is_repeated:
                held.SetInParent()
            continue
        value = SCALARS.get(field.cpp_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            value = b"\x00\xff"
        if field.enum_type:
            value = field.enum_type.values[-1].number
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


def answers(
    rpcs: list[Rpc], services: Services, rest: httpx.Client, mint: TokenMint
) -> dict[str, Any]:
    """Return the JSON of every RPC's answer."""
    found = {}
    for rpc in rpcs:
        if rpc.raw or rpc.server_streaming or rpc.output_type == ".google.api.HttpBody":
            continue
        response = rest_call(rpc, services).send(rest, authorization(token_for(rpc, mint)))
        assert response.headers["content-type"] == "application/json"
        assert response.is_success, (rpc.label, response.text)
        found[rpc.label] = response.json()
    return found


def test_answers_with_every_field_set(
    rpcs: list[Rpc], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Names, 64-bit numbers, enums, times and bytes are written as they were promised."""
    for rpc in rpcs:

        async def answer(_: Message, __: Any, rpc: Rpc = rpc) -> Message:
            return filled(services.message(rpc.output_type))

        services.answers[rpc.label] = answer

    assert_golden("answers_filled.json", answers(rpcs, services, rest, token_mint))


def test_answers_with_no_field_set(
    rpcs: list[Rpc], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """Fields with their default value are there: a client needs no knowledge of defaults."""
    assert_golden("answers_empty.json", answers(rpcs, services, rest, token_mint))


def test_unknown_fields_of_a_body_are_ignored(services: Services, rest: httpx.Client) -> None:
    """A newer client's field does no harm; a misspelt one is not noticed, as documented."""
    response = rest.post("/v1/auth:login", json={"email": "ana@example.com", "emial": {"x": []}})

    assert response.status_code == httpx.codes.OK
    (call,) = services.calls
    assert call.request == services.message(
        ".dashtrack.auth.v1.LoginRequest", email="ana@example.com"
    )


@pytest.mark.parametrize(
    "body",
    [b"{bad", b"[]", b'"text"', b'{"email": 3}', b'{"email": {"a": 1}}', b"\xff\xfe", b"{" * 300],
    ids=["syntax", "list", "text", "number", "object", "not-utf-8", "deep"],
)
def test_malformed_json_is_refused(body: bytes, services: Services, rest: httpx.Client) -> None:
    """The answer is 400 with the usual shape; the service sees nothing."""
    response = rest.post("/v1/auth:login", content=body)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.json()["code"] == 3
    assert response.json()["details"][0]["reason"] == "INVALID_ARGUMENT"
    assert services.calls == []


def test_no_body_is_an_empty_message(services: Services, rest: httpx.Client) -> None:
    """What is missing is for the service to say."""
    assert rest.post("/v1/auth:login").status_code == httpx.codes.OK
    assert services.calls[0].request == services.message(".dashtrack.auth.v1.LoginRequest")


@pytest.mark.parametrize("query", [{"pageSize": "7"}, {"page_size": "7"}])
def test_query_parameters_may_be_written_both_ways(
    query: dict[str, str], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """The names of JSON and the names of the contract are both understood."""
    headers = authorization(token_mint.user(Role.MASTER))

    assert rest.get("/v1/users", params=query, headers=headers).status_code == httpx.codes.OK
    assert services.calls[0].request == services.message(
        ".dashtrack.users.v1.ListUsersRequest", page_size=7
    )


@pytest.mark.parametrize("query", [{"limit": "7"}, {"pageSize": "many"}, {"pageSize": "1e99"}])
def test_unknown_and_malformed_query_parameters_are_refused(
    query: dict[str, str], services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A filter that is not understood must not be left out in silence."""
    headers = authorization(token_mint.user(Role.MASTER))

    response = rest.get("/v1/users", params=query, headers=headers)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.json()["details"][0]["reason"] == "INVALID_ARGUMENT"
    assert services.calls == []


@pytest.mark.parametrize("mask", ["displayName,role", "display_name,role"])
def test_an_update_mask_is_a_list_of_paths(
    mask: str, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A PATCH names what it changes in the query."""
    headers = authorization(token_mint.user(Role.MASTER))

    response = rest.patch(
        "/v1/users/01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10",
        params={"updateMask": mask},
        json={"displayName": "Ana"},
        headers=headers,
    )

    assert response.status_code == httpx.codes.OK, response.text
    request: Any = services.calls[0].request
    assert list(request.update_mask.paths) == ["display_name", "role"]
    assert request.user.display_name == "Ana"


@pytest.mark.parametrize("mask", ["security.twoFactorRoles", "security.two_factor_roles"])
def test_an_update_mask_reaches_into_messages(
    mask: str, services: Services, rest: httpx.Client, token_mint: TokenMint
) -> None:
    """A path may be written with the names of JSON or those of the contract, part by part."""
    headers = authorization(token_mint.user(Role.MASTER))

    response = rest.patch(
        "/v1/companies/01980f5a-7d1c-7a0e-9b1f-3f2f6c1f0a10",
        params={"updateMask": mask},
        json={"security": {"twoFactorRoles": ["ROLE_DRIVER"]}},
        headers=headers,
    )

    assert response.status_code == httpx.codes.OK, response.text
    request: Any = services.calls[0].request
    assert list(request.update_mask.paths) == ["security.two_factor_roles"]
