"""Companies as their members, masters and other services see them."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from dashtrack.companies.internal.v1 import directory_service_pb2 as directory
from dashtrack.companies.v1 import company_pb2
from dashtrack.companies.v1 import company_service_pb2 as pb
from dashtrack.companies.v1 import vehicle_service_pb2 as vehicles
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.identity import Role
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService


def new_company(request_id: str = "", **values: Any) -> pb.CreateCompanyRequest:
    """Ask for a company with a name of its own."""
    usual: dict[str, Any] = {"display_name": f"Company {uuid.uuid4().hex}"}
    return pb.CreateCompanyRequest(
        company=company_pb2.Company(**(usual | values)), request_id=request_id
    )


def test_companies_come_back_as_they_were_added(fleet: Any) -> None:
    """What a creation answers is what is read afterwards, defaults included."""
    made = fleet.call(Role.MASTER, "CreateCompany", new_company(time_zone="Europe/Lisbon"))

    request = pb.GetCompanyRequest(company_id=made.company_id)
    assert fleet.call(Role.MASTER, "GetCompany", request) == made
    assert (made.time_zone, made.language_code) == ("Europe/Lisbon", "en")
    assert made.create_time == made.update_time
    assert made.etag


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"display_name": "a" * 101}, {"company.display_name"}),
        ({"display_name": " "}, {"company.display_name"}),
        ({"display_name": "a\x00b"}, {"company.display_name"}),
        ({"time_zone": "Europe/Atlantis"}, {"company.time_zone"}),
        ({"time_zone": "a\x00b"}, {"company.time_zone"}),
        ({"language_code": "xx"}, {"company.language_code"}),
    ],
)
def test_bad_values_are_named(fleet: Any, values: Mapping[str, Any], fields: set[str]) -> None:
    """A value that breaks a rule is refused by the name of its field."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        fleet.call(Role.MASTER, "CreateCompany", new_company(**values))

    assert refusal.fields == fields


