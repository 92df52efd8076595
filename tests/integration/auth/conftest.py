"""pytest-grpc's channel and stub, to the auth service on real servers."""

import uuid
from collections.abc import Callable
from typing import Any

import nats
import pytest
from dashtrack.auth.internal.v1 import token_service_pb2 as tokens_pb
from dashtrack.auth.internal.v1.token_service_pb2_grpc import TokenServiceStub
from dashtrack.auth.v1 import auth_service_pb2 as pb
from dashtrack.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from dashtrack.companies.v1.company_events_pb2 import CompanyChanged
from dashtrack.companies.v1.company_pb2 import Company, SecuritySettings
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1.user_events_pb2 import UserChanged

from tests.fixtures.auth_service import TELEMETRY_SECRET, AuthSite, new_email
from tests.fixtures.nats import NatsServer
from tests.fixtures.running import run_async
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import bearer

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def grpc_addr(auth_service: ServedService) -> str:
    """Where pytest-grpc's channel leads; its own fixture leaks a socket."""
    return auth_service.target


@pytest.fixture(scope="module")
def grpc_server(auth_service: ServedService) -> ServedService:
    """What pytest-grpc's channel waits for; its own server is synchronous."""
    return auth_service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[AuthServiceStub]:
    """What pytest-grpc's stub is."""
    return AuthServiceStub


@pytest.fixture(scope="module")
def tokens_stub(grpc_channel: Any) -> Any:
    """The internal side of auth."""
    return TokenServiceStub(grpc_channel)


@pytest.fixture(scope="module")
def as_telemetry(tokens_stub: Any) -> tuple[tuple[str, str], ...]:
    """The metadata of calls that telemetry makes."""
    request = tokens_pb.IssueServiceTokenRequest(service="telemetry", secret=TELEMETRY_SECRET)
    return bearer(tokens_stub.IssueServiceToken(request).token)


Publish = Callable[..., None]


@pytest.fixture(scope="module")
def publish(nats_server: NatsServer, auth_service: ServedService) -> Publish:
    """Publish an event as users or companies do, several times if asked to."""

    async def send(event: UserChanged | CompanyChanged, times: int) -> None:
        area = "users" if isinstance(event, UserChanged) else "companies"
        client = await nats.connect(
            nats_server.url, user=nats_server.user, password=nats_server.password
        )
        try:
            for turn in range(times):
                # Each with an id of its own: the stream itself would drop a repeated one.
                headers = {"Nats-Msg-Id": event.event_id if turn == 0 else str(uuid.uuid4())}
                await client.jetstream().publish(
                    f"events.{area}.changed", event.SerializeToString(), headers=headers
                )
        finally:
            await client.close()

    return lambda event, times=1: run_async(send(event, times))


class People:
    """Real people: invited by an event, with a password that they set."""

    def __init__(self, stub: Any, publish: Publish, site: AuthSite) -> None:
        self.stub = stub
        self.publish = publish
        self.site = site

    def event(self, **facts: Any) -> UserChanged:
        """Make the event that tells of somebody new; `facts` replace the usual ones."""
        usual: dict[str, Any] = {
            "event_id": str(uuid.uuid4()),
            "user_id": str(uuid.uuid4()),
            "company_id": str(uuid.uuid4()),
            "email": new_email(),
            "display_name": "Ada",
            "role": options_pb2.ROLE_MANAGER,
            "active": True,
            "version": 1,
        }
        return UserChanged(**(usual | facts))

    def changed(self, event: UserChanged, **facts: Any) -> UserChanged:
        """Publish a later change of the same person."""
        later = UserChanged()
        later.CopyFrom(event)
        later.event_id, later.version = str(uuid.uuid4()), event.version + 1
        for name, value in facts.items():
            setattr(later, name, value)
        self.publish(later)
        return later

    def join(self, **facts: Any) -> tuple[UserChanged, pb.Session]:
        """Have somebody invited and accept."""
        event = self.event(**facts)
        self.publish(event)
        session = self.stub.AcceptInvitation(
            pb.AcceptInvitationRequest(
                invitation_code=self.site.code_for(event.email), password=PASSWORD
            )
        )
        return event, session

    def login(self, email: str, password: str = PASSWORD) -> pb.Session:
        """Log in."""
        session: pb.Session = self.stub.Login(pb.LoginRequest(email=email, password=password))
        return session

    def refresh(self, session: pb.Session) -> pb.Session:
        """Go on with a session."""
        request = pb.RefreshSessionRequest(refresh_token=session.refresh_token)
        following: pb.Session = self.stub.RefreshSession(request)
        return following


@pytest.fixture(scope="module")
def people(grpc_stub: Any, publish: Publish, auth_site: AuthSite) -> People:
    """Whoever a test needs."""
    return People(grpc_stub, publish, auth_site)


class Companies:
    """Whatever happens to companies, told as companies tells it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._versions: dict[str, int] = {}

    def tell(self, company_id: str, state: str = "STATE_ACTIVE", **security: Any) -> CompanyChanged:
        """Tell how a company stands from now on."""
        version = self._versions[company_id] = self._versions.get(company_id, 0) + 1
        event = CompanyChanged(
            event_id=str(uuid.uuid4()),
            company_id=company_id,
            version=version,
            state=Company.State.Value(state),
            security=SecuritySettings(**security),
        )
        self._publish(event)
        return event


@pytest.fixture(scope="module")
def companies(publish: Publish) -> Companies:
    """Whatever happens to companies."""
    return Companies(publish)
