"""What a caller may see."""

import uuid

import pytest

from services.chassis.errors import PermissionDenied, Unauthenticated
from services.chassis.identity import (
    ANONYMOUS,
    Caller,
    CallerKind,
    Role,
    TenantScope,
    acting_as,
    current_caller,
)

COMPANY = uuid.UUID(int=7)


def caller(kind: CallerKind, role: Role | None = None, company: uuid.UUID | None = None) -> Caller:
    """Make a caller."""
    return Caller(kind, str(uuid.UUID(int=1)), role, company, None, 0)


@pytest.mark.parametrize("who", [caller(CallerKind.SERVICE), caller(CallerKind.USER, Role.MASTER)])
def test_operators_and_services_see_everything(who: Caller) -> None:
    """Nothing is out of the reach of those who run the platform."""
    assert who.scope == TenantScope.everything()
    assert who.scope.includes(COMPANY)


@pytest.mark.parametrize(
    "who",
    [
        caller(CallerKind.USER, Role.COMPANY_ADMIN, COMPANY),
        caller(CallerKind.DEVICE, None, COMPANY),
    ],
)
def test_everybody_else_sees_their_own_company(who: Caller) -> None:
    """People and devices see one company."""
    assert who.scope == TenantScope.company(COMPANY)
    assert not who.scope.includes(uuid.UUID(int=8))


@pytest.mark.parametrize(
    "who", [caller(CallerKind.USER, Role.COMPANY_ADMIN), caller(CallerKind.DEVICE)]
)
def test_having_no_company_never_means_having_all(who: Caller) -> None:
    """A token that lost its company opens nothing."""
    with pytest.raises(PermissionDenied):
        _ = who.scope


def test_strangers_see_nothing() -> None:
    """Whoever didn't sign in has no scope."""
    with pytest.raises(Unauthenticated):
        _ = ANONYMOUS.scope


def test_ids_belong_to_their_kind() -> None:
    """A device's id can't be mistaken for a person's."""
    assert caller(CallerKind.USER, Role.MASTER).user_id == uuid.UUID(int=1)
    assert caller(CallerKind.DEVICE).device_id == uuid.UUID(int=1)
    with pytest.raises(PermissionDenied):
        _ = caller(CallerKind.DEVICE).user_id
    with pytest.raises(PermissionDenied):
        _ = caller(CallerKind.USER).device_id


def test_caller_is_anonymous_outside_of_a_call() -> None:
    """Work that nobody asked for has no rights by accident."""
    assert current_caller() is ANONYMOUS


def test_acting_as_ends_with_its_block() -> None:
    """A borrowed identity is given back."""
    with acting_as(caller(CallerKind.SERVICE)):
        assert current_caller().kind is CallerKind.SERVICE
    assert current_caller() is ANONYMOUS
