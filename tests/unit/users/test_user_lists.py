"""Which people a list holds, in which order, page by page."""

import pytest

from services.chassis.errors import InvalidArgument
from services.chassis.identity import Role
from services.users.domain.lists import (
    OrderField,
    UserOrder,
    UserQuery,
    sort_name,
    words_of,
)
from services.users.domain.people import User, UserEdit
from tests.fixtures.users_fakes import UsersOnFakes


@pytest.fixture
def users() -> UsersOnFakes:
    """No people, two companies."""
    return UsersOnFakes()


async def named(users: UsersOnFakes, *names: str) -> list[User]:
    """Have a driver of each name."""
    people = []
    for name in names:
        driver = await users.have(Role.DRIVER)
        edit = UserEdit(display_name=name)
        people.append(
            await users.usecases.update_user(users.acting(Role.MASTER), driver.user_id, edit)
        )
    return people


async def found(users: UsersOnFakes, query: UserQuery, limit: int = 100) -> list[list[User]]:
    """List as a manager, page by page."""
    pages, after = [], None
    while True:
        page = await users.usecases.list_users(
            users.acting(Role.MANAGER), query, after=after, limit=limit
        )
        pages.append(list(page.users))
        after = page.next_after
        if after is None:
            return pages


async def test_lists_hold_the_company_page_by_page(users: UsersOnFakes) -> None:
    """Pages hold everybody of the company once, oldest first, and the last has no next."""
    people = [await users.have(Role.DRIVER) for _ in range(5)]
    await users.have(Role.DRIVER, users.foreign)

    assert await found(users, UserQuery(), limit=2) == [people[:2], people[2:4], people[4:]]


async def test_names_are_ordered_as_people_expect(users: UsersOnFakes) -> None:
    """Case and accents do not set names apart, and people of one name keep one order."""
    zoe, alvaro, ana, second_ana = await named(users, "zoé", "Álvaro", "ana", "ANA")
    order = UserOrder(OrderField.DISPLAY_NAME)

    assert await found(users, UserQuery(order=order)) == [[alvaro, ana, second_ana, zoe]]


@pytest.mark.parametrize("field", OrderField)
async def test_descending_is_ascending_backwards(users: UsersOnFakes, field: OrderField) -> None:
    """Each order can be turned around."""
    await named(users, "Rui", "Ana", "Eva")

    (up,) = await found(users, UserQuery(order=UserOrder(field)))
    (down,) = await found(users, UserQuery(order=UserOrder(field, descending=True)))

    assert up == down[::-1]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("joao", {"João Silva", "JOÃO"}),
        ("SILVA joã", {"João Silva"}),
        ("ilv", {"João Silva"}),
        ("example.com", {"João Silva", "JOÃO", "100%_\\"}),
        ("0%_\\", {"100%_\\"}),
        ("%", {"100%_\\"}),
        ("silva@", set()),
        ("\u00b4", {"João Silva", "JOÃO", "100%_\\"}),
    ],
)
async def test_words_are_found_anywhere(users: UsersOnFakes, query: str, names: set[str]) -> None:
    """Each word occurs in the name or the address; case, accents and order don't matter."""
    await named(users, "João Silva", "JOÃO", "100%_\\")

    (page,) = await found(users, UserQuery(words=words_of(query)))

    assert {user.display_name for user in page} == names


@pytest.mark.parametrize("query", ["\0", "a\nb"])
def test_control_characters_are_not_searched_for(query: str) -> None:
    """No name holds them, and a database may refuse them."""
    with pytest.raises(InvalidArgument) as refusal:
        words_of(query)

    assert [violation.field for violation in refusal.value.violations] == ["query"]


@pytest.mark.parametrize("text", ["name", "email descending", "email desc ", "email,role", " "])
def test_unknown_orders_are_refused(text: str) -> None:
    """An order that the list doesn't have is the caller's mistake."""
    with pytest.raises(InvalidArgument) as refusal:
        UserOrder.parse(text)

    assert [violation.field for violation in refusal.value.violations] == ["order_by"]


async def test_sort_keys_fit_page_tokens(users: UsersOnFakes) -> None:
    """A name that grows when it is folded is ordered by its beginning."""
    (person,) = await named(users, "\ufdfa" * 100)

    assert len(sort_name(person)) == 100
