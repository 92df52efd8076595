"""Whom the pipeline lets in."""

import uuid
from typing import Any

import grpc
import pytest

from services.chassis.identity import Caller, CallerKind, Role, current_caller
from services.chassis.rpc.methods import ContractError, find_method
from services.chassis.rpc.pipeline import Pipeline
from services.chassis.tokens import TokenVerifier
from tests.fixtures.tokens import TokenMint, bearer
from tests.unit.chassis.conftest import EchoServer
from tests.unit.chassis.echo import SHAPES, EchoService, Said, call
from tests.unit.chassis.test_pipeline_failures import details_of, failure, raw_call

COMPANY = uuid.UUID(int=7)


async def reason_of_refusal(server: EchoServer, method: str, token: str) -> str:
    """Call with a token that is refused and return the reason."""
    error = await failure(server, method, metadata=bearer(token))
    return str(details_of(error)["ErrorInfo"].reason)


@pytest.mark.parametrize("shape", SHAPES)
async def test_method_sees_who_calls(
    echo_server: EchoServer, token_mint: TokenMint, shape: str
) -> None:
    """A method that is let through finds the verified caller, in every shape."""
    callers: list[Caller] = []

    async def behaviour(_: Any, __: Any) -> Any:
        callers.append(current_caller())
        return Said()

    echo_server.service.behaviour = behaviour
    user_id = uuid.UUID(int=11)
    token = token_mint.user(Role.MANAGER, COMPANY, user_id)
    await call(echo_server.channel, f"Managers{shape}", metadata=bearer(token))
    caller = callers[0]
    assert (caller.kind, caller.role, caller.user_id) == (CallerKind.USER, Role.MANAGER, user_id)
    assert caller.scope.includes(COMPANY)
    assert not caller.scope.includes(uuid.UUID(int=8))


@pytest.mark.parametrize("shape", SHAPES)
async def test_missing_token_is_unauthenticated(echo_server: EchoServer, shape: str) -> None:
    """A private method does not run without a token."""
    error = await failure(echo_server, f"Managers{shape}")
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert details_of(error)["ErrorInfo"].reason == "TOKEN_MISSING"


@pytest.mark.parametrize("role", [Role.DRIVER, Role.HELPER, Role.COMPANY_ADMIN])
async def test_role_that_is_not_listed_is_denied(
    echo_server: EchoServer, token_mint: TokenMint, role: Role
) -> None:
    """Only the roles that the proto lists may call."""
    error = await failure(
        echo_server, "ManagersUnary", metadata=bearer(token_mint.user(role, COMPANY))
    )
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details_of(error)["ErrorInfo"].reason == "PERMISSION_DENIED"


async def test_tokens_open_the_methods_of_their_own_audience_only(
    echo_server: EchoServer, token_mint: TokenMint
) -> None:
    """People, devices and services can't call each other's methods."""
    tokens = {
        "ManagersUnary": token_mint.user(Role.MANAGER, COMPANY),
        "Devices": token_mint.device(COMPANY),
        "Services": token_mint.service("users"),
    }
    for method in tokens:
        for owner, token in tokens.items():
            if owner == method:
                await call(echo_server.channel, method, metadata=bearer(token))
            else:
                assert await reason_of_refusal(echo_server, method, token) == "TOKEN_AUDIENCE"


async def test_restricted_token_opens_what_is_open_to_it_alone(
    echo_server: EchoServer, token_mint: TokenMint
) -> None:
    """In every shape, whatever its role may do otherwise; unrestricted ones open both."""
    restricted = token_mint.user(Role.MANAGER, COMPANY, restriction="two_factor_enrollment")
    for shape in SHAPES:
        error = await failure(echo_server, f"Managers{shape}", metadata=bearer(restricted))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        reason = details_of(error)["ErrorInfo"].reason
        assert reason == "TWO_FACTOR_ENROLLMENT_REQUIRED"
    for token in (restricted, token_mint.user(Role.MANAGER, COMPANY)):
        assert await call(echo_server.channel, "Enrolling", metadata=bearer(token)) == ["hello"]


