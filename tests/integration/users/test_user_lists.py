"""Lists of people as their callers see them."""

from typing import Any

import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as pb
from grpc import StatusCode

from services.chassis.identity import Role
from tests.fixtures.refusals import refused


def test_pages_hold_everybody_once(people: Any) -> None:
    """Pages are bounded, in order, complete, and stable while people are added."""
    expected = [people.add() for _ in range(5)]
    request, found = pb.ListUsersRequest(page_size=2), []
    while True:
        page = people.call(Role.MANAGER, "ListUsers", request)
        assert len(page.users) <= 2
        found += page.users
        if len(found) == 2:
            expected.append(people.add())
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    assert found == expected


def test_page_tokens_belong_to_their_list(people: Any) -> None:
    """A token with another filter, or altered, or invented, is refused."""
    for _ in range(2):
        people.add()
    company = str(people.company_id)
    one = people.call(
        Role.MASTER, "ListUsers", pb.ListUsersRequest(page_size=1, company_id=company)
    )

    for request in (
        pb.ListUsersRequest(page_token=one.next_page_token),
        pb.ListUsersRequest(
            page_token=one.next_page_token, company_id=company, order_by="create_time"
        ),
        pb.ListUsersRequest(page_token=one.next_page_token[:-1], company_id=company),
        pb.ListUsersRequest(page_token="invented"),
    ):
        with refused(StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"):
            people.call(Role.MASTER, "ListUsers", request)


@pytest.mark.parametrize("page_size", [-1, 1001])
def test_page_sizes_are_bounded(people: Any, page_size: int) -> None:
    """A page size outside the limits is refused, not clamped."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest(page_size=page_size))

    assert refusal.fields == {"page_size"}


def names(people: Any, **question: Any) -> list[str]:
    """List the names of the company's people."""
    page = people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest(**question))
    return [user.display_name for user in page.users]


def test_lists_are_filtered_and_ordered(people: Any) -> None:
    """Each filter and each order of the contract is honoured, also together."""
    for name, role in (
        ("João Silva", options_pb2.ROLE_DRIVER),
        ("Ana Silva", options_pb2.ROLE_HELPER),
        ("Zoé", options_pb2.ROLE_DRIVER),
    ):
        last = people.add(display_name=name, role=role)
    people.call(Role.MANAGER, "DeactivateUser", pb.DeactivateUserRequest(user_id=last.user_id))

    assert names(people) == ["João Silva", "Ana Silva", "Zoé"]
    assert names(people, order_by="display_name") == ["Ana Silva", "João Silva", "Zoé"]
    assert names(people, order_by="create_time desc") == ["Zoé", "Ana Silva", "João Silva"]
    assert names(people, role=options_pb2.ROLE_DRIVER) == ["João Silva", "Zoé"]
    assert names(people, status=pb.User.STATUS_DEACTIVATED) == ["Zoé"]
    assert names(people, query="silva JOAO") == ["João Silva"]
    assert names(people, query=last.email[:12]) == ["Zoé"]
    assert names(people, query="silva", role=options_pb2.ROLE_HELPER) == ["Ana Silva"]
    assert names(people, query="nobody") == []


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"order_by": "role"}, "order_by"),
        ({"order_by": "email,role"}, "order_by"),
        ({"query": "a" * 101}, "query"),
        ({"query": "a\0b"}, "query"),
        ({"role": 99}, "role"),
        ({"status": 99}, "status"),
    ],
)
def test_bad_questions_are_named(people: Any, question: dict[str, Any], field: str) -> None:
    """A filter or an order that the list doesn't have is refused by the name of its field."""
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        names(people, **question)

    assert refusal.fields == {field}


@pytest.mark.parametrize("order_by", ["display_name desc", "email"])
def test_long_names_do_not_break_pages(people: Any, order_by: str) -> None:
    """Pages go on after names that take the most room that a name may."""
    for _ in range(3):
        people.add(display_name="\U0001d4d0\ufdfa" * 50)
    request, found = pb.ListUsersRequest(page_size=1, order_by=order_by), []
    while True:
        page = people.call(Role.MANAGER, "ListUsers", request)
        found += [user.user_id for user in page.users]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    assert len(set(found)) == len(found) == 3
