"""pytest-grpc's channel and stub, to the users service on real servers."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from dashtrack.options.v1 import options_pb2
from dashtrack.users.v1 import user_service_pb2 as pb
from dashtrack.users.v1.user_service_pb2_grpc import UserServiceStub

from services.chassis.identity import Role
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import TokenMint, bearer

As = Callable[..., Any]


@pytest.fixture(scope="module")
def grpc_addr(users_service: ServedService) -> str:
    """Where pytest-grpc's channel leads; its own fixture leaks a socket."""
    return users_service.target


@pytest.fixture(scope="module")
def grpc_server(users_service: ServedService) -> ServedService:
    """What pytest-grpc's channel waits for; its own server is synchronous."""
    return users_service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[UserServiceStub]:
    """What pytest-grpc's stub is."""
    return UserServiceStub


class People:
    """Calls of people of one company, and of masters."""

    def __init__(self, stub: Any, mint: TokenMint, company_id: uuid.UUID) -> None:
        self.stub = stub
        self.company_id = company_id
        self._mint = mint

    def call(self, role: Role, method: str, request: Any, **token: Any) -> Any:
        """Call a method as somebody with a role: of the company, unless a master."""
        token.setdefault("company_id", None if role is Role.MASTER else self.company_id)
        metadata = bearer(self._mint.user(role, **token))
        return getattr(self.stub, method)(request, metadata=metadata)

    def add(self, **values: Any) -> Any:
        """Add a driver of the company, or whomever the values describe."""
        return self.call(Role.MASTER, "CreateUser", self.request(**values))

    def request(self, request_id: str = "", **values: Any) -> pb.CreateUserRequest:
        """Ask for a driver of the company, or whomever the values describe."""
        usual: dict[str, Any] = {
            "email": f"{uuid.uuid4().hex}@example.com",
            "display_name": "Ana",
            "role": options_pb2.ROLE_DRIVER,
            "company_id": str(self.company_id),
        }
        return pb.CreateUserRequest(user=pb.User(**(usual | values)), request_id=request_id)


@pytest.fixture
def people(grpc_stub: Any, token_mint: TokenMint, company_id: uuid.UUID) -> People:
    """People of a company of the test's own."""
    return People(grpc_stub, token_mint, company_id)
