"""The newest values, pages of ranges, and the schema's keys."""

import uuid
from collections.abc import AsyncGenerator

import numpy as np
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.telemetry.domain.batches import span_bound_ms
from services.telemetry.domain.columns import Grid
from services.telemetry.domain.latest import NO_VALUE, SENSORS_KEPT_MAX, Fix, Latest, Newest
from services.telemetry.metrics import UploadMetrics
from services.telemetry.ports.reading import Chunk
from services.telemetry.storage.tables import LOCAL_TABLES, METADATA, REFERENCE_TABLES
from services.telemetry.usecases.reading import RangePage, _page


def test_newer_values_replace_older_ones() -> None:
    """By time; of the same time the later one counts; a missing value replaces none."""
    latest = Latest({"a": Newest(5, 1.0), "b": Newest(5, NO_VALUE)}, Fix(5, 1, 1), 5)
    latest.absorb(Latest({"a": Newest(4, 9.0), "b": Newest(1, 2.0)}, Fix(4, 9, 9), 4))
    latest.absorb(Latest({"a": Newest(5, 3.0), "c": Newest(1, NO_VALUE)}, Fix(5, 2, 2), 9))
    latest.absorb(Latest({"a": Newest(9, NO_VALUE)}))

    assert latest.sensors["a"] == Newest(5, 3.0)
    assert latest.sensors["b"] == Newest(1, 2.0)
    assert latest.sensors["c"].is_missing
    assert (latest.fix, latest.uploaded_at_ms) == (Fix(5, 2, 2), 9)


def test_a_device_that_invents_sensors_has_its_oldest_forgotten() -> None:
    """The row stays bounded."""
    latest = Latest()
    for number in range(SENSORS_KEPT_MAX + 3):
        latest.absorb(Latest({f"s{number}": Newest(number, 1.0)}))

    assert len(latest.sensors) == SENSORS_KEPT_MAX
    assert "s2" not in latest.sensors
    assert "s3" in latest.sensors


@pytest.mark.parametrize(
    ("span", "bound"), [(0, 0), (1, 1), (2, 2), (3, 4), (1024, 1024), (1025, 2048)]
)
def test_span_bounds_are_never_below_the_span(span: int, bound: int) -> None:
    """Rounded up to powers of two."""
    assert span_bound_ms(span) == bound


def grid(*points: tuple[int, float]) -> Grid:
    """A grid of one row."""
    times = np.array([time for time, _ in points], np.int64)
    return Grid(times, [np.array([value for _, value in points], np.float64)])


async def chunks(*parts: tuple[Grid, int, int]) -> AsyncGenerator[Chunk, None]:
    """Chunks as the store yields them."""
    for part in parts:
        yield Chunk(*part)


def readings(page: RangePage) -> list[tuple[int, float]]:
    """The page's readings."""
    return list(zip(page.grid.times_ms.tolist(), page.grid.rows[0].tolist(), strict=True))


async def test_a_page_waits_for_what_may_still_come_earlier() -> None:
    """Readings behind the last batch's start are not final before the next chunk is seen."""
    page = await _page(
        chunks((grid((1, 1.0), (9, 9.0)), 5, 1), (grid((5, 5.0), (9, 8.0)), 100, 1)), 0, 100, 2
    )

    assert readings(page) == [(1, 1.0), (5, 5.0)]
    assert page.next_start_ms == 6


async def test_of_the_same_time_the_later_batch_counts() -> None:
    """Across chunks as within one."""
    page = await _page(
        chunks((grid((1, 1.0), (2, 2.0), (1, 3.0)), 2, 1), (grid((2, 4.0)), 100, 1)), 0, 100, 10
    )

    assert readings(page) == [(1, 3.0), (2, 4.0)]
    assert page.next_start_ms is None


async def test_a_page_that_is_exactly_full_is_the_last() -> None:
    """No empty page follows."""
    page = await _page(chunks((grid((1, 1.0), (2, 2.0)), 100, 1)), 0, 100, 2)

    assert (len(page.grid), page.next_start_ms) == (2, None)


async def test_a_sparse_sensor_does_not_make_a_page_endless() -> None:
    """After many batches the page ends where it is, and the next goes on from there."""
    page = await _page(chunks((grid((1, 1.0)), 50, 5000), (grid((60, 2.0)), 100, 5000)), 0, 100, 10)

    assert readings(page) == [(1, 1.0)]
    assert page.next_start_ms == 50


def unique_keys() -> list[tuple[str, tuple[str, ...]]]:
    """Every unique key that the tables declare."""
    keys = {
        (table.name, tuple(column.name for column in key.columns))
        for table in METADATA.tables.values()
        for key in (*table.constraints, *table.indexes)
        if isinstance(key, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
        or (isinstance(key, sa.Index) and key.unique)
    }
    # In the same order in every process that collects tests.
    return sorted(keys)


@pytest.mark.parametrize(("table", "columns"), unique_keys())
def test_every_unique_key_carries_the_company(table: str, columns: tuple[str, ...]) -> None:
    """So that the schema distributes by it unchanged; exceptions stay on one node, or whole."""
    assert "company_id" in columns or table in REFERENCE_TABLES | LOCAL_TABLES


def test_devices_count_as_connected_for_a_while() -> None:
    """Those that uploaded within the last minutes, each once."""
    now_s = 1000.0
    registry = CollectorRegistry()
    metrics = UploadMetrics(registry, monotonic=lambda: now_s)

    def connected() -> float | None:
        return registry.get_sample_value("esp32_devices_connected")

    metrics.stored(uuid.UUID(int=1), 3)
    now_s += 200
    metrics.repeated(uuid.UUID(int=2))
    metrics.repeated(uuid.UUID(int=2))
    assert connected() == 2
    now_s += 200
    assert connected() == 1
    assert registry.get_sample_value("sensor_readings_total") == 3
