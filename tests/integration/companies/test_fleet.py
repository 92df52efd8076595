"""Vehicles, teams and assignments as people of a company see them, with users beside."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from dashtrack.companies.v1 import assignment_service_pb2 as assignments
from dashtrack.companies.v1 import team_service_pb2 as teams
from dashtrack.companies.v1 import vehicle_events_pb2
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as users
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.fleet_site import FleetSite
from tests.fixtures.refusals import Refusal, refusal_of, refused
from tests.fixtures.waiting import eventually

Type, Status = vehicles.Vehicle.Type, vehicles.Vehicle.Status


def update(site: FleetSite, vehicle_id: str, paths: list[str], **values: Any) -> Any:
    """Change a vehicle."""
    more = {name: values.pop(name) for name in ("allow_odometer_decrease",) if name in values}
    request = vehicles.UpdateVehicleRequest(
        vehicle=vehicles.Vehicle(vehicle_id=vehicle_id, **values),
        update_mask=FieldMask(paths=paths),
        **more,
    )
    return site.call("VehicleService.UpdateVehicle", request)


def test_vehicles_come_back_as_they_were_added(site: FleetSite) -> None:
    """Every field is kept, and what is left out has its default."""
    team = site.have_team()
    plain = site.have_vehicle()
    full = site.have_vehicle(
        type=Type.TYPE_TRUCK,
        status=Status.STATUS_IN_MAINTENANCE,
        odometer_m=1500,
        vin="1hgcm82633a004352",
        team_id=team.team_id,
    )

    assert (plain.type, plain.status) == (Type.TYPE_OTHER, Status.STATUS_ACTIVE)
    assert (full.vin, full.odometer_m, full.team_id) == ("1HGCM82633A004352", 1500, team.team_id)
    get = vehicles.GetVehicleRequest(vehicle_id=full.vehicle_id)
    assert site.call("VehicleService.GetVehicle", get) == full


@pytest.mark.parametrize(
    "values", [{"vin": "SHORT"}, {"odometer_m": -1}, {"type": 99}, {"status": 99}]
)
def test_bad_vehicles_are_refused(site: FleetSite, values: dict[str, Any]) -> None:
    """The limits of the contract are kept."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        site.have_vehicle(**values)


def test_updates_change_what_they_name(site: FleetSite) -> None:
    """The mask decides, the etag guards, and the odometer goes back only by correction."""
    made = site.have_vehicle(odometer_m=5000)

    changed = update(
        site, made.vehicle_id, ["odometer_m", "type"], odometer_m=6000, type=Type.TYPE_BUS
    )

    assert (changed.odometer_m, changed.type, changed.plate) == (6000, Type.TYPE_BUS, made.plate)
    with refused(StatusCode.FAILED_PRECONDITION, "ODOMETER_DECREASED") as refusal:
        update(site, made.vehicle_id, ["odometer_m"], odometer_m=5999)
    assert refusal.metadata == {"odometer_m": "6000"}
    corrected = update(site, made.vehicle_id, ["odometer_m"], allow_odometer_decrease=True)
    assert corrected.odometer_m == 0
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        update(site, made.vehicle_id, ["type"], etag=made.etag)
    with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID"):
        update(site, made.vehicle_id, ["company_id"])
    with refused(StatusCode.NOT_FOUND, "TEAM_NOT_FOUND"):
        update(site, made.vehicle_id, ["team_id"], team_id=str(uuid.uuid4()))


