"""Keys of machines, and what is told of tokens, on real servers."""

import uuid
from typing import Any

import jwt
import pytest
from dashtrack.auth.v1 import api_key_service_pb2 as pb
from dashtrack.auth.v1 import auth_service_pb2, introspection_service_pb2
from dashtrack.auth.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from dashtrack.auth.v1.introspection_service_pb2_grpc import IntrospectionServiceStub
from dashtrack.options.v1 import options_pb2
from grpc import StatusCode

from tests.fixtures.auth_service import FIRST_MASTER_PASSWORD
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import refused
from tests.fixtures.tokens import bearer
from tests.fixtures.waiting import eventually

PASSWORD = "a long enough password"
KIND = introspection_service_pb2.TokenIntrospection


@pytest.fixture(scope="module")
def keys(grpc_channel: Any) -> Any:
    """The stub for keys."""
    return ApiKeyServiceStub(grpc_channel)


@pytest.fixture(scope="module")
def introspect(grpc_channel: Any) -> Any:
    """Asks about a token as somebody."""
    stub = IntrospectionServiceStub(grpc_channel)

    def ask(token: str, caller: str) -> Any:
        request = introspection_service_pb2.IntrospectTokenRequest(token=token)
        return stub.IntrospectToken(request, metadata=bearer(caller))

    return ask


def an_admin(people: Any) -> tuple[Any, Any]:
    """Have somebody join who administers a company of their own."""
    event, session = people.join(role=options_pb2.ROLE_COMPANY_ADMIN)
    return event, session


def make(
    keys: Any, token: str, *, password: str = PASSWORD, **facts: Any
) -> pb.CreateApiKeyResponse:
    """Make a key; `facts` replace the usual ones."""
    usual: dict[str, Any] = {
        "display_name": "Warehouse",
        "role": options_pb2.ROLE_MANAGER,
        "scopes": ["telemetry:read"],
    }
    request = pb.CreateApiKeyRequest(
        api_key=pb.ApiKey(**(usual | facts)), current_password=password
    )
    made: pb.CreateApiKeyResponse = keys.CreateApiKey(request, metadata=bearer(token))
    return made


def exchange(keys: Any, key: str) -> pb.ApiKeyToken:
    """Get a token for a key."""
    token: pb.ApiKeyToken = keys.ExchangeApiKey(pb.ExchangeApiKeyRequest(secret_key=key))
    return token


