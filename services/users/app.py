"""The composition root: the only place that constructs the service's adapters."""

from datetime import UTC, datetime

import grpc.aio
from dashtrack.users.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server

from services.chassis.ids import new_id
from services.chassis.outbox import OutboxRelay
from services.chassis.service import App, Runtime
from services.users.clients import GrpcCompanyDirectory
from services.users.grpc_api import SERVICE_NAME, UserServicer
from services.users.settings import UsersSettings
from services.users.storage.repository import PostgresTransactions
from services.users.usecases import UserUseCases


async def build(runtime: Runtime[UsersSettings]) -> App:
    """Build the service on its run-time."""
    usecases = UserUseCases(
        PostgresTransactions(runtime.database),
        GrpcCompanyDirectory(runtime.channels.channel(runtime.settings.companies_target)),
        clock=lambda: datetime.now(UTC),
        new_id=new_id,
    )
    await usecases.ensure_first_master(runtime.settings.bootstrap_email)

    def register(server: grpc.aio.Server) -> None:
        add_UserServiceServicer_to_server(UserServicer(usecases), server)

    return App(
        service_names=[SERVICE_NAME],
        register=register,
        workers=[OutboxRelay(runtime.database, runtime.messaging).worker],
    )
