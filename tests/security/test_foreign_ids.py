"""What belongs to others answers as what doesn't exist: to the byte, and for the same work."""

import dataclasses
import re
import uuid
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from services.chassis.identity import Role
from tests.fixtures.costs import CostRecorder, Costs
from tests.fixtures.rpcs import RPCS
from tests.fixtures.two_tenants import Tenant, TwoTenants
from tests.integration.test_access_matrix import REACHES

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def unknown_tenant() -> Tenant:
    """Name things that nobody has."""
    return Tenant(*(str(uuid.uuid4()) for _ in dataclasses.fields(Tenant)))


def answered(
    recorder: CostRecorder, world: TwoTenants, path: str, request: Message, role: Role
) -> tuple[Costs, grpc.StatusCode, str, list[Any]]:
    """Call, and return everything that the caller could look at, with ids made alike."""
    with recorder.recording() as costs:
        try:
            world.call(path, request, role)
        except grpc.RpcError as err:
            call: Any = err
            trailers = [
                (key, _UUID.sub("id", value if isinstance(value, str) else value.decode("latin-1")))
                for key, value in call.trailing_metadata() or ()
            ]
            return costs, call.code(), _UUID.sub("id", call.details()), trailers
    pytest.fail("nothing was refused")


@pytest.mark.parametrize("path", [path for path in REACHES if RPCS[path].roles != {Role.MASTER}])
def test_foreign_ids_answer_as_unknown_ones(
    world: TwoTenants, cost_recorder: CostRecorder, path: str
) -> None:
    """Status, words, details and headers are the same, and so are the statements that were run."""
    role = next(role for role in Role if role in RPCS[path].roles and role is not Role.MASTER)
    reach = REACHES[path]

    outcomes = [
        answered(cost_recorder, world, path, reach.request(tenant), role)
        # Once before it counts: what is asked of others is kept for a while.
        for tenant in (world.foreign, world.foreign, unknown_tenant(), unknown_tenant())
    ]

    assert outcomes[1] == outcomes[3]
