"""Auth on fakes."""

import pytest

from services.auth.domain.credentials import Credential
from tests.fixtures.auth_world import AuthWorld


@pytest.fixture
def world() -> AuthWorld:
    """Auth's use cases in memory, nobody known yet."""
    return AuthWorld()


@pytest.fixture
async def ada(world: AuthWorld) -> Credential:
    """Somebody of a company."""
    return await world.add_person()
