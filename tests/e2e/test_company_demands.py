"""What a company demands of its people, and its end, through the real gateway."""

import base64
import time
from typing import Any

import httpx
import pytest

from services.auth.domain.totp import totp_code
from services.chassis.identity import Role
from tests.fixtures.platform import PASSWORD, Member, Platform, reading_batch
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(120)


def reason_of(response: httpx.Response) -> str:
    """Return why a call was refused, nothing if it wasn't."""
    if response.status_code == httpx.codes.OK:
        return ""
    return str(response.json()["details"][0]["reason"])


def log_in(platform: Platform, address: str, **codes: str) -> httpx.Response:
    """Try to log in."""
    body = {"email": address, "password": PASSWORD, **codes}
    return platform.client.post("/v1/auth:login", json=body)


def bearer(session: Any) -> dict[str, str]:
    """Make the header that carries a session's access token."""
    return {"authorization": f"Bearer {session['accessToken']}"}


def test_a_restricted_session_can_not_get_around_its_restriction(platform: Platform) -> None:
    """Whichever route it takes; it enrols, and is like any other."""
    company_id = platform.company()
    person = platform.member(Role.MANAGER, company_id)
    rule = {"security": {"twoFactorRoles": ["ROLE_MANAGER"]}}
    platform.call("PATCH", f"/v1/companies/{company_id}?updateMask=security", rule)

    def restricted() -> Any:
        session = log_in(platform, person.address).json()
        return session if session["restriction"].endswith("TWO_FACTOR_ENROLLMENT") else None

    session = eventually(restricted, "the rule")
    for path in ("/v1/me", "/v1/users", "/v1/vehicles", "/v1/devices", "/v1/readings:watch"):
        response = platform.client.get(path, headers=bearer(session))
        assert response.status_code == httpx.codes.FORBIDDEN
        assert reason_of(response) == "TWO_FACTOR_ENROLLMENT_REQUIRED"

    enrollment = platform.client.post(
        "/v1/auth/totp:enroll", json={"currentPassword": PASSWORD}, headers=bearer(session)
    ).json()
    code = totp_code(base64.b32decode(enrollment["secret"]), int(time.time()) // 30)
    confirmed = platform.client.post(
        "/v1/auth/totp:confirm", json={"totpCode": code}, headers=bearer(session)
    )
    assert len(confirmed.json()["backupCodes"]) == 10
    session = platform.client.post(
        "/v1/auth:refresh", json={"refreshToken": session["refreshToken"]}
    ).json()
    assert session["restriction"] == "RESTRICTION_UNSPECIFIED"
    assert reason_of(platform.client.get("/v1/me", headers=bearer(session))) == ""


def eventually_reason(platform: Platform, person: Member, reason: str) -> None:
    """Wait until a login is refused for a reason, or for none isn't."""
    eventually(lambda: reason_of(log_in(platform, person.address)) == reason, reason or "a login")


def test_a_company_is_suspended_resumed_and_deleted(platform: Platform) -> None:
    """Its people and boards are shut out, come back, and are forgotten by auth."""
    company_id = platform.company()
    person, board = platform.member(Role.COMPANY_ADMIN, company_id), platform.board(company_id)
    path = f"/v1/companies/{company_id}"

    platform.call("POST", f"{path}:suspend", {})
    eventually_reason(platform, person, "COMPANY_SUSPENDED")
    body = reading_batch().SerializeToString()
    eventually(
        lambda: platform.upload(board, body).status_code != httpx.codes.OK, "the end of uploads"
    )
    platform.call("POST", f"{path}:resume", {})
    eventually_reason(platform, person, "")
    platform.call("POST", f"{path}:suspend", {})
    platform.call("DELETE", path)

    def erased() -> bool:
        steps = platform.call("GET", path)["deletion"]["steps"]
        return any(step["service"] == "auth" and step.get("doneTime") for step in steps)

    eventually(erased, "the erasure in auth")
    eventually_reason(platform, person, "CREDENTIALS_INVALID")
