"""What every directory of companies promises, in memory and over gRPC alike."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import TracerProvider

from services.chassis.channels import Channels
from services.chassis.errors import Unavailable
from services.users.clients import GrpcCompanyDirectory
from services.users.domain.companies import CompanyStanding, CompanyState
from services.users.domain.errors import CompanyNotFound
from services.users.ports import CompanyDirectory
from services.users.settings import UsersSettings
from tests.fixtures.company_directory import DELETED, DELETING, SUSPENDED, ScriptedDirectory
from tests.fixtures.ports import reserved_ports
from tests.fixtures.serving import ServedService
from tests.fixtures.token_authority import SERVICE_SECRET, TokenAuthority
from tests.fixtures.users_fakes import FakeCompanyDirectory


@dataclass
class Directories:
    """A directory that knows one company, and one that nobody answers for."""

    directory: CompanyDirectory
    away: CompanyDirectory
    known_id: uuid.UUID


def users_settings(auth_target: str) -> UsersSettings:
    """Make the settings of a users service that gets its service tokens there."""
    return UsersSettings(
        database_url="postgresql+asyncpg://unused-here",
        nats_password="unused-here",
        service_secret=SERVICE_SECRET,
        auth_target=auth_target,
        bootstrap_email="root@dashtrack.test",
    )


@pytest.fixture
async def channels(token_authority: TokenAuthority) -> AsyncIterator[Channels]:
    """The channels of the users service."""
    channels = Channels(users_settings(token_authority.target), "users", TracerProvider())
    yield channels
    await channels.close()


@pytest.fixture
async def fake() -> Directories:
    """Directories in memory."""
    known_id = uuid.uuid4()
    away = FakeCompanyDirectory({known_id}, away=True)
    return Directories(FakeCompanyDirectory({known_id}), away, known_id)


@pytest.fixture
async def remote(
    channels: Channels, companies_service: ServedService, company_id: uuid.UUID
) -> AsyncIterator[Directories]:
    """The companies service, and a port where nothing listens."""
    with reserved_ports(1) as (port,):
        away = GrpcCompanyDirectory(channels.channel(f"127.0.0.1:{port}"))
        there = GrpcCompanyDirectory(channels.channel(companies_service.target))
        yield Directories(there, away, company_id)


@pytest.fixture(params=["fake", "remote"])
def directories(request: pytest.FixtureRequest) -> Directories:
    """The adapter under test."""
    found: Directories = request.getfixturevalue(request.param)
    return found


async def test_known_companies_are_there(directories: Directories) -> None:
    """A company that exists is told as it stands."""
    standing = await directories.directory.require(directories.known_id)

    assert standing.company_id == directories.known_id
    assert standing.state is CompanyState.ACTIVE


async def test_unknown_companies_are_named(directories: Directories) -> None:
    """A company that does not exist is refused by its id."""
    company_id = uuid.uuid4()

    with pytest.raises(CompanyNotFound) as refusal:
        await directories.directory.require(company_id)

    assert refusal.value.metadata == {"company_id": str(company_id)}


async def test_silence_is_no_answer(directories: Directories) -> None:
    """A directory that does not answer says neither yes nor no, and when to ask again."""
    with pytest.raises(Unavailable) as refusal:
        await directories.away.require(directories.known_id)

    assert refusal.value.retry_after_s


async def test_without_a_service_token_there_is_no_answer(
    companies_service: ServedService, company_id: uuid.UUID
) -> None:
    """While auth is away nobody can be asked, which is not the caller's fault either."""
    with reserved_ports(1) as (port,):
        channels = Channels(users_settings(f"127.0.0.1:{port}"), "users", TracerProvider())
        directory = GrpcCompanyDirectory(channels.channel(companies_service.target))

        with pytest.raises(Unavailable):
            await directory.require(company_id)
        await channels.close()


async def test_standings_are_read_in_full(channels: Channels, directory: ScriptedDirectory) -> None:
    """State and quota come over; a company that is being deleted is none any more."""
    client = GrpcCompanyDirectory(channels.channel(directory.target))
    suspended = directory.add(SUSPENDED, users_max=7)

    assert await client.require(suspended) == CompanyStanding(
        suspended, CompanyState.SUSPENDED, users_max=7
    )
    for state in (DELETING, DELETED):
        with pytest.raises(CompanyNotFound):
            await client.require(directory.add(state))
