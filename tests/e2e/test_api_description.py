"""The REST API answers as its OpenAPI document says, whatever is asked, and never with a 5xx."""

import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway import contract, openapi
from services.chassis.identity import Role
from tests.fixtures.effort import EFFORT, timeout_s
from tests.fixtures.platform import PASSWORD, BoardAccess, Member, Platform

Case: TypeAlias = "schemathesis.Case[Any]"
Test = TypeVar("Test", bound=Callable[..., None])

EXAMPLES = 5 * EFFORT
# A stream without an end is read for as long as this.
_STREAM_PATIENCE_S = 0.15
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = openapi.document(contract.load())


def described(*, coverage: bool) -> Any:
    """Return what asks about each operation, with or without a walk over the limits of values."""
    generation = {"max-examples": EXAMPLES, "deterministic": EFFORT == 1, "database": "none"}
    # Verbs that a path doesn't have answer 404, and are no part of the document.
    phases = {"coverage": {"enabled": coverage, "unexpected-methods": []}}
    config = {"seed": 1, "generation": generation, "phases": phases}
    return schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(config))


def of_each_operation(*, coverage: bool) -> Callable[[Test], Test]:
    """Make a test of each operation of one test."""
    decorate: Callable[[Test], Test] = described(coverage=coverage).parametrize()
    return decorate


pytestmark = pytest.mark.timeout(timeout_s(180))
TURNS = itertools.count()
# Requests with many fields have hundreds of limits to walk over: beyond these, one in three is.
ASKED_ALWAYS = 40
ASKED: Counter[str] = Counter()


@schemathesis.serializer("application/x-protobuf")
def protobuf(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """Send what boards send: bytes, which are hardly ever a batch."""
    return value if isinstance(value, bytes) else str(value).encode()


class _FromAddress(HTTPAdapter):
    """Sends from an address of loopback, since the gateway and auth count by address."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


@dataclass
class Asker:
    """Somebody who asks everything, and the things that they may ask about."""

    platform: Platform
    member: Member
    board: BoardAccess
    known: Mapping[str, str]

    def token_for(self, case: Case) -> str | None:
        """Return the token that the document asks for."""
        schemes = {name for one in case.operation.definition.raw["security"] for name in one}
        if "deviceToken" in schemes:
            return self.board.token
        return self.member.token if schemes else None

    def keep_logged_in(self) -> None:
        """Open another session where a question has ended the last one."""
        me = {"authorization": f"Bearer {self.member.token}"}
        if self.platform.client.get("/v1/me", headers=me).status_code != 200:
            self.member = self.platform.log_in(self.member.address, PASSWORD)


def asker(platform: Platform, role: Role) -> Asker:
    """Make somebody with this role, and a company that they may do anything to."""
    company_id = platform.company()
    plate = {"companyId": company_id, "plate": secrets.token_hex(6)}
    vehicle = platform.call("POST", "/v1/vehicles", {"vehicle": plate})
    board = platform.board(company_id)
    known = {
        "companyId": company_id,
        "userId": platform.member(Role.DRIVER, company_id).user_id,
        "vehicleId": str(vehicle["vehicleId"]),
        "deviceId": board.device_id,
    }
    # A master is of no company, and thus goes on whatever becomes of this one.
    member = platform.member(role, None if role is Role.MASTER else company_id)
    return Asker(platform, member, board, known)


@pytest.fixture(scope="module")
def askers(platform: Platform) -> Mapping[Role, Asker]:
    """Somebody who may do everything, and somebody who may do less."""
    return {role: asker(platform, role) for role in (Role.MASTER, Role.MANAGER)}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A client with an address of its own, which has used up none of its limits."""
    address = f"127.1.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    with requests.Session() as session:
        session.mount("http://", _FromAddress(address))
        yield session


def named(value: Any, known: Mapping[str, str]) -> Any:
    """Put ids of things that exist where a request names something."""
    if isinstance(value, dict):
        return {
            key: known[key] if key in known and isinstance(item, str) else named(item, known)
            for key, item in value.items()
        }
    return [named(item, known) for item in value] if isinstance(value, list) else value


def aim(case: Case, known: Mapping[str, str]) -> None:
    """Ask about things that exist three times out of four, or most answers would be 404."""
    if next(TURNS) % 4 == 0:
        return
    snake = {name.removesuffix("Id") + "_id": value for name, value in known.items()}
    case.path_parameters = {
        name: snake.get(name, value) for name, value in (case.path_parameters or {}).items()
    }
    case.query = named(case.query, known)
    case.body = named(case.body, known)


def is_endless(case: Case) -> bool:
    """Tell whether the answer is a stream without an end."""
    return case.operation.definition.raw.get("x-dashtrack-deadline-ms", 0) is None


def undocumented_reason(case: Case, response: Any) -> str | None:
    """Return the reason of a refusal, if the document doesn't name it under its status."""
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    media = described.get("content", {}).get("application/json", {})
    reason = response.headers.get("x-dashtrack-reason", [""])[0]
    return None if reason in media.get("examples", {}) else f"{response.status_code} {reason}"


def check(case: Case, asker: Asker, session: requests.Session) -> None:
    """Ask, and hold the answer to the document."""
    ASKED[case.operation.label] += 1
    number = ASKED[case.operation.label]
    if EFFORT == 1 and number > ASKED_ALWAYS and number % 3:
        return
    aim(case, asker.known)
    token = asker.token_for(case)
    try:
        response = case.call(
            base_url=asker.platform.stack.addresses.rest,
            session=session,
            headers={"authorization": f"Bearer {token}"} if token else None,
            timeout=_STREAM_PATIENCE_S if is_endless(case) else 30,
        )
    except (requests.ConnectionError, requests.Timeout):
        # What goes on without an end is no refusal, and there is nothing to check of it here.
        if not is_endless(case):
            raise
        return
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 400:
        assert undocumented_reason(case, response) is None
    if response.status_code == 401:
        asker.keep_logged_in()


def asked(test: Test) -> Test:
    """Let a test ask many questions: who asks stays the same, and nothing is timed."""
    lenient: Test = settings(deadline=None, suppress_health_check=[*HealthCheck])(test)
    return lenient


# The role, of which there is one, also gives each operation a test id of its own.
@of_each_operation(coverage=True)
@pytest.mark.parametrize("role", [Role.MASTER])
@asked
def test_the_administrator_is_answered_as_described(
    case: Case, role: Role, askers: Mapping[Role, Asker], session: requests.Session
) -> None:
    """Status, content type, headers and body are documented, and so is each refusal's reason."""
    check(case, askers[role], session)


@of_each_operation(coverage=EFFORT > 1)
@pytest.mark.parametrize("role", [Role.MANAGER])
@asked
def test_members_are_answered_as_described(
    case: Case, role: Role, askers: Mapping[Role, Asker], session: requests.Session
) -> None:
    """Refusals of those who may not are documented too."""
    check(case, askers[role], session)