def test_lists_lead_through_everything_once(site: FleetSite) -> None:
    """Pages of an order skip none and repeat none, though vehicles are added meanwhile."""
    made = [site.have_vehicle(display_name=name) for name in ("Delta", "alfa", "Écho", "bravo")]
    request = vehicles.ListVehiclesRequest(page_size=2, order_by="display_name")
    first = site.call("VehicleService.ListVehicles", request)
    site.have_vehicle(display_name="Aaa")
    request.page_token = first.next_page_token

    rest = site.call("VehicleService.ListVehicles", request)

    names = [one.display_name for one in (*first.vehicles, *rest.vehicles)]
    assert names == ["alfa", "bravo", "Delta", "Écho"]
    assert not rest.next_page_token
    found = site.call("VehicleService.ListVehicles", vehicles.ListVehiclesRequest(query="echo"))
    assert list(found.vehicles) == [made[2]]
    request.order_by = "plate"
    with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
        site.call("VehicleService.ListVehicles", request)


def test_drivers_see_the_vehicle_that_they_are_on(site: FleetSite) -> None:
    """Theirs is there, every other one answers as one that is not, and so does theirs later."""
    own, other, driver = site.have_vehicle(), site.have_vehicle(), site.have_person()
    made = site.assign(own.vehicle_id, driver)

    def call(method: str, request: Any) -> Any:
        user_id = uuid.UUID(driver)
        return site.call(f"VehicleService.{method}", request, Role.DRIVER, user_id=user_id)

    get = vehicles.GetVehicleRequest(vehicle_id=own.vehicle_id)
    assert call("GetVehicle", get) == own
    assert list(call("ListVehicles", vehicles.ListVehiclesRequest()).vehicles) == [own]
    for vehicle_id in (other.vehicle_id, str(uuid.uuid4())):
        with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
            call("GetVehicle", vehicles.GetVehicleRequest(vehicle_id=vehicle_id))
    end = assignments.EndAssignmentRequest(assignment_id=made.assignment_id)
    site.call("AssignmentService.EndAssignment", end)
    with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
        call("GetVehicle", get)
    assert not call("ListVehicles", vehicles.ListVehiclesRequest()).vehicles


def test_users_says_who_goes_on_vehicles(site: FleetSite) -> None:
    """Drivers and helpers of the company with access do, and nobody else."""
    vehicle = site.have_vehicle()
    helper = site.have_person(options_pb2.ROLE_HELPER)
    manager = site.have_person(options_pb2.ROLE_MANAGER)
    gone = site.have_person()
    site.call("UserService.DeactivateUser", users.DeactivateUserRequest(user_id=gone))
    deleted = site.have_person()
    site.call("UserService.DeleteUser", users.DeleteUserRequest(user_id=deleted))

    assert site.assign(vehicle.vehicle_id, helper).duty == assignments.Assignment.DUTY_HELPER
    with refused(StatusCode.FAILED_PRECONDITION, "PERSON_ROLE_UNFIT") as refusal:
        site.assign(vehicle.vehicle_id, manager)
    assert refusal.metadata == {"user_id": manager, "role": "manager"}
    with refused(StatusCode.FAILED_PRECONDITION, "USER_DEACTIVATED"):
        site.assign(vehicle.vehicle_id, gone)
    for user_id in (deleted, str(uuid.uuid4())):
        with refused(StatusCode.NOT_FOUND, "USER_NOT_FOUND"):
            site.assign(vehicle.vehicle_id, user_id)


def attempt(site: FleetSite, vehicle_id: str, user_id: str, **more: Any) -> Refusal:
    """Put somebody on a vehicle and return how it was refused: with OK if it wasn't.

    Where everything is busy users may not answer in time; a client tries again, as it is told.
    """

    def decided() -> Refusal | None:
        try:
            site.assign(vehicle_id, user_id, **more)
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            return None if refusal.code is StatusCode.UNAVAILABLE else refusal
        return Refusal(StatusCode.OK)

    return eventually(decided, "an answer of users")


def test_simultaneous_drivers_leave_one(site: FleetSite) -> None:
    """Of several who are assigned at once one drives; the others are told why they don't."""
    vehicle = site.have_vehicle()
    people = [site.have_person() for _ in range(6)]

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = list(pool.map(lambda who: attempt(site, vehicle.vehicle_id, who), people))

    reasons = sorted(outcome.reason for outcome in outcomes)
    assert reasons == ["", *["VEHICLE_HAS_DRIVER"] * 5]
    current = site.assignments_of(vehicle_id=vehicle.vehicle_id, current_only=True)
    assert [one.user_id for one in current] == [
        who for who, outcome in zip(people, outcomes, strict=True) if not outcome.reason
    ]


