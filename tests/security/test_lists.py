"""Lists page by page: whole, in order, each entry once; and page tokens are worth nothing else."""

import base64
import contextlib
import itertools
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
import pytest
from dashtrack.companies.v1 import company_pb2, team_service_pb2
from dashtrack.companies.v1 import company_service_pb2 as companies
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract import load, rules
from services.chassis.identity import Role
from tests.fixtures.effort import EFFORT, timeout_s
from tests.fixtures.refusals import refused
from tests.fixtures.rpcs import RPCS
from tests.fixtures.two_tenants import Tenant, TwoTenants, new_device, new_user, new_vehicle

pytestmark = pytest.mark.timeout(timeout_s())
ENTRIES = 7
LISTS = [
    path
    for path, rpc in RPCS.items()
    if {"page_size", "page_token"}.issubset(rpc.method.input_type.fields_by_name)
    and Role.MASTER in rpc.roles
    # A sensor that has sent nothing isn't there; its pages are tested with telemetry.
    and "sensor" not in rpc.method.input_type.fields_by_name
]


def new_company(_: Tenant) -> Message:
    """Ask for a company."""
    company = company_pb2.Company(display_name=f"Company {uuid.uuid4().hex}")
    return companies.CreateCompanyRequest(company=company)


def new_team(tenant: Tenant) -> Message:
    """Ask for a team."""
    name = f"Team {uuid.uuid4().hex}"
    team = team_service_pb2.Team(company_id=tenant.company_id, display_name=name)
    return team_service_pb2.CreateTeamRequest(team=team)


# How another entry of a list is made; what isn't here is listed as it is.
MAKERS: Mapping[str, tuple[str, Callable[[Tenant], Message]]] = {
    "/dashtrack.users.v1.UserService/ListUsers": ("CreateUser", new_user),
    "/dashtrack.companies.v1.CompanyService/ListCompanies": ("CreateCompany", new_company),
    "/dashtrack.companies.v1.TeamService/ListTeams": ("CreateTeam", new_team),
    "/dashtrack.companies.v1.VehicleService/ListVehicles": ("CreateVehicle", new_vehicle),
    "/dashtrack.telemetry.v1.DeviceService/ListDevices": ("RegisterDevice", new_device),
}


def make(world: TwoTenants, path: str) -> None:
    """Make another entry of a list."""
    method, request = MAKERS[path]
    world.call(f"{path.rpartition('/')[0]}/{method}", request(world.own))


@pytest.fixture(scope="module")
def filled(world: TwoTenants) -> TwoTenants:
    """A company with several of everything."""
    for path in MAKERS:
        for _ in range(ENTRIES):
            make(world, path)
    return world


def question(world: TwoTenants, path: str, **more: Any) -> Any:
    """Ask a list about what there is, as far as it has to be named."""
    request: Any = RPCS[path].new_request()
    fields = request.DESCRIPTOR.fields_by_name
    if "device_id" in fields:
        request.device_id = world.own.device_id
    for name, value in more.items():
        setattr(request, name, value)
    return request


def entries(answer: Any) -> list[bytes]:
    """Return the entries of a page."""
    return [
        item.SerializeToString()
        for field, value in answer.ListFields()
        if field.is_repeated
        for item in value
    ]


def pages(world: TwoTenants, path: str, request: Any) -> Iterator[list[bytes]]:
    """Walk from page to page."""
    while True:
        answer: Any = world.call(path, request)
        yield entries(answer)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def orders(path: str) -> list[str]:
    """Read the orders of a list from the pattern of its parameter."""
    name = RPCS[path].method.input_type.full_name
    field = next(
        (
            field
            for file in FILES.file
            for message in file.message_type
            if f"{file.package}.{message.name}" == name
            for field in message.field
            if field.name == "order_by"
        ),
        None,
    )
    if field is None:
        return [""]
    found = re.match(r"\^\(\(([a-z_|]+)\)\( \(asc\|desc\)\)\?\)\?\$", rules(field).string.pattern)
    assert found, f"the orders of {path} are not written as those of other lists"
    return ["", *(f"{key} {way}" for key in found[1].split("|") for way in ("asc", "desc"))]


