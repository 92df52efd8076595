"""The life of an API key, through the real gateway."""

from typing import Any

import httpx
import pytest

from services.chassis.identity import Role
from tests.fixtures.platform import PASSWORD, Platform
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(120)

REVOKED_WITHIN_S = 5.0
"""What the product promises."""


def reason_of(response: httpx.Response) -> str:
    """Return why a call was refused, nothing if it wasn't."""
    if response.status_code == httpx.codes.OK:
        return ""
    return str(response.json()["details"][0]["reason"])


def with_token(platform: Platform, method: str, path: str, token: str, body: Any = None) -> str:
    """Call with a token; return why that was refused."""
    headers = {"authorization": f"Bearer {token}"}
    return reason_of(platform.client.request(method, path, json=body, headers=headers))


def test_a_key_opens_what_its_scopes_name_and_dies_within_seconds(platform: Platform) -> None:
    """It is made, exchanged, used and revoked over REST; beyond its scopes it opens nothing."""
    company_id = platform.company()
    admin = platform.member(Role.COMPANY_ADMIN, company_id)
    other_id = platform.company()
    wanted = {"displayName": "Warehouse", "role": "ROLE_MANAGER", "scopes": ["companies:read"]}
    headers = {"authorization": f"Bearer {admin.token}"}

    refused = platform.client.post(
        "/v1/apiKeys", json={"apiKey": wanted, "currentPassword": "a guess"}, headers=headers
    )
    assert reason_of(refused) == "CREDENTIALS_INVALID"
    made = platform.call(
        "POST", "/v1/apiKeys", {"apiKey": wanted, "currentPassword": PASSWORD}, token=admin.token
    )
    key_id, secret_key = made["apiKey"]["keyId"], made["secretKey"]
    granted = platform.call("POST", "/v1/auth:exchangeApiKey", {"secretKey": secret_key}, token="")
    token = granted["accessToken"]
    assert (granted["companyId"], granted["scopes"]) == (company_id, ["companies:read"])

    assert with_token(platform, "GET", "/v1/vehicles", token) == ""
    assert with_token(platform, "GET", f"/v1/companies/{company_id}", token) == ""
    assert with_token(platform, "GET", f"/v1/companies/{other_id}", token) == "COMPANY_NOT_FOUND"
    vehicle = {"vehicle": {"plate": "AA-00-AA"}}
    assert with_token(platform, "POST", "/v1/vehicles", token, vehicle) == "SCOPE_MISSING"
    assert with_token(platform, "GET", "/v1/users", token) == "SCOPE_MISSING"
    assert with_token(platform, "GET", "/v1/me", token) == "API_KEY_REFUSED"
    assert with_token(platform, "GET", "/v1/apiKeys", token) == "API_KEY_REFUSED"

    platform.call("POST", f"/v1/apiKeys/{key_id}:revoke", {}, token=admin.token)
    eventually(
        lambda: with_token(platform, "GET", "/v1/vehicles", token) == "TOKEN_REVOKED",
        "the end of the key's token",
        patience_s=REVOKED_WITHIN_S,
    )
    again = platform.client.post("/v1/auth:exchangeApiKey", json={"secretKey": secret_key})
    assert reason_of(again) == "API_KEY_INVALID"
