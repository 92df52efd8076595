"""Vehicles survive the way to protobuf, masks mean what they say, pages lead on in their list."""

import uuid
from datetime import UTC, datetime

import pytest
from dashtrack.companies.v1 import vehicle_service_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import InvalidArgument, UpdateMaskInvalid
from services.chassis.page_tokens import PageTokenInvalid
from services.companies.codec import directory
from services.companies.codec import vehicles as codec
from services.companies.domain.vehicle_lists import VehicleOrder, VehiclePosition
from services.companies.domain.vehicles import (
    ODOMETER_M_MAX,
    Vehicle,
    VehicleStatus,
    VehicleType,
)
from services.companies.usecases.vehicles import VehiclePage

VEHICLE_ID = uuid.UUID("01900000-0000-7000-8000-00000000000a")

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
odometers = st.integers(0, ODOMETER_M_MAX)
vehicles = st.builds(
    Vehicle,
    vehicle_id=st.uuids(),
    company_id=st.uuids(),
    plate=texts,
    display_name=texts,
    type=st.sampled_from(VehicleType),
    status=st.sampled_from(VehicleStatus),
    odometer_m=odometers,
    vin=st.just("1HGCM82633A004352"),
    team_id=st.none() | st.uuids(),
    version=st.integers(1, 2**62),
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
    assert pb.Vehicle.Type.Name(message.type) == f"TYPE_{vehicle.type.name}"
    assert pb.Vehicle.Status.Name(message.status) == f"STATUS_{vehicle.status.name}"
    assert (message.odometer_m, message.vin) == (vehicle.odometer_m, vehicle.vin)
    assert message.team_id == str(vehicle.team_id or "")
    assert message.create_time.ToDatetime(UTC) == vehicle.create_time
    assert message.update_time.ToDatetime(UTC) == vehicle.update_time
    assert message.etag == vehicle.etag
    standing = directory.encode_vehicle_standing(vehicle)
    assert (standing.vehicle_id, standing.status) == (message.vehicle_id, message.status)


@given(st.sampled_from(["create_time", "display_name desc", "plate", "odometer_m desc"]), vehicles)
def test_page_tokens_lead_on_within_their_list(text: str, vehicle: Vehicle) -> None:
    """A token leads to exactly where its page ended, and is refused by another list."""
    order = VehicleOrder.parse(text)
    position = VehiclePosition(order.key(vehicle), vehicle.vehicle_id)
    request = pb.ListVehiclesRequest(order_by=text, query="van")
    token = codec.encode_vehicle_page(VehiclePage([], position), request).next_page_token
    request.page_token, request.page_size = token, 7

    assert codec.decode_position(request, order) == position
    for other in (
        pb.ListVehiclesRequest(order_by=text, page_token=token),
        pb.ListVehiclesRequest(query="van", page_token=token),
    ):
        with pytest.raises(PageTokenInvalid):
            codec.decode_position(other, order)


def test_masks_decide_what_changes() -> None:
    """A field that is named and empty gets its default; without a mask those that are set do."""
    vehicle = pb.Vehicle(vehicle_id=str(VEHICLE_ID), odometer_m=7, etag="3")
    paths = ["type", "status", "team_id", "vin", "display_name"]

    _, masked = codec.decode_edit(
        pb.UpdateVehicleRequest(vehicle=vehicle, update_mask=FieldMask(paths=paths))
    )
    vehicle_id, unmasked = codec.decode_edit(pb.UpdateVehicleRequest(vehicle=vehicle))

    assert (masked.type, masked.status) == (VehicleType.OTHER, VehicleStatus.ACTIVE)
    assert (masked.vin, masked.display_name, masked.leaves_team) == ("", "", True)
    assert (masked.odometer_m, masked.plate) == (None, None)
    assert vehicle_id == VEHICLE_ID
    assert (unmasked.odometer_m, unmasked.etag, unmasked.leaves_team) == (7, "3", False)
    assert (unmasked.type, unmasked.status, unmasked.vin) == (None, None, None)


def test_bad_masks_and_missing_ids_are_named() -> None:
    """What can't be changed is refused by its path, and an update is of some vehicle."""
    vehicle = pb.Vehicle(vehicle_id=str(VEHICLE_ID))
    mask = FieldMask(paths=["company_id"])

    with pytest.raises(UpdateMaskInvalid) as refusal:
        codec.decode_edit(pb.UpdateVehicleRequest(vehicle=vehicle, update_mask=mask))
    assert refusal.value.metadata == {"path": "company_id"}
    with pytest.raises(InvalidArgument):
        codec.decode_edit(pb.UpdateVehicleRequest(vehicle=pb.Vehicle(plate="AA01")))
