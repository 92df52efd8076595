"""The system that all sagas share, which each test leaves running."""

from collections.abc import Iterator

import pytest

from tests.fixtures.effort import EFFORT
from tests.fixtures.ports import reserved_ports
from tests.fixtures.shutting_out import RealServices
from tests.fixtures.stack import PORT_NAMES
from tests.fixtures.system import System
from tests.fixtures.waiting import eventually

pytest.register_assert_rewrite(
    *(f"tests.sagas.{name}" for name in ("access", "boards", "deletions", "faults"))
)

from tests.sagas.tenants import Tenant, new_tenant  # noqa: E402 - after it can be rewritten
from tests.sagas.traces import Contents, contents_of  # noqa: E402


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each cut once, and again and again in `make soak`."""
    if EFFORT > 1:
        metafunc.fixturenames.append("round_number")
        metafunc.parametrize("round_number", range(EFFORT))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The parts of the system; `services` has them started."""
    with reserved_ports(len(PORT_NAMES)) as numbers:
        ports = dict(zip(PORT_NAMES, numbers, strict=True))
        yield System(tmp_path_factory.mktemp("system") / "state", ports)


@pytest.fixture(scope="session")
def running_services(system: System) -> Iterator[RealServices]:
    """The services of the system, up."""
    with system.running() as services:
        yield services


@pytest.fixture
def services(system: System, running_services: RealServices) -> RealServices:
    """The services, with a fresh session of their administrator."""
    system.log_in_as_administrator(running_services)
    return running_services


@pytest.fixture(scope="session")
def neighbours(system: System, running_services: RealServices) -> Tenant:
    """A company beside those that things happen to."""
    tenant = new_tenant(running_services)
    system.settle()
    latest = "SELECT 1 FROM device_latest WHERE device_id = $1"
    eventually(
        lambda: system.databases.value("telemetry", latest, tenant.board[0]), "its newest values"
    )
    return tenant


@pytest.fixture
def neighbour(system: System, neighbours: Tenant) -> tuple[Tenant, Contents]:
    """A company that nothing happens to, and all that the databases hold of it."""
    return neighbours, contents_of(system.databases, neighbours)
