"""What making a key takes, on fakes."""

import uuid

import pytest

from services.auth.domain.errors import (
    CredentialsInvalid,
    LoginThrottled,
    TwoFactorInvalid,
    TwoFactorRequired,
)
from services.auth.domain.totp import Proof
from services.chassis.errors import (
    DomainError,
    QuotaExceeded,
    TokenRevoked,
)
from services.chassis.identity import Role
from tests.fixtures.auth_api_keys import NEW, a_key, an_admin, calling, claiming
from tests.fixtures.auth_world import (
    AuthWorld,
    a_change,
)


@pytest.mark.parametrize(
    ("facts", "error"),
    [({"active": False}, CredentialsInvalid), ({"role": Role.DRIVER}, TokenRevoked)],
)
async def test_no_key_is_made_with_a_token_that_is_out_of_date(
    world: AuthWorld, facts: dict[str, object], error: type[DomainError]
) -> None:
    """The end of an access and a last key may meet."""
    admin = await an_admin(world)
    caller = calling(admin)
    await world.apply_change(a_change(admin, version=2, **facts))

    with pytest.raises(error):
        await world.create_api_key(caller, claiming(admin), NEW)
    assert not world.store.tables.api_keys


async def test_a_stolen_token_makes_no_key(world: AuthWorld) -> None:
    """Without the password there is none, and guessing it is throttled as at a login."""
    admin = await an_admin(world)

    for _ in range(3):
        with pytest.raises(CredentialsInvalid):
            await world.create_api_key(calling(admin), claiming(admin, "a guess"), NEW)
    with pytest.raises(LoginThrottled):
        await a_key(world, admin)

    assert not world.store.tables.api_keys
    assert world.recorder.failures == ["credentials_invalid"] * 3 + ["login_throttled"]


async def test_whoever_has_a_second_factor_makes_keys_with_it(world: AuthWorld) -> None:
    """To be asked for it costs nothing, a wrong code costs an attempt, and a code works once."""
    admin = await an_admin(world)
    await world.enrolled(admin)

    for _ in range(5):
        with pytest.raises(TwoFactorRequired):
            await a_key(world, admin)
    right = claiming(admin, proof=Proof(world.totp_code(admin)))
    with pytest.raises(TwoFactorInvalid):
        await world.create_api_key(
            calling(admin), claiming(admin, proof=Proof(backup_code="none")), NEW
        )
    await world.create_api_key(calling(admin), right, NEW)
    with pytest.raises(TwoFactorInvalid):
        await world.create_api_key(calling(admin), right, NEW)

    assert len(world.store.tables.api_keys) == 1


async def test_a_refused_key_costs_no_attempt(world: AuthWorld) -> None:
    """Whoever has proved who they are may try again."""
    admin = await an_admin(world)
    for _ in range(3):
        await a_key(world, admin)

    for _ in range(5):
        with pytest.raises(QuotaExceeded):
            await a_key(world, admin)


async def test_a_maker_is_told_of_the_key(world: AuthWorld) -> None:
    """Once, by a mail that names it and not its secret."""
    admin = await an_admin(world)
    request_id = uuid.uuid4()
    first = await a_key(world, admin, request_id=request_id)
    again = await a_key(world, admin, request_id=request_id)

    await world.send_all_mail()

    (mail,) = world.mailer.sent.values()
    assert mail.recipient == admin.email
    assert first.api_key.prefix in mail.text
    for made in (first, again):
        assert made.text.rpartition("_")[2] not in mail.text + mail.html
