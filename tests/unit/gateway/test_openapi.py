"""The OpenAPI document is valid, complete, and true to the contract."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from gateway import contract, openapi
from gateway.contract import Rpc

BASE = "urn:openapi"


@pytest.fixture(scope="module")
def files() -> descriptor_pb2.FileDescriptorSet:
    """The compiled contract."""
    return contract.load()


@pytest.fixture(scope="module")
def document(files: descriptor_pb2.FileDescriptorSet) -> dict[str, Any]:
    """The document."""
    return openapi.document(files)


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every operation of the contract."""
    for path in document["paths"].values():
        for operation in path.values():
            if "x-dashtrack-rpc" in operation:
                yield operation


def bound(files: descriptor_pb2.FileDescriptorSet) -> dict[str, Rpc]:
    """Return the RPCs that have a path, by label."""
    return {rpc.label: rpc for rpc in contract.public_rpcs(files) if rpc.binding}


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It is what tools expect of OpenAPI 3.1."""
    validate(document)


def test_the_document_is_the_same_each_time(files: descriptor_pb2.FileDescriptorSet) -> None:
    """Its ETag changes when the contract does, and only then."""
    assert openapi.document_bytes(files) == openapi.document_bytes(contract.load())


def test_every_path_of_the_contract_is_in_it(
    files: descriptor_pb2.FileDescriptorSet, document: dict[str, Any]
) -> None:
    """Typed methods have an operation; those for plain bodies are a content type of theirs."""
    described = {operation["x-dashtrack-rpc"] for operation in operations(document)}

    assert described == {label for label, rpc in bound(files).items() if not rpc.raw}
    upload = document["paths"]["/v1/telemetry"]["post"]
    assert "application/x-protobuf" in upload["requestBody"]["content"]
    assert "application/x-protobuf" in upload["responses"]["200"]["content"]


def test_access_rules_are_in_it(
    files: descriptor_pb2.FileDescriptorSet, document: dict[str, Any]
) -> None:
    """Who needs a token, of which kind, and which roles it must carry."""
    rpcs = bound(files)
    for operation in operations(document):
        rpc = rpcs[operation["x-dashtrack-rpc"]]
        assert bool(operation["security"]) != rpc.public
        assert len(operation.get("x-dashtrack-roles", [])) == len(rpc.access.roles)
        assert "401" in operation["responses"] or rpc.public
        restricted = "TWO_FACTOR_ENROLLMENT_REQUIRED" in json.dumps(operation["responses"])
        assert restricted == (bool(rpc.access.roles) and not rpc.access.open_to)


def test_errors_of_the_comments_are_in_it(document: dict[str, Any]) -> None:
    """A reason that a comment names stands under its status, with an example."""
    login = document["paths"]["/v1/auth:login"]["post"]
    upload = document["paths"]["/v1/telemetry"]["post"]

    assert "CREDENTIALS_INVALID" in login["responses"]["401"]["description"]
    assert "LOGIN_THROTTLED" in login["responses"]["429"]["description"]
    assert "retry-after" in login["responses"]["429"]["headers"]
    assert "COMPANY_SUSPENDED" in login["responses"]["403"]["description"]
    assert "BATCH_TOO_LARGE" in upload["responses"]["413"]["description"]
    assert "CONTENT_ENCODING_INVALID" in upload["responses"]["400"]["description"]
    example = document["components"]["examples"]["CREDENTIALS_INVALID"]["value"]
    assert example["details"][0]["reason"] == "CREDENTIALS_INVALID"
    assert "Errors:" not in json.dumps(document)


def test_limits_of_the_contract_are_in_it(document: dict[str, Any]) -> None:
    """A client can check a request before it sends it."""
    schemas = document["components"]["schemas"]
    login = schemas["auth.v1.LoginRequest"]
    page_size = document["paths"]["/v1/users"]["get"]["parameters"][0]

    assert login["required"] == ["email", "password"]
    assert login["properties"]["email"]["maxLength"] == 254
    assert page_size["name"] == "pageSize"
    assert (page_size["schema"]["minimum"], page_size["schema"]["maximum"]) == (0, 1000)
    assert schemas["device.v1.ReadingBatch"]["properties"]["sensors"]["maxItems"] == 64
    emails = schemas["companies.v1.AlertDefaults"]["properties"]["emails"]
    assert emails["uniqueItems"]
    nonce = schemas["device.v1.ClaimDeviceRequest"]["properties"]["nonce"]
    assert (nonce["minLength"], nonce["maxLength"]) == (22, 24)


def test_documents_have_their_own_content_type(document: dict[str, Any]) -> None:
    """What is no message of the contract is described by the type that its comment names."""
    keys = document["paths"]["/.well-known/jwks.json"]["get"]

    assert list(keys["responses"]["200"]["content"]) == ["application/jwk-set+json"]


def test_examples_obey_the_schemas(document: dict[str, Any]) -> None:
    """What the document shows is what it demands."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Any = Registry().with_resource(BASE, resource)
    checked = 0
    for operation in operations(document):
        contents = [operation.get("requestBody", {}), operation["responses"]["200"]]
        for content in contents:
            media = content.get("content", {}).get("application/json", {})
            if "example" not in media:
                continue
            schema = json.loads(json.dumps(media["schema"]).replace('"#/', f'"{BASE}#/'))
            Draft202012Validator(schema, registry=registry).validate(media["example"])
            checked += 1

    assert checked > 40
