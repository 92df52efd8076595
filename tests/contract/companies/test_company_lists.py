"""Lists of companies equal a plain recomputation, in memory and in PostgreSQL alike."""

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

from services.chassis.identity import TenantScope
from services.chassis.ids import new_id
from services.companies.domain.companies import Company, CompanyEdit, CompanyState, NewCompany
from services.companies.domain.lists import CompanyOrder, CompanyQuery, ListPosition, OrderField
from services.companies.domain.search import words_of
from services.companies.ports.store import Transactions, UnitOfWork
from tests.fixtures.companies_fake_plans import first_plans

EVERYTHING = TenantScope.everything()
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

# Few letters, so that names meet; and those that patterns, collations and folding trip over.
LETTERS = "aAáÁäbBßzZÑñ车🚚%_\\'/ 9ﬀİ\u0131Σς"
facts = st.tuples(
    st.text(LETTERS, min_size=1, max_size=6).filter(str.strip),
    st.sampled_from(CompanyState),
    st.integers(0, 3),
)
orders = st.builds(CompanyOrder, st.sampled_from(OrderField), st.booleans())


def company(name: str, state: CompanyState, minutes: int, plan_id: str = "standard") -> Company:
    """Make a company; its name is unique by what nobody searches for."""
    new = NewCompany(f"{name} {uuid.uuid4().int}")
    made = Company.create(
        new, first_plans()["standard"], company_id=new_id(), now=START + timedelta(minutes=minutes)
    )
    return replace(made, state=state, plan_id=plan_id)


def plain(text: str) -> str:
    """Fold a text by the definition: without marks, without case."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn").casefold()


KEYS: dict[OrderField, Callable[[Company], Any]] = {
    OrderField.CREATE_TIME: lambda found: found.create_time,
    OrderField.DISPLAY_NAME: lambda found: plain(found.display_name)[:100].encode(),
}


def expected(companies: Sequence[Company], query: CompanyQuery, words: str) -> list[Company]:
    """Recompute a list without any index, key or page."""
    deleted_too = query.show_deleted or query.state is CompanyState.DELETED
    matching = [
        found
        for found in companies
        if query.state in {None, found.state}
        and query.plan_id in {None, found.plan_id}
        and (deleted_too or found.state is not CompanyState.DELETED)
        and all(word in plain(found.display_name) for word in plain(words).split())
    ]
    key = KEYS[query.order.field]
    return sorted(
        matching,
        key=lambda found: (key(found), found.company_id),
        reverse=query.order.descending,
    )


async def pages(work: UnitOfWork, query: CompanyQuery, limit: int) -> list[Company]:
    """Go through a list of everybody's, page by page."""
    found: list[Company] = []
    after = None
    while page := await work.companies.list_after(EVERYTHING, query, after, limit):
        assert len(page) <= limit
        found += page
        after = ListPosition(query.order.key(page[-1]), page[-1].company_id)
    return found


@settings(
    max_examples=40,
    deadline=None,
    # The store is shared by the examples, each of which has a plan of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    everything=st.lists(facts, max_size=8),
    order=orders,
    state=st.none() | st.sampled_from(CompanyState),
    words=st.just("") | st.text(LETTERS, max_size=3),
    limit=st.integers(1, 5),
    show_deleted=st.booleans(),
)
async def test_lists_equal_their_recomputation(
    transactions: Transactions,
    everything: list[tuple[str, CompanyState, int]],
    order: CompanyOrder,
    state: CompanyState | None,
    words: str,
    limit: int,
    *,
    show_deleted: bool,
) -> None:
    """Whatever is asked, the pages hold those that match, once, in the order that was asked for."""
    plan_id = f"plan-{uuid.uuid4().hex[:20]}"
    added = [company(*found, plan_id=plan_id) for found in everything]
    query = CompanyQuery(state, plan_id, words_of(words), order, show_deleted)

    async with transactions.begin() as work:
        for found in added:
            await work.companies.add(EVERYTHING, found)
        listed = await pages(work, query, limit)

    assert listed == expected(added, query, words)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", OrderField)
async def test_pages_are_stable_under_inserts(
    transactions: Transactions, field: OrderField, *, descending: bool
) -> None:
    """Companies that are added between two pages move none that was there before."""
    plan_id = f"plan-{uuid.uuid4().hex[:20]}"

    async def add(name: str, minutes: int) -> Company:
        made = company(name, CompanyState.ACTIVE, minutes, plan_id)
        async with transactions.begin() as work:
            await work.companies.add(EVERYTHING, made)
        return made

    there = [await add(name, 10 * number) for number, name in enumerate("mcxafzd")]
    query = CompanyQuery(plan_id=plan_id, order=CompanyOrder(field, descending))
    after, newcomers = None, iter("aAmzZbqy")
    seen: list[Company] = []
    while True:
        async with transactions.begin() as work:
            page = await work.companies.list_after(EVERYTHING, query, after, 2)
        if not page:
            break
        seen += page
        after = ListPosition(query.order.key(page[-1]), page[-1].company_id)
        for name in islice(newcomers, 2):
            await add(name, ord(name) % 70)

    assert len(seen) == len({found.company_id for found in seen})
    assert [found for found in seen if found in there] == expected(there, query, "")


async def test_lists_follow_a_new_name(transactions: Transactions) -> None:
    """A renamed company is found by its new name alone."""
    made = company("Áná", CompanyState.ACTIVE, 0)
    name = f"Zita {uuid.uuid4().hex}"
    renamed = made.edited(CompanyEdit(display_name=name), START)
    async with transactions.begin() as work:
        await work.companies.add(EVERYTHING, made)
        await work.companies.save(EVERYTHING, renamed)

    async with transactions.begin() as work:
        for words, found in ((name.upper(), [renamed]), (made.display_name, [])):
            query = CompanyQuery(words=words_of(words))
            assert await work.companies.list_after(EVERYTHING, query, None, 10) == found
            own = TenantScope.company(made.company_id)
            assert await work.companies.list_after(own, query, None, 10) == found
