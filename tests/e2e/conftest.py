"""What holds for every test on the whole system."""

from pathlib import Path

import pytest

_TIMEOUT_S = 180
"""The first test of a worker waits for the system to come up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give those that don't name their own limit time for the start."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))
