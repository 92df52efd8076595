"""Lists of people equal a plain recomputation, in memory and in PostgreSQL alike."""

import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.chassis.identity import Role, TenantScope
from services.chassis.ids import new_id
from services.users.domain.lists import (
    ListPosition,
    OrderField,
    UserOrder,
    UserQuery,
    words_of,
)
from services.users.domain.people import NewUser, Status, User, UserEdit
from services.users.ports import Transactions, UnitOfWork

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

# Few letters, so that names meet; and those that patterns, collations and folding trip over.
LETTERS = "aAáÁäbBßzZÑñ车🚚%_\\'/ 9ﬀİ\u0131Σς"
names = st.text(LETTERS, min_size=1, max_size=6).filter(str.strip)
people = st.builds(
    lambda name, role, status, minutes: (name, role, status, START + timedelta(minutes=minutes)),
    names,
    st.sampled_from([Role.DRIVER, Role.MANAGER]),
    st.sampled_from(Status),
    st.integers(0, 3),
)
orders = st.builds(UserOrder, st.sampled_from(OrderField), st.booleans())


def person(
    company_id: uuid.UUID, name: str, role: Role, status: Status, create_time: datetime
) -> User:
    """Make a person with an address that resembles their name."""
    letters = "".join(letter for letter in name if letter.isascii() and letter.isalnum())
    new = NewUser(f"{letters}{uuid.uuid4().hex}@example.com", name, role, company_id)
    return replace(User.create(new, user_id=new_id(), now=create_time), status=status)


def plain(text: str) -> str:
    """Fold a text by the definition: without marks, without case."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn").casefold()


KEYS: dict[OrderField, Callable[[User], Any]] = {
    OrderField.CREATE_TIME: lambda user: user.create_time,
    OrderField.DISPLAY_NAME: lambda user: plain(user.display_name).encode(),
    OrderField.EMAIL: lambda user: user.email.encode(),
}


def expected(everybody: Sequence[User], query: UserQuery, words: str) -> list[User]:
    """Recompute a list without any index, key or page."""
    matching = [
        user
        for user in everybody
        if query.role in {None, user.role}
        and query.status in {None, user.status}
        and all(
            word in plain(user.display_name) or word in plain(user.email)
            for word in plain(words).split()
        )
    ]
    key = KEYS[query.order.field]
    return sorted(
        matching, key=lambda user: (key(user), user.user_id), reverse=query.order.descending
    )


async def pages(work: UnitOfWork, scope: TenantScope, query: UserQuery, limit: int) -> list[User]:
    """Go through a list, page by page."""
    found: list[User] = []
    after = None
    while page := await work.users.list_after(scope, query, after, limit):
        assert len(page) <= limit
        found += page
        after = ListPosition(query.order.key(page[-1]), page[-1].user_id)
    return found


@settings(
    max_examples=40,
    deadline=None,
    # The store is shared by the examples, each of which has a company of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    everybody=st.lists(people, max_size=8),
    order=orders,
    role=st.none() | st.sampled_from(Role),
    status=st.none() | st.sampled_from(Status),
    words=st.just("") | st.text(LETTERS, max_size=3),
    limit=st.integers(1, 5),
)
async def test_lists_equal_their_recomputation(
    transactions: Transactions,
    everybody: list[tuple[str, Role, Status, datetime]],
    order: UserOrder,
    role: Role | None,
    status: Status | None,
    words: str,
    limit: int,
) -> None:
    """Whatever is asked, the pages hold those who match, once, in the order that was asked for."""
    company_id = new_id()
    added = [person(company_id, *facts) for facts in everybody]
    query = UserQuery(None, role, status, words_of(words), order)

    async with transactions.begin() as work:
        for user in added:
            await work.users.add(TenantScope.everything(), user)
        found = await pages(work, TenantScope.company(company_id), query, limit)

    assert found == expected(added, query, words)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", OrderField)
async def test_pages_are_stable_under_inserts(
    transactions: Transactions, field: OrderField, *, descending: bool
) -> None:
    """People who are added between two pages move nobody who was there before."""
    company_id, scope = new_id(), TenantScope.everything()

    async def add(name: str, minutes: int) -> User:
        when = START + timedelta(minutes=minutes)
        user = person(company_id, name, Role.DRIVER, Status.ACTIVE, when)
        async with transactions.begin() as work:
            await work.users.add(scope, user)
        return user

    there = [await add(name, 10 * number) for number, name in enumerate("mcxafzd")]
    query, after = UserQuery(order=UserOrder(field, descending)), None
    seen: list[User] = []
    newcomers = iter("aAmzZbqy")
    while True:
        async with transactions.begin() as work:
            page = await work.users.list_after(TenantScope.company(company_id), query, after, 2)
        if not page:
            break
        seen += page
        after = ListPosition(query.order.key(page[-1]), page[-1].user_id)
        for name in islice(newcomers, 2):
            await add(name, ord(name) % 70)

    assert len(seen) == len({user.user_id for user in seen})
    assert [user for user in seen if user in there] == expected(there, query, "")


async def test_lists_follow_a_new_name(transactions: Transactions) -> None:
    """Whoever is renamed is found by the new name alone, at the place of the new name."""
    company_id = new_id()
    ana, eva = (
        person(company_id, name, Role.DRIVER, Status.ACTIVE, START) for name in ("Áná", "Eva")
    )
    scope, order = TenantScope.company(company_id), UserOrder(OrderField.DISPLAY_NAME)
    zita = ana.edited(UserEdit(display_name="Zita"), START)
    async with transactions.begin() as work:
        for user in (ana, eva):
            await work.users.add(scope, user)
        await work.users.save(scope, zita)

    async with transactions.begin() as work:
        assert await pages(work, scope, UserQuery(order=order), 1) == [eva, zita]
        for words, found in (("zit", [zita]), ("ana", [])):
            query = UserQuery(words=words_of(words))
            assert await work.users.list_after(scope, query, None, 10) == found
