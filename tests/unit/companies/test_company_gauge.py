"""The number of companies is what the database says, and no stale one."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from services.chassis.errors import Unavailable
from services.companies.metrics import CompanyGauge


async def test_the_gauge_shows_what_was_counted() -> None:
    """The series has the number that the count returned."""
    registry, counted, stopping = CollectorRegistry(), asyncio.Event(), asyncio.Event()

    async def count() -> int:
        counted.set()
        return 7

    running = asyncio.create_task(CompanyGauge(count, registry).run(stopping))
    await counted.wait()
    stopping.set()
    await running

    assert registry.get_sample_value("companies_total") == 7


async def test_a_count_that_fails_is_the_supervisors_business() -> None:
    """The worker ends with the failure, and whoever supervises it starts it again later."""

    async def count() -> int:
        raise Unavailable("The database does not answer.")

    with pytest.raises(Unavailable):
        await CompanyGauge(count, CollectorRegistry()).run(asyncio.Event())
