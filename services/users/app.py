"""The composition root: the only place that constructs the service's adapters."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc.aio
from dashtrack.users.internal.v1.address_service_pb2_grpc import (
    add_AddressServiceServicer_to_server,
)
from dashtrack.users.internal.v1.people_service_pb2_grpc import (
    add_PeopleServiceServicer_to_server,
)
from dashtrack.users.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.outbox import OutboxRelay
from services.chassis.service import App, Runtime
from services.users.clients import GrpcCompanyDirectory
from services.users.consumers import companies_consumer
from services.users.grpc_api import (
    ADDRESS_SERVICE,
    PEOPLE_SERVICE_NAME,
    SERVICE_NAME,
    AddressServicer,
    PeopleServicer,
    UserServicer,
)
from services.users.settings import UsersSettings
from services.users.storage.repository import PostgresTransactions
from services.users.usecases.addresses import ChangeEmail
from services.users.usecases.erasing import EraseCompanies
from services.users.usecases.people import Lapses, UserUseCases
from services.users.usecases.purging import PurgeDeletedUsers
from services.users.usecases.standing import StandingUseCases
from services.users.workers import erasure_worker, purge_worker


async def build(runtime: Runtime[UsersSettings]) -> App:
    """Build the service on its run-time."""
    transactions = PostgresTransactions(runtime.database)
    usecases = UserUseCases(
        transactions,
        GrpcCompanyDirectory(runtime.channels.channel(runtime.settings.companies_target)),
        clock=_utc_now,
        new_id=new_id,
        lapses=Lapses(
            deleted_kept=timedelta(seconds=runtime.settings.deleted_kept_s),
            invitation_interval=timedelta(seconds=runtime.settings.invitation_interval_s),
        ),
    )
    erase, erasure_due = EraseCompanies(transactions, _utc_now), asyncio.Event()
    await usecases.ensure_first_master(runtime.settings.bootstrap_email)

    def register(server: grpc.aio.Server) -> None:
        add_UserServiceServicer_to_server(UserServicer(usecases), server)
        add_AddressServiceServicer_to_server(
            AddressServicer(ChangeEmail(transactions, _utc_now)), server
        )
        standing = StandingUseCases(transactions)
        add_PeopleServiceServicer_to_server(PeopleServicer(standing), server)

    return App(
        service_names=[SERVICE_NAME, PEOPLE_SERVICE_NAME, ADDRESS_SERVICE],
        register=register,
        workers=[
            OutboxRelay(runtime.database, runtime.messaging).worker,
            purge_worker(
                PurgeDeletedUsers(transactions, _utc_now), runtime.settings.purge_interval_s
            ),
            companies_consumer(runtime.messaging, erase, erasure_due),
            erasure_worker(erase, erasure_due),
        ],
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
