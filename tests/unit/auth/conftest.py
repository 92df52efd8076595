"""Auth on fakes."""

import pytest

from tests.fixtures.auth_world import AuthWorld


@pytest.fixture
def world() -> AuthWorld:
    """Auth's use cases in memory, nobody known yet."""
    return AuthWorld()
