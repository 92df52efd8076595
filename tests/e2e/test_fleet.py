"""A company's fleet over REST, on the whole system."""

from typing import Any

from services.chassis.identity import Role
from tests.fixtures.platform import Platform
from tests.fixtures.waiting import eventually


def whole_dashboard(platform: Platform, kind: str, token: str) -> Any:
    """Look at a dashboard until no part of it is missing, as may happen on a busy machine."""

    def seen() -> Any:
        answer = platform.call("GET", f"/v1/dashboards/{kind}", token=token)
        return None if answer["unavailableParts"] else answer

    return eventually(seen, f"all of dashboard {kind}")


def test_a_driver_is_put_on_a_vehicle_and_seen_on_the_dashboards(platform: Platform) -> None:
    """Team, vehicle, assignment, what the driver sees, numbers of all services, and the end."""
    company_id = platform.company()
    admin = platform.member(Role.COMPANY_ADMIN, company_id)
    driver = platform.member(Role.DRIVER, company_id)
    team = {"team": {"displayName": "North"}}
    team_id = platform.call("POST", "/v1/teams", team, token=admin.token)["teamId"]
    vehicle = {"vehicle": {"plate": "AA-01-BB", "type": "TYPE_VAN", "teamId": team_id}}
    vehicle_id = platform.call("POST", "/v1/vehicles", vehicle, token=admin.token)["vehicleId"]
    other = {"vehicle": {"plate": "AA-02-BB"}}
    other_id = platform.call("POST", "/v1/vehicles", other, token=admin.token)["vehicleId"]

    joining = {"userId": driver.user_id, "role": "ROLE_LEAD"}
    platform.call("POST", f"/v1/teams/{team_id}:addMember", joining, token=admin.token)
    assign = {"userId": driver.user_id}
    platform.call("POST", f"/v1/vehicles/{vehicle_id}:assign", assign, token=admin.token)

    seen = platform.call("GET", "/v1/vehicles", token=driver.token)["vehicles"]
    assert [one["vehicleId"] for one in seen] == [vehicle_id]
    platform.call("GET", f"/v1/vehicles/{other_id}", token=driver.token, expect=404)

    overview = whole_dashboard(platform, "overview", admin.token)["overview"]
    assert (overview["vehicles"]["total"], overview["people"]["total"]) == ("2", "2")
    assert overview["devices"]["total"] == "0"
    security = whole_dashboard(platform, "security", admin.token)["security"]
    assert int(security["logins"]["openSessions"]) >= 2
    platform.call("GET", "/v1/dashboards/weather", token=admin.token, expect=400)

    platform.call("POST", f"/v1/users/{driver.user_id}:deactivate", {}, token=admin.token)
    current = f"/v1/assignments?vehicleId={vehicle_id}&currentOnly=true"
    eventually(
        lambda: not platform.call("GET", current, token=admin.token)["assignments"],
        "the end of the assignment",
    )
    platform.call("DELETE", f"/v1/vehicles/{vehicle_id}", token=admin.token)
    past = f"/v1/assignments?vehicleId={vehicle_id}"
    (assignment,) = platform.call("GET", past, token=admin.token)["assignments"]
    assert (assignment["plate"], assignment["userId"]) == ("AA-01-BB", driver.user_id)
