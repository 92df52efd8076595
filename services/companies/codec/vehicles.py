"""Vehicles between protobuf and the domain."""

from dashtrack.companies.v1 import vehicle_service_pb2

from services.chassis.fields import decode_optional_id, encode_time
from services.chassis.page_tokens import encode_next_page
from services.companies.domain.vehicles import NewVehicle, Vehicle
from services.companies.usecases.pages import Page


def decode_new_vehicle(request: vehicle_service_pb2.CreateVehicleRequest) -> NewVehicle:
    """Read what a creation asks for."""
    return NewVehicle(
        company_id=decode_optional_id(request.vehicle.company_id),
        plate=request.vehicle.plate,
        display_name=request.vehicle.display_name,
        request_id=decode_optional_id(request.request_id),
    )


def encode_vehicle_page(
    page: Page[Vehicle], request: vehicle_service_pb2.ListVehiclesRequest
) -> vehicle_service_pb2.ListVehiclesResponse:
    """Write a page, and the token that gets the next one."""
    return vehicle_service_pb2.ListVehiclesResponse(
        vehicles=map(encode_vehicle, page.items),
        next_page_token=encode_next_page(page.next_after, request),
    )


def encode_vehicle(vehicle: Vehicle) -> vehicle_service_pb2.Vehicle:
    """Write a vehicle as callers see it."""
    return vehicle_service_pb2.Vehicle(
        vehicle_id=str(vehicle.vehicle_id),
        company_id=str(vehicle.company_id),
        plate=vehicle.plate,
        display_name=vehicle.display_name,
        create_time=encode_time(vehicle.create_time),
        update_time=encode_time(vehicle.update_time),
    )
