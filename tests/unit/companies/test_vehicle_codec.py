"""Vehicles survive the way to protobuf, and page tokens lead on within their list."""

import uuid
from datetime import UTC, datetime

import pytest
from dashtrack.companies.v1 import company_service_pb2 as pb
from dashtrack.companies.v1 import vehicle_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.page_tokens import PageTokenInvalid, decode_page_start
from services.companies.codec import directory
from services.companies.codec import vehicles as codec
from services.companies.domain.vehicles import Vehicle
from services.companies.usecases.pages import Page

COMPANY_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
vehicles = st.builds(
    Vehicle,
    vehicle_id=st.uuids(),
    company_id=st.uuids(),
    plate=texts,
    display_name=texts,
    create_time=moments,
    update_time=moments,
)


@given(vehicles)
def test_vehicles_are_written_whole(vehicle: Vehicle) -> None:
    """Every fact about a vehicle is in the message, in its own field."""
    message = codec.encode_vehicle(vehicle)

    assert message.vehicle_id == str(vehicle.vehicle_id)
    assert message.company_id == str(vehicle.company_id)
    assert (message.plate, message.display_name) == (vehicle.plate, vehicle.display_name)
    assert message.create_time.ToDatetime(UTC) == vehicle.create_time
    assert message.update_time.ToDatetime(UTC) == vehicle.update_time
    assert directory.encode_vehicle_standing(vehicle).vehicle_id == message.vehicle_id


def test_page_tokens_lead_on_within_their_list() -> None:
    """A token leads to where its page ended, and is refused by another list or filter."""
    request = vehicle_service_pb2.ListVehiclesRequest(company_id=str(COMPANY_ID))
    page: Page[Vehicle] = Page([], COMPANY_ID)
    token = codec.encode_vehicle_page(page, request).next_page_token
    request.page_token, request.page_size = token, 7

    assert decode_page_start(request) == COMPANY_ID
    for other in (
        vehicle_service_pb2.ListVehiclesRequest(page_token=token),
        pb.ListCompaniesRequest(page_token=token),
    ):
        with pytest.raises(PageTokenInvalid):
            decode_page_start(other)