def test_names_and_request_ids_are_not_reused(fleet: Any) -> None:
    """A retry answers the same company; a name or an id in other use is refused."""
    request, caller_id = new_company(str(uuid.uuid4())), uuid.uuid4()
    made = fleet.call(Role.MASTER, "CreateCompany", request, user_id=caller_id)

    assert fleet.call(Role.MASTER, "CreateCompany", request, user_id=caller_id) == made
    with refused(StatusCode.ALREADY_EXISTS, "COMPANY_NAME_TAKEN"):
        fleet.call(
            Role.MASTER, "CreateCompany", new_company(display_name=made.display_name.upper())
        )
    request.company.time_zone = "Europe/Lisbon"
    with refused(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED") as refusal:
        fleet.call(Role.MASTER, "CreateCompany", request, user_id=caller_id)
    assert refusal.metadata == {"request_id": request.request_id}


def test_members_see_their_company_alone(fleet: Any, foreign_company_id: uuid.UUID) -> None:
    """A driver reads the own company; others answer as companies that do not exist."""
    own = pb.GetCompanyRequest(company_id=str(fleet.company_id))
    company = fleet.call(Role.DRIVER, "GetCompany", own)
    listed = fleet.call(Role.MANAGER, "ListCompanies", pb.ListCompaniesRequest())

    assert list(listed.companies) == [company]
    for company_id in (str(foreign_company_id), str(uuid.uuid4())):
        update = pb.UpdateCompanyRequest(
            company=company_pb2.Company(company_id=company_id, language_code="pt")
        )
        for role, method, request in (
            (Role.DRIVER, "GetCompany", pb.GetCompanyRequest(company_id=company_id)),
            (Role.COMPANY_ADMIN, "UpdateCompany", update),
        ):
            with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND") as refusal:
                fleet.call(role, method, request)
            assert refusal.metadata == {"company_id": company_id}


def test_masters_page_through_companies(fleet: Any) -> None:
    """Pages lead through all companies, oldest first, and end."""
    made = [fleet.call(Role.MASTER, "CreateCompany", new_company()) for _ in range(3)]
    request, found = pb.ListCompaniesRequest(page_size=2), []
    while True:
        page = fleet.call(Role.MASTER, "ListCompanies", request)
        found += page.companies
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    assert [company for company in found if company in made] == made
    with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
        fleet.call(Role.MASTER, "ListCompanies", pb.ListCompaniesRequest(page_token="invented"))


def test_updates_change_what_they_name(fleet: Any) -> None:
    """The mask decides, the etag guards, and what cannot change is refused by its path."""
    company_id = str(fleet.company_id)
    before = fleet.call(Role.MANAGER, "GetCompany", pb.GetCompanyRequest(company_id=company_id))

    def update(paths: list[str], **values: Any) -> Any:
        company = company_pb2.Company(company_id=company_id, **values)
        request = pb.UpdateCompanyRequest(company=company, update_mask=FieldMask(paths=paths))
        return fleet.call(Role.COMPANY_ADMIN, "UpdateCompany", request)

    after = update(["time_zone"], time_zone="Africa/Luanda", display_name="x", etag=before.etag)

    assert (after.time_zone, after.display_name) == ("Africa/Luanda", before.display_name)
    with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
        update(["time_zone"], time_zone="UTC", etag=before.etag)
    with refused(StatusCode.INVALID_ARGUMENT, "UPDATE_MASK_INVALID") as refusal:
        update(["company_id"])
    assert refusal.metadata == {"path": "company_id"}


def test_vehicles_belong_to_a_company(fleet: Any, foreign_company_id: uuid.UUID) -> None:
    """A vehicle is added to the own company, with its plate in capitals, and not to another's."""
    request = vehicles.CreateVehicleRequest(vehicle=vehicles.Vehicle(plate="aa-01-bb"))

    made = fleet.call(Role.MANAGER, "CreateVehicle", request)

    get = vehicles.GetVehicleRequest(vehicle_id=made.vehicle_id)
    assert fleet.call(Role.MANAGER, "GetVehicle", get) == made
    assert (made.company_id, made.plate, made.display_name) == (
        str(fleet.company_id),
        "AA-01-BB",
        "AA-01-BB",
    )
    with refused(StatusCode.ALREADY_EXISTS, "PLATE_TAKEN") as refusal:
        fleet.call(Role.MANAGER, "CreateVehicle", request)
    assert refusal.metadata == {"plate": "AA-01-BB"}
    with refused(StatusCode.INVALID_ARGUMENT, "COMPANY_REQUIRED"):
        fleet.call(Role.MASTER, "CreateVehicle", request)
    for company_id in (str(foreign_company_id), str(uuid.uuid4())):
        request.vehicle.company_id = company_id
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            fleet.call(Role.MANAGER, "CreateVehicle", request)
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            fleet.call(
                Role.MANAGER, "ListVehicles", vehicles.ListVehiclesRequest(company_id=company_id)
            )
        with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
            fleet.call(Role.MANAGER, "GetVehicle", get, company_id=uuid.UUID(company_id))


@pytest.mark.parametrize("plate", ["", " ", "-AA", "A" * 17, "ÄÖ-1", "AA\x00"])
def test_plates_are_checked(fleet: Any, plate: str) -> None:
    """A plate that no vehicle has is refused."""
    request = vehicles.CreateVehicleRequest(vehicle=vehicles.Vehicle(plate=plate))

    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"):
        fleet.call(Role.MANAGER, "CreateVehicle", request)


def test_vehicles_are_listed_page_by_page(fleet: Any) -> None:
    """A company's pages hold its vehicles once, oldest first, and a retry adds none."""
    made = []
    for plate in ("AA01", "AA02", "AA03"):
        request = vehicles.CreateVehicleRequest(
            vehicle=vehicles.Vehicle(plate=plate), request_id=str(uuid.uuid4())
        )
        caller_id = uuid.uuid4()
        made.append(fleet.call(Role.MANAGER, "CreateVehicle", request, user_id=caller_id))
        again = fleet.call(Role.MANAGER, "CreateVehicle", request, user_id=caller_id)
        assert again == made[-1]

    first = fleet.call(Role.MANAGER, "ListVehicles", vehicles.ListVehiclesRequest(page_size=2))
    rest = fleet.call(
        Role.MANAGER,
        "ListVehicles",
        vehicles.ListVehiclesRequest(page_size=2, page_token=first.next_page_token),
    )

    assert [*first.vehicles, *rest.vehicles] == made
    assert not rest.next_page_token


def test_other_services_ask_the_directory(fleet: Any) -> None:
    """A service learns whether a company exists, its time zone, and whether it has a vehicle."""
    vehicle = fleet.call(
        Role.MANAGER,
        "CreateVehicle",
        vehicles.CreateVehicleRequest(vehicle=vehicles.Vehicle(plate="AA01")),
    )
    own, unknown = str(fleet.company_id), str(uuid.uuid4())

    company = fleet.ask("GetCompanyStanding", directory.GetCompanyStandingRequest(company_id=own))
    found = fleet.ask(
        "GetVehicleStanding",
        directory.GetVehicleStandingRequest(company_id=own, vehicle_id=vehicle.vehicle_id),
    )

    assert (company.company_id, company.time_zone) == (own, "UTC")
    assert found.vehicle_id == vehicle.vehicle_id
    with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
        fleet.ask("GetCompanyStanding", directory.GetCompanyStandingRequest(company_id=unknown))
    with refused(StatusCode.NOT_FOUND, "VEHICLE_NOT_FOUND"):
        fleet.ask(
            "GetVehicleStanding",
            directory.GetVehicleStandingRequest(company_id=unknown, vehicle_id=vehicle.vehicle_id),
        )


def test_companies_are_counted(companies_service: ServedService) -> None:
    """The promised series is served by name, once, without labels."""
    text = httpx.get(f"{companies_service.http_url}/metrics").text

    samples = [
        sample.labels
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "companies_total"
    ]
    assert samples == [{}]
