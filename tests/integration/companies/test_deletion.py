"""A deletion survives a service that dies between any two steps, and messages that get lost."""

import uuid
from collections.abc import Iterator

import asyncpg
import pytest
from dashtrack.companies.v1 import plan_service_pb2
from dashtrack.companies.v1.plan_service_pb2_grpc import PlanServiceStub

from services.chassis.migrations import migrate
from services.companies.storage import MIGRATIONS
from tests.fixtures.companies_deployment import Deployment, State
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.running import run_async
from tests.fixtures.token_authority import TokenAuthority
from tests.fixtures.tokens import TokenMint
from tests.fixtures.waiting import eventually

OTHERS = ("auth", "telemetry", "users")
RELAY, DELETIONS, ROLLOUT = "outbox-relay", "deletions", "plan-rollout"


@pytest.fixture
def deployment(
    postgres_server: PostgresServer,
    nats_server: NatsServer,
    token_authority: TokenAuthority,
    token_mint: TokenMint,
) -> Iterator[Deployment]:
    """A deployment of the test's own."""
    database = postgres_server.create_database("companies")
    yield Deployment(database, nats_server, token_authority, token_mint)
    postgres_server.drop_database(database)


def test_a_deletion_ends_with_a_tombstone(deployment: Deployment) -> None:
    """Once all have reported, what the company had is gone, and all are told that it is."""
    with deployment.running() as service:
        company_id = service.have_company(vehicle_count=3)
        before = service.delete(company_id)
        deployment.report(company_id, *OTHERS)

        left = service.until_deleted(company_id)

        assert (left.display_name, left.time_zone, left.plan_id) == ("", "", "")
        assert not left.HasField("suspension")
        assert left.deletion.request_time == before.deletion.request_time
        assert left.deletion.complete_time == left.update_time
        assert all(step.HasField("done_time") for step in left.deletion.steps)
        assert service.vehicle_count(company_id) == 0
        told = deployment.until_announced(company_id, State.STATE_DELETED)
        assert [version for version, _ in told] == [1, 2, 3, 4]


def test_a_request_that_was_committed_is_published_after_a_crash(deployment: Deployment) -> None:
    """The services are asked though the process died between commit and publishing."""
    with deployment.running(RELAY) as service:
        company_id = service.have_company()
        service.delete(company_id)
    assert deployment.announced(company_id) == []

    with deployment.running():
        told = deployment.until_announced(company_id, State.STATE_DELETING)
    assert [version for version, _ in told] == [1, 2, 3]


def test_reports_wait_for_a_service_that_is_away(deployment: Deployment) -> None:
    """What was reported meanwhile is heard at the next start; twice is once."""
    with deployment.running() as service:
        company_id = service.have_company(vehicle_count=1)
        service.delete(company_id)
    deployment.report(company_id, "auth", "users", "users")

    with deployment.running() as service:
        eventually(lambda: service.reported(company_id) == {"auth", "users"}, "the reports")
        assert service.vehicle_count(company_id) == 1
        deployment.report(company_id, "telemetry", "auth", "strangers")
        service.until_deleted(company_id)


def test_a_crash_before_the_own_erasure_delays_it(deployment: Deployment) -> None:
    """Whoever starts after the last report finds that it is time to erase."""
    with deployment.running(DELETIONS) as service:
        company_id = service.have_company(vehicle_count=2)
        service.delete(company_id)
        deployment.report(company_id, *OTHERS)
        eventually(lambda: service.reported(company_id) == set(OTHERS), "the reports")
        assert service.get(company_id).state == State.STATE_DELETING
        assert service.vehicle_count(company_id) == 2

    with deployment.running() as service:
        service.until_deleted(company_id)
        assert service.vehicle_count(company_id) == 0


def test_the_end_is_announced_after_a_crash(deployment: Deployment) -> None:
    """A tombstone whose event was not published is published at the next start, once."""
    with deployment.running(RELAY) as service:
        company_id = service.have_company()
        service.delete(company_id)
        deployment.report(company_id, *OTHERS)
        service.until_deleted(company_id)

    for _ in range(2):
        with deployment.running():
            told = deployment.until_announced(company_id, State.STATE_DELETED)
    assert [version for version, _ in told] == [1, 2, 3, 4]


def test_who_is_silent_is_asked_again(deployment: Deployment) -> None:
    """A lost request or report is made up for: further versions ask until all have answered."""
    with deployment.running(reminder_s=0.2) as service:
        company_id = service.have_company()
        first = int(service.delete(company_id).etag)
        deployment.report(company_id, "auth", "users")

        def asked_again() -> bool:
            asked = [
                version
                for version, state in deployment.announced(company_id)
                if state == State.STATE_DELETING
            ]
            return asked[:3] == [first, first + 1, first + 2]

        eventually(asked_again, "two reminders")
        deployment.report(company_id, "telemetry")
        service.until_deleted(company_id)


def test_the_deleted_do_not_count(deployment: Deployment) -> None:
    """The promised series says how many companies there are, whatever is left of others."""
    with deployment.running() as service:
        kept, company_id = service.have_company(), service.have_company()
        service.delete(company_id)
        deployment.report(company_id, *OTHERS)
        service.until_deleted(company_id)

    with deployment.running() as service:
        eventually(lambda: service.companies_total() == 1.0, "the count")
        assert service.get(kept).state == State.STATE_SUSPENDED


def test_a_rollout_is_finished_by_the_next_process(deployment: Deployment) -> None:
    """Quotas that were committed reach companies though nobody was left to bring them."""
    with deployment.running(ROLLOUT) as service:
        company_id = service.have_company()
        plan = plan_service_pb2.Plan(plan_id="standard")
        plan.quotas.users_max = 7
        request = plan_service_pb2.UpdatePlanRequest(plan=plan)
        service.call(PlanServiceStub, "UpdatePlan", request)
        assert service.get(company_id).quotas.users_max != 7

    with deployment.running() as service:
        eventually(lambda: service.get(company_id).quotas.users_max == 7, "the quotas")


def test_companies_of_before_are_announced_once(deployment: Deployment) -> None:
    """Who was there before events were is told of at the first start, and not at the second."""
    company_id = uuid.uuid4()

    async def add() -> None:
        await migrate(deployment.database.url, MIGRATIONS)
        connection = await asyncpg.connect(deployment.database.dsn)
        await connection.execute(
            "insert into companies (company_id, display_name, time_zone, language_code, version,"
            " create_time, update_time) values ($1, 'Old', 'UTC', 'en', 1, now(), now())",
            company_id,
        )
        await connection.close()

    run_async(add())

    for _ in range(2):
        with deployment.running() as service:
            told = deployment.until_announced(str(company_id), State.STATE_ACTIVE)
            quotas = service.get(str(company_id)).quotas
    assert [version for version, _ in told] == [2]
    assert quotas.vehicles_max == 250