FILES = load()
ORDERED = [(path, order) for path in LISTS for order in orders(path)]


@pytest.mark.parametrize(("path", "order"), ORDERED)
def test_pages_put_together_are_the_list(filled: TwoTenants, path: str, order: str) -> None:
    """Whatever the size of a page, and whatever the order."""
    more = {"order_by": order} if order else {}
    everything = question(filled, path, page_size=1000, **more)
    whole = list(itertools.chain(*pages(filled, path, everything)))

    assert len(set(whole)) == len(whole)
    for size in (2, 3):
        walked = list(pages(filled, path, question(filled, path, page_size=size, **more)))
        # Some lists, such as that of what was done, grow meanwhile by themselves.
        assert [entry for entry in itertools.chain(*walked) if entry in set(whole)] == whole
        assert all(len(page) <= size for page in walked)


@pytest.mark.parametrize(
    ("path", "order"), [(path, order) for path, order in ORDERED if path in MAKERS]
)
def test_what_is_there_all_the_time_is_listed_once(
    filled: TwoTenants, path: str, order: str
) -> None:
    """However much is added between one page and the next."""
    more = {"order_by": order} if order else {}
    before = set(
        itertools.chain(*pages(filled, path, question(filled, path, page_size=1000, **more)))
    )

    walked: list[bytes] = []
    for number, page in enumerate(pages(filled, path, question(filled, path, page_size=5, **more))):
        walked += page
        if number < 2:
            make(filled, path)

    assert len(set(walked)) == len(walked)
    assert before <= set(walked)


def token_of(world: TwoTenants, path: str) -> str:
    """Return the token of a list's second page."""
    return str(world.call(path, question(world, path, page_size=1)).next_page_token)


@pytest.mark.parametrize("path", MAKERS)
def test_a_token_is_good_for_its_own_question_alone(filled: TwoTenants, path: str) -> None:
    """Other filters, another order, another list: refused rather than misread."""
    token = token_of(filled, path)
    others = [(other, question(filled, other)) for other in MAKERS if other != path]
    fields = RPCS[path].method.input_type.fields_by_name
    for name, value in {
        "company_id": filled.foreign.company_id,
        "query": "a",
        "order_by": "create_time desc",
    }.items():
        if name in fields:
            others.append((path, question(filled, path, **{name: value})))
    for other, request in others:
        request.page_token = token
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
            filled.call(other, request)


@pytest.mark.parametrize("path", [path for path in MAKERS if "Companies" not in path])
def test_a_token_takes_nobody_into_another_company(filled: TwoTenants, path: str) -> None:
    """Whoever finds one sees with it what they see anyhow."""
    request = question(filled, path, page_token=token_of(filled, path), page_size=1000)
    token = filled.token(Role.MANAGER, filled.foreign.company_id)
    channel = filled.services.channel(RPCS[path].service)
    seen: set[str] = set()
    with contextlib.suppress(grpc.RpcError):
        answer: Any = RPCS[path].call(channel, request, token)
        seen = {
            item.company_id
            for field, value in answer.ListFields()
            if field.is_repeated
            for item in value
        }

    assert seen <= {filled.foreign.company_id}


@settings(
    max_examples=40 * EFFORT,
    deadline=None,
    derandomize=EFFORT == 1,
    suppress_health_check=[*HealthCheck],
)
@given(data=st.data())
def test_no_altered_token_is_believed(filled: TwoTenants, data: st.DataObject) -> None:
    """Not with a bit flipped, not cut, not lengthened, and nothing that was made up."""
    path = data.draw(st.sampled_from(list(MAKERS)))
    genuine = token_of(filled, path)
    raw = bytearray(base64.urlsafe_b64decode(genuine + "=" * (-len(genuine) % 4)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    cut = genuine[: data.draw(st.integers(1, len(genuine) - 1))]
    longer = genuine + data.draw(st.text("ABCabc012-_=", min_size=1, max_size=8))
    made_up = data.draw(st.text(min_size=1, max_size=100))
    for token in (flipped, cut, longer, made_up):
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
            filled.call(path, question(filled, path, page_token=token))
