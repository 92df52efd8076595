"""Quotas, suspension and deletion of companies, as callers and other services meet them."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import asyncpg
import grpc
import pytest
from dashtrack.users.v1 import user_service_pb2 as pb
from dashtrack.users.v1.user_service_pb2_grpc import UserServiceStub
from grpc import StatusCode

from services.chassis.identity import Role
from services.users.app import build
from services.users.settings import UsersSettings
from services.users.storage import MIGRATIONS
from tests.fixtures.company_directory import DELETED, DELETING, SUSPENDED, ScriptedDirectory
from tests.fixtures.nats import NatsServer
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.postgres import FreshDatabase, PostgresServer
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.running import run_async
from tests.fixtures.serving import served, settings_for
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.tokens import TokenMint
from tests.fixtures.waiting import eventually
from tests.integration.users.conftest import People


@pytest.fixture(scope="module")
def users_database(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """The service's database."""
    database = postgres_server.create_database("users")
    yield database
    postgres_server.drop_database(database)


@pytest.fixture(scope="module")
def users_settings(
    users_database: FreshDatabase,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    directory: ScriptedDirectory,
) -> UsersSettings:
    """The settings of a service that asks the test's directory."""
    return settings_for(
        UsersSettings,
        users_database,
        nats_server,
        token_authority,
        companies_target=directory.target,
        bootstrap_email=FIRST_MASTER_EMAIL,
    )


@pytest.fixture
def service(users_settings: UsersSettings) -> Iterator[Any]:
    """The service's stub."""
    with (
        served("users", users_settings, build, MIGRATIONS) as service,
        grpc.insecure_channel(service.target) as channel,
    ):
        yield UserServiceStub(channel)  # type: ignore[arg-type]


def listed(people: People) -> list[str]:
    """Return the ids of all people of the company, as a member sees them."""
    answer = people.call(Role.MANAGER, "ListUsers", pb.ListUsersRequest(show_deleted=True))
    return [user.user_id for user in answer.users]


def test_simultaneous_creations_never_exceed_the_quota(
    service: Any, token_mint: TokenMint, directory: ScriptedDirectory
) -> None:
    """Of twelve at once, four succeed; the others are told the facts."""
    people = People(service, token_mint, directory.add(users_max=4))

    def attempt(_: int) -> str:
        try:
            people.add()
        except grpc.RpcError as err:
            refusal = refusal_of(err)
            assert refusal.code is StatusCode.FAILED_PRECONDITION
            assert refusal.metadata == {"quota": "users", "limit": "4", "used": "4"}
            return refusal.reason
        return ""

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(attempt, range(12)))

    assert sorted(outcomes) == [""] * 4 + ["QUOTA_EXCEEDED"] * 8
    assert len(listed(people)) == 4


def test_suspension_and_deletion_shut_the_door(
    service: Any, token_mint: TokenMint, directory: ScriptedDirectory
) -> None:
    """What the directory says at that moment counts; the existing are still read."""
    people = People(service, token_mint, directory.add())
    there = people.add()
    directory.set(people.company_id, SUSPENDED)
    with refused(StatusCode.FAILED_PRECONDITION, "COMPANY_SUSPENDED"):
        people.add()
    assert listed(people) == [there.user_id]
    for state in (DELETING, DELETED):
        directory.set(people.company_id, state)
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            people.add()


def test_a_deleted_company_leaves_nobody(
    service: Any, token_mint: TokenMint, directory: ScriptedDirectory
) -> None:
    """Its people go, others stay, companies is told; and told again if it asks again."""
    gone = People(service, token_mint, directory.add())
    stay = People(service, token_mint, directory.add())
    for people in (gone, gone, stay):
        people.add()
    address = f"{uuid.uuid4().hex}@example.com"
    gone.add(email=address)

    directory.set(gone.company_id, DELETING)
    directory.announce(gone.company_id)
    eventually(lambda: directory.erased_by(gone.company_id) == ["users"], "the erasure")

    assert not listed(gone)
    assert len(listed(stay)) == 1
    assert stay.add(email=address).email == address
    directory.announce(gone.company_id)
    eventually(lambda: directory.erased_by(gone.company_id) == ["users"] * 2, "another answer")


def test_late_news_brings_nobody_back(
    service: Any, token_mint: TokenMint, directory: ScriptedDirectory
) -> None:
    """Nobody is added to an erased company, whatever the directory says of it."""
    people = People(service, token_mint, directory.add(DELETING))
    directory.announce(people.company_id)
    eventually(lambda: directory.erased_by(people.company_id), "the erasure")

    directory.set(people.company_id)
    directory.announce(people.company_id)

    with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
        people.add()


def test_an_erasure_that_was_cut_short_is_finished(
    users_settings: UsersSettings,
    users_database: FreshDatabase,
    token_mint: TokenMint,
    directory: ScriptedDirectory,
) -> None:
    """A service that is started finds what another one had only begun."""
    company_id = directory.add()

    @contextmanager
    def running() -> Iterator[People]:
        with (
            served("users", users_settings, build, MIGRATIONS) as service,
            grpc.insecure_channel(service.target) as channel,
        ):
            yield People(UserServiceStub(channel), token_mint, company_id)  # type: ignore[arg-type]

    with running() as people:
        people.add()
    run_async(begin_erasure(users_database, company_id))

    with running() as people:
        eventually(lambda: directory.erased_by(company_id) == ["users"], "the erasure")
        assert not listed(people)


async def begin_erasure(database: FreshDatabase, company_id: uuid.UUID) -> None:
    """Leave behind what a service does that is killed right after it has heard of a deletion."""
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute(
            "INSERT INTO company_erasures (company_id, request_time) VALUES ($1, now())", company_id
        )
    finally:
        await connection.close()
