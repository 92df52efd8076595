"""People's addresses, which users owns and auth sees proven: both services, mail and events."""

import uuid
from typing import Any

import grpc
import pytest
from dashtrack.auth.v1 import auth_service_pb2
from dashtrack.auth.v1 import email_service_pb2 as pb
from dashtrack.options.v1 import options_pb2
from dashtrack.users.internal.v1 import address_service_pb2
from dashtrack.users.internal.v1.address_service_pb2_grpc import AddressServiceStub
from dashtrack.users.v1 import user_service_pb2
from dashtrack.users.v1.user_service_pb2_grpc import UserServiceStub
from grpc import StatusCode

from services.auth.domain.mails import EMAIL_CODE_HEADER
from services.chassis.identity import Role
from tests.fixtures.auth_service import new_email
from tests.fixtures.people_and_companies import FIRST_MASTER_EMAIL
from tests.fixtures.refusals import refused
from tests.fixtures.serving import ServedService
from tests.fixtures.tokens import TokenMint, bearer
from tests.fixtures.users_with_auth import PASSWORD, Identity
from tests.fixtures.waiting import eventually


def profile(identity: Identity, token: str) -> user_service_pb2.User:
    """Read the caller's own profile."""
    request = user_service_pb2.GetCurrentUserRequest()
    user: user_service_pb2.User = identity.call("GetCurrentUser", request, token)
    return user


def verified(identity: Identity) -> tuple[user_service_pb2.User, auth_service_pb2.Session]:
    """Have somebody join, and wait until users knows that the address is theirs."""
    user, session = identity.join()
    token = session.access_token
    eventually(lambda: profile(identity, token).email_verified, "the verification")
    return user, session


def ask(identity: Identity, token: str, email: str) -> None:
    """Ask for another address."""
    request = pb.RequestEmailChangeRequest(new_email=email, current_password=PASSWORD)
    identity.emails.RequestEmailChange(request, metadata=bearer(token))


def code_for(identity: Identity, email: str) -> str:
    """Wait for the code that is mailed to an address."""
    found = eventually(
        lambda: identity.site.codes_for(email, EMAIL_CODE_HEADER), f"mail to {email}"
    )
    return found[-1]


def confirm(identity: Identity, token: str, code: str) -> None:
    """Enter a code."""
    identity.emails.ConfirmEmail(pb.ConfirmEmailRequest(email_code=code), metadata=bearer(token))


def test_an_address_is_changed_by_whoever_reads_the_new_one(identity: Identity) -> None:
    """They log in with it, their sessions go on, and the old address is told."""
    user, session = verified(identity)
    new = new_email()
    ask(identity, session.access_token, new.upper())
    assert profile(identity, session.access_token).email == user.email

    confirm(identity, session.access_token, code_for(identity, new))

    changed = profile(identity, session.access_token)
    assert (changed.email, changed.email_verified) == (new, True)
    assert identity.eventually_logs_in(new).user_id == user.user_id
    identity.refresh(session)
    with refused(StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"):
        identity.login(user.email)
    # After the invitation.
    eventually(lambda: len(identity.site.mails_for(user.email)) == 2, "the notice")


def test_an_accepted_invitation_verifies(identity: Identity) -> None:
    """Until then nobody knows whether the address is theirs."""
    user = identity.invite()
    assert not user.email_verified

    session = identity.accept(identity.code(user.email))

    eventually(lambda: profile(identity, session.access_token).email_verified, "the verification")


def test_a_taken_address_is_told_to_whoever_reads_its_mail(identity: Identity) -> None:
    """The answer to the request doesn't tell."""
    (owner, _), (_, session) = verified(identity), verified(identity)
    ask(identity, session.access_token, owner.email)
    code = code_for(identity, owner.email)

    with refused(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"):
        confirm(identity, session.access_token, code)

    with refused(StatusCode.FAILED_PRECONDITION, "EMAIL_CODE_INVALID"):
        confirm(identity, session.access_token, code)
    assert identity.login(owner.email).user_id == owner.user_id


def test_the_first_administrator_can_verify_theirs(identity: Identity) -> None:
    """It came from the settings."""
    token = identity.administrator
    assert not profile(identity, token).email_verified
    request = pb.RequestEmailVerificationRequest()
    identity.emails.RequestEmailVerification(request, metadata=bearer(token))

    confirm(identity, token, code_for(identity, FIRST_MASTER_EMAIL))

    assert profile(identity, token).email_verified


@pytest.mark.parametrize("email", ["", "no address", "two@example.com, three@example.com"])
def test_what_is_no_address_is_refused(identity: Identity, email: str) -> None:
    """Before the password is looked at."""
    _, session = identity.join()

    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT") as refusal:
        ask(identity, session.access_token, email)

    assert refusal.fields == {"new_email"}


def test_users_takes_addresses_from_services_once(
    users_service: ServedService, token_mint: TokenMint
) -> None:
    """Told again nothing changes; an outdated or impossible change is refused."""
    with grpc.insecure_channel(users_service.target) as channel:
        people: Any = UserServiceStub(channel)  # type: ignore[arg-type]
        stub: Any = AddressServiceStub(channel)  # type: ignore[arg-type]
        master = bearer(token_mint.user(Role.MASTER))
        as_auth = bearer(token_mint.service("auth"))

        def change(user_id: str, from_email: str, to_email: str) -> None:
            stub.ChangeEmail(
                address_service_pb2.ChangeEmailRequest(
                    user_id=user_id, from_email=from_email, to_email=to_email
                ),
                metadata=as_auth,
            )

        def add() -> user_service_pb2.User:
            user = user_service_pb2.User(
                email=new_email(), display_name="Ada", role=options_pb2.ROLE_MASTER
            )
            request = user_service_pb2.CreateUserRequest(user=user)
            made: user_service_pb2.User = people.CreateUser(request, metadata=master)
            return made

        user, other, new = add(), add(), new_email()
        for _ in range(2):
            change(user.user_id, user.email, new)
        request = user_service_pb2.GetUserRequest(user_id=user.user_id)
        changed = people.GetUser(request, metadata=master)
        assert (changed.email, changed.etag, changed.email_verified) == (new, "2", True)
        with refused(StatusCode.ABORTED, "EDIT_CONFLICT"):
            change(user.user_id, user.email, new_email())
        with refused(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"):
            change(user.user_id, new, other.email)
        with refused(StatusCode.NOT_FOUND, "USER_NOT_FOUND"):
            change(str(uuid.uuid4()), new, new_email())
