"""An auditor proves who did what, from an export and a public key."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.chassis.identity import Role
from tests.fixtures.platform import Member, Platform
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.timeout(180)

CREATE_VEHICLE = "companies.VehicleService/CreateVehicle"


@pytest.fixture(scope="module")
def administrator(platform: Platform) -> Member:
    """The administrator of a company."""
    return platform.member(Role.COMPANY_ADMIN, platform.company())


def get(platform: Platform, path: str, member: Member, **query: str) -> httpx.Response:
    """GET something as a member."""
    headers = {"authorization": f"Bearer {member.token}"}
    response = platform.client.get(path, params=query, headers=headers)
    assert response.status_code == 200, response.text
    return response


def added_vehicle(platform: Platform, administrator: Member) -> Any:
    """Add a vehicle; return its record, once it is sealed."""
    headers = {"authorization": f"Bearer {administrator.token}"}
    body = {"vehicle": {"plate": "AU-01-DI"}}
    vehicle = platform.client.post("/v1/vehicles", json=body, headers=headers).json()

    def find() -> list[Any]:
        page = get(platform, "/v1/audit/records", administrator, resourceId=vehicle["vehicleId"])
        records: list[Any] = page.json()["records"]
        return records

    return eventually(find, "the record of a vehicle")[0]


def verify(path: Path, key: str) -> subprocess.CompletedProcess[str]:
    """Verify a file as an auditor does, without any setting of the service."""
    command = [sys.executable, "-m", "services.auth", "verify-audit"]
    return subprocess.run(
        [*command, "--file", str(path), "--key", key],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_auditor_proves_who_did_what(
    platform: Platform, administrator: Member, tmp_path: Path
) -> None:
    """The export is proven with the public key; one changed letter, and it isn't."""
    record = added_vehicle(platform, administrator)
    assert record["action"] == CREATE_VEHICLE
    assert record["actorId"] == administrator.user_id
    assert (record["outcome"], record["changedFields"]) == ("OK", ["plate"])
    assert record["address"]
    response = get(platform, "/v1/audit/records:export", administrator)
    assert response.headers["content-type"] == "application/x-ndjson"
    keys = get(platform, "/v1/audit/heads", administrator).json()["keys"]
    export = tmp_path / "export.ndjson"
    export.write_bytes(response.content)

    proven = verify(export, keys[0]["publicKey"])
    export.write_bytes(response.content.replace(b"CreateVehicle", b"RemoveVehicle"))
    altered = verify(export, keys[0]["publicKey"])

    assert proven.returncode == 0, proven.stderr
    assert proven.stdout.startswith("intact: records 1 to ")
    assert altered.returncode == 1
    assert "altered" in altered.stderr


def test_the_log_is_a_table_for_people(platform: Platform, administrator: Member) -> None:
    """As CSV it has a header, and says where it ends."""
    response = get(platform, "/v1/audit/records:export", administrator, format="FORMAT_CSV")

    rows = response.text.splitlines()
    assert response.headers["content-type"].startswith("text/csv")
    assert rows[0].startswith("type,sequence,occur_time")
    assert rows[-1].startswith(f"end,{sum(row.startswith('record,') for row in rows)},")
    assert any(CREATE_VEHICLE in row for row in rows)


def test_the_log_is_verified_over_rest(platform: Platform, administrator: Member) -> None:
    """The server says itself that nothing is broken."""
    headers = {"authorization": f"Bearer {administrator.token}"}

    verdict = platform.client.post("/v1/audit:verify", json={}, headers=headers).json()

    assert (verdict["complete"], verdict["problem"]) == (True, "")
