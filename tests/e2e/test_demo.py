"""`make demo` fills a running stack, can be run again, and says plainly when nothing runs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fixtures.stack import Stack, stack_in

pytestmark = pytest.mark.timeout(180)

VEHICLES = 12


@contextmanager
def logged_in(stack: Stack, role: str) -> Iterator[httpx.Client]:
    """Be one of the demo's people, by what the demo remembers."""
    people = json.loads((stack.layout.folder / "demo.json").read_text())
    with httpx.Client(base_url=stack.addresses.rest) as client:
        session = client.post("/v1/auth:login", json=people[role])
        assert session.status_code == 200, session.text
        client.headers["authorization"] = f"Bearer {session.json()['accessToken']}"
        yield client


def test_the_demo_fills_the_stack_and_finds_everything_again(stack: Stack) -> None:
    """The second run makes nothing new but readings."""
    first = stack.run("demo", "--seconds", "3")
    assert first.returncode == 0, first.stdout
    with logged_in(stack, "manager") as manager:
        people = manager.get("/v1/users").json()["users"]
        vehicles = manager.get("/v1/vehicles").json()["vehicles"]
        devices = manager.get("/v1/devices").json()["devices"]
    again = stack.run("demo", "--seconds", "1")
    assert again.returncode == 0, again.stdout

    assert {person["role"] for person in people} == {
        "ROLE_COMPANY_ADMIN",
        "ROLE_MANAGER",
        "ROLE_DRIVER",
    }
    assert len(vehicles) == len(devices) == VEHICLES
    with logged_in(stack, "manager") as manager:
        assert manager.get("/v1/users").json()["users"] == people
        assert manager.get("/v1/vehicles").json()["vehicles"] == vehicles
        after = manager.get("/v1/devices").json()["devices"]
        hour = manager.get(
            f"/v1/devices/{after[0]['deviceId']}/sensors/speed_kmh/readings",
            params={"pageSize": 10_000},
        )
    assert [device["deviceId"] for device in after] == [device["deviceId"] for device in devices]
    assert all(device["status"] == "STATUS_CLAIMED" for device in after)
    assert len(hour.json()["readings"]) > 3500
    with logged_in(stack, "driver") as driver:
        assert driver.get("/v1/me").json()["role"] == "ROLE_DRIVER"


def test_the_demo_hides_what_is_secret(stack: Stack) -> None:
    """Passwords and boards' secrets stand in files of their owner's alone, and in no output."""
    shown = stack.run("demo", "--seconds", "0")
    assert shown.returncode == 0, shown.stdout

    state = stack.layout.folder
    files = [state / "demo.json", *(state / "demo-boards").glob("*.json")]
    assert len(files) == 1 + VEHICLES
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    passwords = [person["password"] for person in json.loads(files[0].read_text()).values()]
    secrets = [json.loads(file.read_text())["secret"] for file in files[1:]]
    assert not [secret for secret in passwords + secrets if secret in shown.stdout]


def test_without_a_stack_the_demo_says_so(tmp_path: Path) -> None:
    """Nothing is started behind anybody's back."""
    with stack_in(tmp_path / "state") as absent:
        shown = absent.run("demo")
    assert shown.returncode == 1
    assert "make up" in shown.stdout