def test_a_person_who_is_wanted_everywhere_is_on_one_vehicle(site: FleetSite) -> None:
    """Of several vehicles that want the same driver at once, one gets them."""
    driver = site.have_person()
    wanting = [site.have_vehicle().vehicle_id for _ in range(6)]

    with ThreadPoolExecutor(len(wanting)) as pool:
        outcomes = list(pool.map(lambda vehicle_id: attempt(site, vehicle_id, driver), wanting))

    assert sorted(one.reason for one in outcomes) == ["", *["PERSON_HAS_VEHICLE"] * 5]
    assert len(site.assignments_of(user_id=driver, current_only=True)) == 1


def test_drivers_who_change_places_all_at_once_end_somewhere(site: FleetSite) -> None:
    """Replacing crosswise is answered by success or a typed refusal, and leaves pairs."""
    cars = [site.have_vehicle().vehicle_id for _ in range(2)]
    people = [site.have_person() for _ in range(2)]
    for car, who in zip(cars, people, strict=True):
        site.assign(car, who)
    wishes = [(car, who) for car in cars for who in people] * 4

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda wish: attempt(site, *wish, replace=True), wishes))

    assert {one.reason for one in outcomes} <= {"", "EDIT_CONFLICT", "VEHICLE_HAS_DRIVER"}
    current = site.assignments_of(current_only=True)
    assert len({one.vehicle_id for one in current}) == len(current)
    assert len({one.user_id for one in current}) == len(current)


def test_teams_hold_people_one_at_a_time(site: FleetSite) -> None:
    """Joining, transferring and leaving is answered with the membership, and kept."""
    north, south, who = site.have_team(), site.have_team(), site.have_person()

    site.join(north.team_id, who)
    with refused(StatusCode.FAILED_PRECONDITION, "PERSON_HAS_TEAM") as refusal:
        site.join(south.team_id, who)
    assert refusal.metadata == {"user_id": who, "team_id": north.team_id}
    transfer = teams.TransferTeamMemberRequest(
        team_id=north.team_id,
        user_id=who,
        to_team_id=south.team_id,
        role=teams.TeamMembership.ROLE_LEAD,
    )
    moved = site.call("TeamService.TransferTeamMember", transfer)
    with refused(StatusCode.NOT_FOUND, "MEMBERSHIP_NOT_FOUND"):
        site.call("TeamService.TransferTeamMember", transfer)
    remove = teams.RemoveTeamMemberRequest(team_id=south.team_id, user_id=who)
    left = site.call("TeamService.RemoveTeamMember", remove)

    assert (moved.team_id, moved.role) == (south.team_id, teams.TeamMembership.ROLE_LEAD)
    history = site.memberships_of(user_id=who)
    assert [one.team_id for one in history] == [south.team_id, north.team_id]
    assert history[0] == left
    assert history[1].end_time == moved.start_time
    assert site.memberships_of(user_id=who, current_only=True) == []


def test_simultaneous_teams_leave_one(site: FleetSite) -> None:
    """Of several teams that somebody is put into at once, one has them."""
    who, wanting = site.have_person(), [site.have_team().team_id for _ in range(5)]

    def join(team_id: str) -> str:
        try:
            site.join(team_id, who)
        except grpc.RpcError as err:
            return refusal_of(err).reason
        return ""

    with ThreadPoolExecutor(len(wanting)) as pool:
        reasons = sorted(pool.map(join, wanting))

    assert reasons == ["", *["PERSON_HAS_TEAM"] * 4]