def claims_of(token: str) -> dict[str, Any]:
    """Read a token without verifying it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_key_lives_from_its_making_to_its_end(keys: Any, people: Any, introspect: Any) -> None:
    """It is shown once, used, listed with its use, and ends with its tokens."""
    event, session = an_admin(people)
    made = make(keys, session.access_token)
    granted = exchange(keys, made.secret_key)
    claims = claims_of(granted.access_token)
    assert (claims["aud"], claims["sub"]) == ("dashtrack-api-key", made.api_key.key_id)
    assert claims["scopes"] == ["telemetry:read"]
    assert claims["exp"] - int(claims["iat"]) == granted.expires_in_s == 900
    assert (granted.company_id, granted.role) == (event.company_id, options_pb2.ROLE_MANAGER)

    (listed,) = keys.ListApiKeys(
        pb.ListApiKeysRequest(), metadata=bearer(session.access_token)
    ).api_keys
    assert made.secret_key.startswith(listed.prefix)
    assert made.secret_key.rpartition("_")[2] not in str(listed)
    assert listed.creator_user_id == event.user_id
    assert listed.HasField("last_use_time")
    assert listed.last_use_address == "127.0.0.1"

    request = pb.RevokeApiKeyRequest(key_id=listed.key_id)
    for _ in range(2):
        ended = keys.RevokeApiKey(request, metadata=bearer(session.access_token))
        assert ended.HasField("revoke_time")
    with refused(StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"):
        exchange(keys, made.secret_key)
    eventually(
        lambda: not introspect(granted.access_token, session.access_token).active,
        "the end of the key's token",
    )


def test_a_key_may_not_make_keys_nor_be_a_person(keys: Any, people: Any) -> None:
    """Whatever its role and scopes."""
    _, session = an_admin(people)
    made = make(
        keys,
        session.access_token,
        role=options_pb2.ROLE_COMPANY_ADMIN,
        scopes=["auth:read", "auth:write"],
    )
    token = exchange(keys, made.secret_key).access_token

    with refused(StatusCode.PERMISSION_DENIED, "API_KEY_REFUSED"):
        make(keys, token)
    with refused(StatusCode.PERMISSION_DENIED, "API_KEY_REFUSED"):
        people.stub.ListSessions(auth_service_pb2.ListSessionsRequest(), metadata=bearer(token))


@pytest.mark.parametrize(
    "facts",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["users:read", "users:read"]},
        {"role": options_pb2.ROLE_DRIVER},
        {"role": options_pb2.ROLE_UNSPECIFIED},
        {"display_name": " "},
        {"display_name": "two\nlines"},
        {"expire_time": {"seconds": 1}},
        {"expire_time": {"seconds": 253_402_300_799}},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(keys: Any, people: Any, facts: dict[str, Any]) -> None:
    """With the field at fault."""
    _, session = an_admin(people)

    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        make(keys, session.access_token, **facts)

    assert {name.partition("[")[0] for name in refusal.fields} == {f"api_key.{next(iter(facts))}"}


def test_foreign_keys_and_companies_do_not_exist(keys: Any, people: Any) -> None:
    """As little as those that nobody has."""
    _, own = an_admin(people)
    event, foreign = an_admin(people)
    made = make(keys, foreign.access_token)

    for key_id in (made.api_key.key_id, str(uuid.uuid4())):
        with refused(StatusCode.NOT_FOUND, "API_KEY_NOT_FOUND"):
            keys.RevokeApiKey(
                pb.RevokeApiKeyRequest(key_id=key_id), metadata=bearer(own.access_token)
            )
    for company_id in (event.company_id, str(uuid.uuid4())):
        with refused(StatusCode.NOT_FOUND, "COMPANY_NOT_FOUND"):
            make(keys, own.access_token, company_id=company_id)
    with refused(StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE"):
        make(keys, own.access_token, role=options_pb2.ROLE_MASTER)


def test_a_stolen_token_makes_no_key(keys: Any, people: Any) -> None:
    """It takes the password, and the maker is told of what was made."""
    event, session = an_admin(people)

    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        make(keys, session.access_token, password="what a thief would guess")
    made = make(keys, session.access_token)

    def told() -> bool:
        return any(made.api_key.prefix in str(mail) for mail in people.site.mails_for(event.email))

    eventually(told, "a mail that tells of the key")


def test_a_key_ends_when_its_maker_leaves(keys: Any, people: Any) -> None:
    """Who leaves may have kept a copy."""
    event, session = an_admin(people)
    made = make(keys, session.access_token)
    exchange(keys, made.secret_key)

    people.changed(event, active=False)

    def is_over() -> bool:
        try:
            exchange(keys, made.secret_key)
        except Exception:  # noqa: BLE001 - which one it is, is asserted below
            return True
        return False

    eventually(is_over, "the end of the key")
    with refused(StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"):
        exchange(keys, made.secret_key)


def test_a_repeated_request_has_its_key(keys: Any, people: Any) -> None:
    """With a secret that works, as long as none was used."""
    _, session = an_admin(people)
    api_key = pb.ApiKey(
        display_name="Warehouse", role=options_pb2.ROLE_MANAGER, scopes=["users:read"]
    )
    request = pb.CreateApiKeyRequest(
        api_key=api_key, request_id=str(uuid.uuid4()), current_password=PASSWORD
    )

    first, second = (
        keys.CreateApiKey(request, metadata=bearer(session.access_token)) for _ in range(2)
    )

    assert first.api_key.key_id == second.api_key.key_id
    assert exchange(keys, second.secret_key).key_id == first.api_key.key_id
    with refused(StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"):
        exchange(keys, first.secret_key)


def test_tokens_are_told_of_in_reach(
    keys: Any, people: Any, introspect: Any, as_telemetry: Any
) -> None:
    """Of a person, of a key, and to masters of a service; of what isn't good or near, nothing."""
    event, session = an_admin(people)
    _, stranger = an_admin(people)
    made = make(
        keys, session.access_token, scopes=["auth:read"], role=options_pb2.ROLE_COMPANY_ADMIN
    )
    token = exchange(keys, made.secret_key).access_token
    master = people.login(FIRST_MASTER_EMAIL, FIRST_MASTER_PASSWORD)
    (_, service_bearer), *_ = as_telemetry
    service_token = service_bearer.removeprefix("Bearer ")

    person = introspect(session.access_token, session.access_token)
    assert (person.active, person.kind, person.subject) == (True, KIND.KIND_USER, event.user_id)
    assert (person.role, person.company_id) == (options_pb2.ROLE_COMPANY_ADMIN, event.company_id)
    assert person.session_id == claims_of(session.access_token)["sid"]
    assert person.expire_time.seconds - person.issue_time.seconds in {899, 900}
    # A key with the scope may ask as well.
    machine = introspect(token, token)
    assert (machine.kind, list(machine.scopes)) == (KIND.KIND_API_KEY, ["auth:read"])
    assert introspect(service_token, master.access_token).kind == KIND.KIND_SERVICE
    assert introspect(token, master.access_token).active

    nothing = introspection_service_pb2.TokenIntrospection()
    for unseen in (session.access_token, token, service_token, made.secret_key, "\0", "a.b.c"):
        assert introspect(unseen, stranger.access_token) == nothing
