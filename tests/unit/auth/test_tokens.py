"""Tokens for services and devices, and revocations, on fakes."""

import uuid

import pytest

from services.auth.domain import tokens
from services.auth.domain.errors import RefreshTokenInvalid, ServiceCredentialsInvalid
from services.chassis import tokens as chassis_tokens
from tests.fixtures.auth_world import LIFETIMES, ORIGIN, PASSWORD, AuthWorld


def test_a_service_gets_a_token_for_its_secret(world: AuthWorld) -> None:
    """It lives ten minutes and is for services."""
    issued = world.issue_service_token("telemetry", "secret of telemetry")

    assert issued.expires_at == world.clock() + LIFETIMES.service_token
    assert world.issuer.claims == [
        {"aud": "dashtrack-service", "sub": "telemetry", "role": "service"}
    ]


@pytest.mark.parametrize(
    ("service", "secret"),
    [("telemetry", "secret of users"), ("nobody", "secret of telemetry"), ("nobody", "")],
)
def test_a_wrong_secret_and_an_unknown_service_are_refused(
    world: AuthWorld, service: str, secret: str
) -> None:
    """Both with the same error."""
    with pytest.raises(ServiceCredentialsInvalid):
        world.issue_service_token(service, secret)

    assert world.recorder.failures == ["service_credentials_invalid"]


async def test_a_device_gets_a_token_of_its_company(world: AuthWorld) -> None:
    """It lives a day and is for devices."""
    device_id, company_id = uuid.uuid4(), uuid.uuid4()

    issued = await world.issue_device_token(device_id, company_id)

    assert issued.expires_at == world.clock() + LIFETIMES.device_token
    assert world.issuer.claims == [
        {"aud": "dashtrack-device", "sub": str(device_id), "company_id": str(company_id)}
    ]


async def test_revoking_a_device_is_remembered_as_long_as_its_tokens_live(
    world: AuthWorld,
) -> None:
    """The revocation outlives the longest token, and no longer."""
    device_id = uuid.uuid4()
    await world.revoke_subject(device_id)
    world.clock.now += LIFETIMES.device_token

    page = await world.list_revocations(0)
    world.clock.advance(minutes=2)
    later = await world.list_revocations(0)

    assert [entry.subject for entry in page.revocations] == [device_id]
    assert later.revocations == []
    assert world.hint.announced == 1


async def test_revoking_a_person_ends_their_sessions(world: AuthWorld) -> None:
    """Refresh tokens are tokens too."""
    person = await world.add_person()
    grant = await world.login(person.email, PASSWORD, ORIGIN)

    await world.revoke_subject(person.user_id)

    with pytest.raises(RefreshTokenInvalid):
        await world.refresh(grant.refresh_token, ORIGIN)
    assert (await world.login(person.email, PASSWORD, ORIGIN)).access_token


async def test_revocations_are_read_on_from_a_position(world: AuthWorld) -> None:
    """Each is listed once, in order."""
    first, second = uuid.uuid4(), uuid.uuid4()
    await world.revoke_subject(first)
    page = await world.list_revocations(0)
    await world.revoke_subject(second)

    following = await world.list_revocations(page.next_position)

    assert [entry.subject for entry in following.revocations] == [second]
    assert (await world.list_revocations(following.next_position)).revocations == []


def test_audiences_are_those_that_the_chassis_verifies() -> None:
    """The domain may not import them, so they are written down twice."""
    assert tokens.AUDIENCE_API == chassis_tokens.AUDIENCE_API
    assert tokens.AUDIENCE_DEVICE == chassis_tokens.AUDIENCE_DEVICE
    assert tokens.AUDIENCE_SERVICE == chassis_tokens.AUDIENCE_SERVICE
