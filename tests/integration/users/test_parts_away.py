"""What callers are told while something that the service needs is away, and that it recovers."""

import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as pb
from dashtrack.users.v1.user_service_pb2_grpc import UserServiceStub
from grpc import StatusCode

from services.chassis.identity import Role
from services.stack.postgres import DURABLE
from services.users.app import build
from services.users.settings import UsersSettings
from services.users.storage import MIGRATIONS
from tests.fixtures.nats import NatsServer
from tests.fixtures.ports import reserved_ports
from tests.fixtures.postgres import PostgresServer, running_postgres
from tests.fixtures.refusals import refusal_of, refused
from tests.fixtures.serving import served, settings_for
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.tokens import TokenMint, bearer
from tests.fixtures.waiting import eventually


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server that nobody minds being killed."""
    with running_postgres(tmp_path_factory, DURABLE) as server:
        yield server


@pytest.fixture(scope="module")
def stub(
    own_postgres: PostgresServer, nats_server: NatsServer, token_authority: TokenAuthority
) -> Iterator[Any]:
    """The users service on a database of its own, with no companies service to ask."""
    with reserved_ports(1) as (port,):
        settings = settings_for(
            UsersSettings,
            own_postgres.create_database("users"),
            nats_server,
            token_authority,
            companies_target=f"127.0.0.1:{port}",
            bootstrap_email="root@dashtrack.test",
        )
        with (
            served("users", settings, build, MIGRATIONS) as service,
            grpc.insecure_channel(service.target) as channel,
        ):
            yield UserServiceStub(channel)  # type: ignore[arg-type]


def test_creation_says_when_to_come_back(stub: Any, token_mint: TokenMint) -> None:
    """While companies does not answer, nobody is added to one, and the caller may try again."""
    request = pb.CreateUserRequest(
        user=pb.User(
            email="a@example.com",
            display_name="Ana",
            role=options_pb2.ROLE_DRIVER,
            company_id=str(uuid.uuid4()),
        )
    )

    with refused(StatusCode.UNAVAILABLE, "UNAVAILABLE") as refusal:
        stub.CreateUser(request, metadata=bearer(token_mint.user(Role.MASTER)))

    assert refusal.retry_after_s


def test_a_killed_database_is_survived(
    stub: Any, token_mint: TokenMint, own_postgres: PostgresServer
) -> None:
    """Without its database the service says so and when to come back; then it goes on by itself."""
    as_master = bearer(token_mint.user(Role.MASTER))
    before = stub.ListUsers(pb.ListUsersRequest(), metadata=as_master)

    own_postgres.kill()
    for _ in range(3):
        with refused(StatusCode.UNAVAILABLE, "UNAVAILABLE") as refusal:
            stub.ListUsers(pb.ListUsersRequest(), metadata=as_master)
        assert refusal.retry_after_s
    own_postgres.start()
    refusals: list[StatusCode | None] = []

    def answers() -> pb.ListUsersResponse | None:
        try:
            after: pb.ListUsersResponse = stub.ListUsers(pb.ListUsersRequest(), metadata=as_master)
        except grpc.RpcError as err:
            refusals.append(refusal_of(err).code)
            return None
        return after

    assert eventually(answers, "the service to find its database again") == before
    assert set(refusals) <= {StatusCode.UNAVAILABLE}
