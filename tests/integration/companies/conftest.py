"""pytest-grpc's channel and stubs, to the companies service on real servers."""

import uuid
from typing import Any

import pytest
from dashtrack.companies.internal.v1.directory_service_pb2_grpc import DirectoryServiceStub
from dashtrack.companies.v1.company_service_pb2_grpc import CompanyServiceStub
from dashtrack.companies.v1.plan_service_pb2_grpc import PlanServiceStub
from dashtrack.companies.v1.vehicle_service_pb2_grpc import VehicleServiceStub

from services.chassis.identity import Role
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import TokenMint, bearer


@pytest.fixture(scope="module")
def grpc_addr(companies_service: ServedService) -> str:
    """Where pytest-grpc's channel leads; its own fixture leaks a socket."""
    return companies_service.target


@pytest.fixture(scope="module")
def grpc_server(companies_service: ServedService) -> ServedService:
    """What pytest-grpc's channel waits for; its own server is synchronous."""
    return companies_service


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[CompanyServiceStub]:
    """What pytest-grpc's stub is."""
    return CompanyServiceStub


class Fleet:
    """Calls of people of one company, of masters, and of other services."""

    def __init__(
        self, channel: Any, companies: Any, mint: TokenMint, company_id: uuid.UUID
    ) -> None:
        self.company_id = company_id
        self._companies = companies
        self._vehicles = VehicleServiceStub(channel)
        self._plans = PlanServiceStub(channel)
        self._directory: Any = DirectoryServiceStub(channel)
        self._mint = mint

    def call(self, role: Role, method: str, request: Any, **token: Any) -> Any:
        """Call a method as somebody with a role: of the company, unless a master."""
        stub: Any = self._companies
        for resource, other in (("Vehicle", self._vehicles), ("Plan", self._plans)):
            if resource in method:
                stub = other
        token.setdefault("company_id", None if role is Role.MASTER else self.company_id)
        return getattr(stub, method)(request, metadata=bearer(self._mint.user(role, **token)))

    def ask(self, method: str, request: Any) -> Any:
        """Ask the directory as another service."""
        token = self._mint.service("telemetry")
        return getattr(self._directory, method)(request, metadata=bearer(token))


@pytest.fixture
def fleet(grpc_channel: Any, grpc_stub: Any, token_mint: TokenMint, company_id: uuid.UUID) -> Fleet:
    """A company of the test's own."""
    return Fleet(grpc_channel, grpc_stub, token_mint, company_id)
