"""A company's fleet on all four services: what one decides, the others carry out."""

import uuid
from typing import Any

import grpc
import httpx
import pytest
from dashtrack.companies.v1 import dashboard_service_pb2 as dashboards
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from dashtrack.telemetry.v1 import device_service_pb2 as devices
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.identity import Role
from tests.fixtures.every_service import EveryService
from tests.fixtures.fleet_site import FleetSite
from tests.fixtures.refusals import refused
from tests.fixtures.rpcs import RPCS
from tests.fixtures.serving import ServedService
from tests.fixtures.waiting import eventually

DEVICES = "/dashtrack.telemetry.v1.DeviceService"


class Boards:
    """A company's devices."""

    def __init__(self, site: FleetSite, channel: grpc.Channel) -> None:
        self._site = site
        self._channel = channel

    def call(self, method: str, request: Any) -> Any:
        """Call telemetry as a manager of the company."""
        token = self._site.mint.user(Role.MANAGER, self._site.company_id)
        return RPCS[f"{DEVICES}/{method}"].call(self._channel, request, token)

    def register(self, vehicle_id: str) -> str:
        """Add a device on a vehicle."""
        device = devices.Device(hardware_id=uuid.uuid4().hex, vehicle_id=vehicle_id)
        request = devices.RegisterDeviceRequest(device=device)
        return str(self.call("RegisterDevice", request).device.device_id)

    def vehicle_of(self, device_id: str) -> str:
        """Read on which vehicle a device is."""
        request = devices.GetDeviceRequest(device_id=device_id)
        return str(self.call("GetDevice", request).vehicle_id)


@pytest.fixture
def boards(site: FleetSite, every_service: EveryService) -> Boards:
    """The company's devices."""
    return Boards(site, every_service.channel("dashtrack.telemetry.v1.DeviceService"))


def test_a_vehicle_that_is_deleted_lets_go_of_its_devices(site: FleetSite, boards: Boards) -> None:
    """Its devices are on none soon after, and those of others stay where they are."""
    gone, other = site.have_vehicle(), site.have_vehicle()
    on_gone = [boards.register(gone.vehicle_id) for _ in range(2)]
    on_other = boards.register(other.vehicle_id)

    delete = vehicles.DeleteVehicleRequest(vehicle_id=gone.vehicle_id)
    site.call("VehicleService.DeleteVehicle", delete)

    eventually(lambda: not any(map(boards.vehicle_of, on_gone)), "devices to be on no vehicle")
    assert boards.vehicle_of(on_other) == other.vehicle_id
    with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
        boards.register(gone.vehicle_id)


def test_nothing_is_mounted_on_a_retired_vehicle(site: FleetSite, boards: Boards) -> None:
    """Neither a new device nor one that moves."""
    retired = site.have_vehicle(status=vehicles.Vehicle.STATUS_RETIRED)
    device_id = boards.register(site.have_vehicle().vehicle_id)
    move = devices.UpdateDeviceRequest(
        device=devices.Device(device_id=device_id, vehicle_id=retired.vehicle_id),
        update_mask=FieldMask(paths=["vehicle_id"]),
    )

    with refused(StatusCode.FAILED_PRECONDITION, "VEHICLE_RETIRED"):
        boards.register(retired.vehicle_id)
    with refused(StatusCode.FAILED_PRECONDITION, "VEHICLE_RETIRED"):
        boards.call("UpdateDevice", move)


def dashboard(site: FleetSite, kind: str, role: Role = Role.COMPANY_ADMIN) -> dashboards.Dashboard:
    """Look at a dashboard."""
    request = dashboards.GetDashboardRequest(type=kind)
    seen: dashboards.Dashboard = site.call("DashboardService.GetDashboard", request, role)
    return seen


def whole_dashboard(site: FleetSite, kind: str) -> dashboards.Dashboard:
    """Look at a dashboard until no part of it is missing, as may happen on a busy machine."""

    def seen() -> dashboards.Dashboard | None:
        answer = dashboard(site, kind)
        return None if answer.unavailable_parts else answer

    return eventually(seen, f"all of dashboard {kind}")


def test_dashboards_bring_the_services_together(site: FleetSite, boards: Boards) -> None:
    """Vehicles, people, devices and quotas are on one page, and drivers on another."""
    vehicle = site.have_vehicle(type=vehicles.Vehicle.TYPE_VAN)
    site.have_vehicle(status=vehicles.Vehicle.STATUS_IN_MAINTENANCE)
    site.assign(vehicle.vehicle_id, site.have_person())
    site.have_person()
    boards.register(vehicle.vehicle_id)

    overview, drivers = whole_dashboard(site, "overview"), whole_dashboard(site, "drivers")

    assert (overview.overview.vehicles.total, overview.overview.people.total) == (2, 2)
    counts = overview.overview.devices
    assert (counts.total, counts.registered, counts.on_vehicles, counts.connected) == (1, 1, 1, 0)
    used = {use.quota: (use.used, use.limit) for use in overview.overview.quota_uses}
    assert used == {"vehicles": (2, 250), "users": (2, 200), "devices": (1, 500)}
    assert drivers.drivers.drivers_assigned == 1
    assert drivers.drivers.assignments_started_last_day == 1
    assert drivers.drivers.vehicles_without_driver == 0


def test_a_part_that_does_not_answer_is_named(site: FleetSite, boards: Boards) -> None:
    """Auth of these tests counts no logins: the rest of the page is there."""
    boards.register(site.have_vehicle().vehicle_id)
    site.have_person()

    seen = dashboard(site, "security")

    assert list(seen.unavailable_parts) == ["security"]
    assert not seen.security.HasField("logins")
    assert seen.security.people.total == 1
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        dashboard(site, "security", Role.MANAGER)


def test_views_are_counted(
    site: FleetSite, boards: Boards, companies_service: ServedService
) -> None:
    """Each look at a dashboard moves its own series by one, and a refused one none."""

    def views() -> dict[str, float]:
        text = httpx.get(f"{companies_service.http_url}/metrics").text
        return {
            sample.labels["type"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "dashboard_views_total"
        }

    before = views()
    for kind in ("overview", "fleet", "fleet", "drivers", "security"):
        dashboard(site, kind)
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        dashboard(site, "security", Role.MANAGER)

    moved = {kind: value - before[kind] for kind, value in views().items()}
    assert moved == {"overview": 1, "fleet": 2, "drivers": 1, "security": 1}
