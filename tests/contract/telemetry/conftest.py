"""The registry of telemetry: the fake, and PostgreSQL with the real schema."""

import pytest

from services.telemetry.ports.registry import Registry
from services.telemetry.storage.registry import PostgresRegistry
from tests.fixtures.telemetry_registry_fakes import FakeRegistry


@pytest.fixture(params=["fake", "postgres"])
def registry(request: pytest.FixtureRequest) -> Registry:
    """The adapter under test."""
    if request.param == "fake":
        return FakeRegistry()
    return PostgresRegistry(request.getfixturevalue("telemetry_pool"))