@pytest.mark.parametrize("restriction", ["", "of tomorrow", 1, True, [], {}])
async def test_token_with_a_restriction_that_is_not_known_opens_nothing(
    echo_server: EchoServer, token_mint: TokenMint, restriction: Any
) -> None:
    """A service of yesterday doesn't take it for an unrestricted one."""
    token = token_mint.user(Role.MANAGER, COMPANY, restriction=restriction)
    for method in ("ManagersUnary", "Enrolling"):
        assert await reason_of_refusal(echo_server, method, token) == "TOKEN_INVALID"


async def test_public_method_ignores_a_bad_token(echo_server: EchoServer) -> None:
    """Logging in works for those who still carry yesterday's token."""
    assert await call(echo_server.channel, "Unary", metadata=bearer("rubbish")) == ["hello"]


async def test_caller_of_a_public_method_is_anonymous(
    echo_server: EchoServer, token_mint: TokenMint
) -> None:
    """Even a good token gives nobody a name where none is asked for."""
    kinds: list[CallerKind] = []

    async def behaviour(_: Any, __: Any) -> Any:
        kinds.append(current_caller().kind)
        return Said()

    echo_server.service.behaviour = behaviour
    metadata = bearer(token_mint.user(Role.MANAGER, COMPANY))
    await call(echo_server.channel, "Unary", metadata=metadata)
    assert kinds == [CallerKind.ANONYMOUS]


async def test_scheme_other_than_bearer_is_refused(echo_server: EchoServer) -> None:
    """Basic credentials are no token."""
    error = await failure(echo_server, "ManagersUnary", metadata=(("authorization", "Basic YTpi"),))
    assert details_of(error)["ErrorInfo"].reason == "TOKEN_INVALID"


async def test_revocation_bites_a_token_that_worked_before(
    echo_server: EchoServer, token_mint: TokenMint
) -> None:
    """Having been accepted once does not outlive the revocation."""
    user_id = uuid.UUID(int=12)
    token = token_mint.user(Role.MANAGER, COMPANY, user_id)
    await call(echo_server.channel, "ManagersUnary", metadata=bearer(token))
    echo_server.revoked.subjects.add(str(user_id))
    assert await reason_of_refusal(echo_server, "ManagersUnary", token) == "TOKEN_REVOKED"


async def test_access_is_refused_before_the_request_is_looked_at(
    echo_server: EchoServer,
) -> None:
    """A stranger learns nothing about what a valid request looks like."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw_call(echo_server, "ManagersUnary", b"\x0a\xff")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_method_without_access_option_does_not_start(
    echo_server: EchoServer, verifier: TokenVerifier
) -> None:
    """A method that doesn't say who may call it keeps its service from starting."""
    service = EchoService()
    service.methods = ["Unary", "Undeclared"]
    pipeline = Pipeline(type(echo_server.registry)(), _tracer())
    with pytest.raises(ContractError, match="Undeclared has no access option"):
        await pipeline.install(service.register, verifier, hot_methods=frozenset())


async def test_hot_method_that_is_not_served_does_not_start(
    echo_server: EchoServer, verifier: TokenVerifier
) -> None:
    """A misspelt hot method would silently be a slow one."""
    pipeline = Pipeline(type(echo_server.registry)(), _tracer())
    with pytest.raises(ContractError, match="Missing"):
        await pipeline.install(
            EchoService().register, verifier, hot_methods=frozenset({"/a.B/Missing"})
        )


async def test_every_method_answers_unavailable_until_the_service_is_built(
    verifier: TokenVerifier, echo_server: EchoServer
) -> None:
    """A server that listens already and can't serve yet says so, in every shape."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Pipeline(type(echo_server.registry)(), _tracer())])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for shape in SHAPES:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, shape)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert details_of(caught.value)["RetryInfo"].retry_delay.ToSeconds() == 1
    await server.stop(None)


def test_method_outside_the_protos_is_a_contract_error() -> None:
    """Only what the contract declares can be served."""
    with pytest.raises(ContractError, match="not declared"):
        find_method("/no.such.Service/Method")


def _tracer() -> Any:
    from opentelemetry.trace import NoOpTracerProvider

    return NoOpTracerProvider().get_tracer("tests")