def test_teams_are_changed_and_deleted(site: FleetSite) -> None:
    """Names are the company's own, and a team that is gone leaves its vehicles and history."""
    north, who = site.have_team("North"), site.have_person()
    vehicle = site.have_vehicle(team_id=north.team_id)
    site.join(north.team_id, who)
    with refused(StatusCode.ALREADY_EXISTS, "TEAM_NAME_TAKEN"):
        site.have_team("NORTH")
    team = teams.Team(team_id=north.team_id, display_name="Norte", etag=north.etag)
    renamed = site.call("TeamService.UpdateTeam", teams.UpdateTeamRequest(team=team))
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        site.call("TeamService.UpdateTeam", teams.UpdateTeamRequest(team=team))

    delete = teams.DeleteTeamRequest(team_id=north.team_id, etag=renamed.etag)
    site.call("TeamService.DeleteTeam", delete)

    with refused(StatusCode.NOT_FOUND, "TEAM_NOT_FOUND"):
        site.call("TeamService.GetTeam", teams.GetTeamRequest(team_id=north.team_id))
    get = vehicles.GetVehicleRequest(vehicle_id=vehicle.vehicle_id)
    assert site.call("VehicleService.GetVehicle", get).team_id == ""
    (membership,) = site.memberships_of(team_id=north.team_id)
    assert membership.team_name == "North"
    assert membership.HasField("end_time")


def test_vehicle_changes_are_told_in_order(site: FleetSite) -> None:
    """Others hear how a vehicle stands after each change, and that it is gone."""
    made = site.have_vehicle(plate="AA-01-BB", type=Type.TYPE_VAN)
    update(site, made.vehicle_id, ["status"], status=Status.STATUS_RETIRED)
    delete = vehicles.DeleteVehicleRequest(vehicle_id=made.vehicle_id)
    site.call("VehicleService.DeleteVehicle", delete)

    def told() -> list[vehicle_events_pb2.VehicleChanged]:
        rows = site.query(
            "select payload from outbox where subject = 'events.companies.vehicle_changed'"
            " and published_at is not null order by position"
        )
        events = [vehicle_events_pb2.VehicleChanged.FromString(row["payload"]) for row in rows]
        return [event for event in events if event.vehicle_id == made.vehicle_id]

    eventually(lambda: len(told()) == 3, "three events to be published")
    first, second, third = told()
    assert (first.version, first.plate, first.type) == (1, "AA-01-BB", Type.TYPE_VAN)
    assert (second.version, second.status) == (2, Status.STATUS_RETIRED)
    assert (third.version, third.deleted, third.plate) == (3, True, "")


def test_whoever_loses_access_leaves_vehicle_and_team(site: FleetSite) -> None:
    """What users tells of a person ends their assignment and their membership."""
    vehicle, team, who = site.have_vehicle(), site.have_team(), site.have_person()
    site.assign(vehicle.vehicle_id, who)
    site.join(team.team_id, who)

    site.call("UserService.DeactivateUser", users.DeactivateUserRequest(user_id=who))

    def ended() -> bool:
        current = {"user_id": who, "current_only": True}
        return not site.assignments_of(**current) and not site.memberships_of(**current)

    eventually(ended, "the end of an assignment and a membership")
    (assignment,) = site.assignments_of(user_id=who)
    assert assignment.HasField("end_time")
    site.assign(vehicle.vehicle_id, site.have_person())


def test_another_role_ends_the_duty(site: FleetSite) -> None:
    """A driver who becomes a helper drives no more, and can be put on it as a helper."""
    vehicle, who = site.have_vehicle(), site.have_person()
    site.assign(vehicle.vehicle_id, who)
    user = users.User(user_id=who, role=options_pb2.ROLE_HELPER)

    site.call("UserService.UpdateUser", users.UpdateUserRequest(user=user))

    eventually(lambda: not site.assignments_of(user_id=who, current_only=True), "the end")
    assert site.assign(vehicle.vehicle_id, who).duty == assignments.Assignment.DUTY_HELPER
